"""Writes into a stopped node's database behind its back, through RocksDB's C interface."""

import ctypes
import ctypes.util

LIBRARY = ctypes.CDLL(ctypes.util.find_library("rocksdb"))
for name in ("rocksdb_options_create", "rocksdb_writeoptions_create", "rocksdb_open_column_families",
             "rocksdb_list_column_families"):
    getattr(LIBRARY, name).restype = ctypes.c_void_p


def call(name, *arguments):
    """Calls a function that reports errors through its last parameter."""
    error = ctypes.c_char_p()
    result = getattr(LIBRARY, name)(*arguments, ctypes.byref(error))
    assert not error.value, error.value
    return result


def put(directory, family, key, value):
    path, options = str(directory).encode(), ctypes.c_void_p(LIBRARY.rocksdb_options_create())
    count = ctypes.c_size_t()
    listed = call("rocksdb_list_column_families", options, path, ctypes.byref(count))
    names = ctypes.cast(listed, ctypes.POINTER(ctypes.c_char_p))[: count.value]
    handles = (ctypes.c_void_p * len(names))()
    database = ctypes.c_void_p(call(
        "rocksdb_open_column_families", options, path, len(names), (ctypes.c_char_p * len(names))(*names),
        (ctypes.c_void_p * len(names))(*[options.value] * len(names)), handles))
    write_options = ctypes.c_void_p(LIBRARY.rocksdb_writeoptions_create())
    call("rocksdb_put_cf", database, write_options, ctypes.c_void_p(handles[names.index(family.encode())]), key,
         ctypes.c_size_t(len(key)), value, ctypes.c_size_t(len(value)))
    for handle in handles:
        LIBRARY.rocksdb_column_family_handle_destroy(ctypes.c_void_p(handle))
    LIBRARY.rocksdb_close(database)

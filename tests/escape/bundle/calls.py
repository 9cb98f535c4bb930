"""System calls: directly, and by what escape-native.so brings."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
native = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "escape-native.so"), use_errno=True)
native.pour.restype = ctypes.c_long
native.pour.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long]
native.clone_into.argtypes = [ctypes.c_ulong]
native.peek.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]

NUMBERS = {
    "add_key": 248, "capset": 126, "clone3": 435, "fanotify_init": 300, "fsconfig": 431, "fsmount": 432, "fsopen": 430,
    "keyctl": 250, "move_mount": 429, "open_tree": 428, "pidfd_open": 434, "pivot_root": 155, "setns": 308,
}
NAMESPACES = {"user": 0x10000000, "mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000,
              "pid": 0x20000000, "net": 0x40000000, "time": 0x80}


def call(name, *arguments):
    """The result of a system call; an OSError where it fails."""
    return checked(libc.syscall(NUMBERS[name], *arguments))


def checked(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def error_of(action, *arguments):
    """The name of the errno with which it fails, or None."""
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return None


def outcome(errors):
    """An attack of several tries: it has succeeded when one of them has no error."""
    return None in errors.values(), errors


def other_architectures(event):
    """The same calls by other numbers, past a filter that knows only one kind."""
    answers = {"i386": native.try_i386(), "x32": native.try_x32()}
    return 1 in answers.values(), answers


def table(event):
    """Every call of native.c's table. Whether an answer is a success, the test says."""
    text = ctypes.create_string_buffer(65536)
    checked(native.try_calls(text, len(text)))
    answers = dict(line.split() for line in text.value.decode().splitlines())
    return any(answer not in ("EPERM", "ENOSYS") for answer in answers.values()), answers

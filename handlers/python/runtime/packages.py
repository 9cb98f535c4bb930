"""What a zygote loads ahead for functions that import it."""
import importlib
import os
import sys
import time

import troupe_loading

_patience_s = 1
_reason_chars_max = 300

# OpenBLAS, which numpy brings along, starts threads as soon as it is loaded, and a zygote can have one only.
_while_importing = {"OPENBLAS_NUM_THREADS": "1"}


def _descriptors():
    return set(os.listdir("/proc/self/fd"))


def _has_threads():
    """One that was joined a moment ago may still be listed."""
    end = time.monotonic() + _patience_s
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > end:
            return True
        time.sleep(0.001)
    return False


def _has_processes():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _import(name):
    """Why a zygote cannot have it, or nothing."""
    before = _descriptors()
    try:
        importlib.import_module(name)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:_reason_chars_max]
    if _has_threads():
        return "importing it starts threads, which a clone would not have"
    if _has_processes():
        return "importing it starts processes, which a clone would not have"
    if _descriptors() - before:
        return "importing it opens files and keeps them open, which a clone would not have"
    return ""


def load(names):
    """Imports them in turn: the one that a zygote cannot have and why, or what has come, by top-level names, without
    the standard library."""
    before = set(sys.modules)
    os.environ.update(_while_importing)
    try:
        for name in names:
            if reason := _import(name):
                return name, reason, []
    finally:
        for variable in _while_importing:
            os.environ.pop(variable, None)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or each clone would print what an import has left in there
    troupe_loading.remember_imports()
    come = {name.partition(".")[0] for name in set(sys.modules) - before}
    return "", "", sorted(come - sys.stdlib_module_names)

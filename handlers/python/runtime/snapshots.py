"""Functions that a handler registers for when its process is copied, after it was loaded: `snapshot_restore_py`, as on
AWS Lambda."""
import gc
import sys
import types

import troupe_boot
import troupe_errors
import troupe_reseed

_module = "snapshot_restore_py"

_before_snapshot = []
_after_restore = []


def register_before_snapshot(function, *args, **kwargs):
    """To be called once the module is loaded; the last registered first. Usable as a decorator."""
    _before_snapshot.append((function, args, kwargs))
    return function


def register_after_restore(function, *args, **kwargs):
    """To be called in every copy before its first event, in the order of registration. Usable as a decorator."""
    _after_restore.append((function, args, kwargs))
    return function


def get_before_snapshot():
    return _before_snapshot


def get_after_restore():
    return _after_restore


def install():
    """In the zygote: makes the module importable. A bundle that brings the package from the index has its own."""
    module = types.ModuleType(_module, __doc__)
    for public in (register_before_snapshot, register_after_restore, get_before_snapshot, get_after_restore):
        setattr(module, public.__name__, public)
    sys.modules[_module] = module


def _registry():
    return sys.modules.get(_module) or sys.modules[__name__]


def before_snapshot():
    """True, or an error document. What the handler's module has made is then kept from being copied by the collector."""
    registered = _registry().get_before_snapshot()
    try:
        while registered:
            function, args, kwargs = registered.pop()
            function(*args, **kwargs)
    except Exception as error:
        return troupe_errors.document_as("Runtime.BeforeSnapshotError", "", error, "")
    gc.collect()
    gc.freeze()
    return True


def after_restore():
    """True, or an error document."""
    troupe_reseed.reseed()
    troupe_boot.renew_process()
    try:
        for function, args, kwargs in _registry().get_after_restore():
            function(*args, **kwargs)
    except Exception as error:
        return troupe_errors.document_as("Runtime.AfterRestoreError", "", error, "")
    return True

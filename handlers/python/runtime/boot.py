"""What a process is given once before its handler is loaded: environment, signals, working directory."""
import _signal  # without signal's enumerations, which a new sandbox would copy pages for
import os
import threading
import time
from posix import putenv

import troupe_context

# Overridable by the function, as on AWS.
_defaults = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "TZ": ":UTC",
    "AWS_REGION": "local",
    "AWS_DEFAULT_REGION": "local",
}


# The same in every sandbox, whatever the function wants.
_fixed = {
    "AWS_EXECUTION_ENV": "Troupe_python3",
    "LAMBDA_RUNTIME_DIR": os.path.dirname(os.__file__),
}


def prepare_zygote():
    """What every sandbox starts from: nothing of the node's environment, and the defaults' time zone."""
    os.environ.clear()
    os.environ.update(_defaults)
    os.environ.update(_fixed)
    time.tzset()


def _set_variables(variables):
    """os.environ.update, whose small functions would each copy pages of a new sandbox."""
    known = os.environ._data
    for name, value in variables.items():
        name, value = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        putenv(name, value)
        known[name] = value


def _renew_thread():
    threading._main_thread._native_id = threading.get_native_id()


def renew_process():
    """In a copy of a sandbox: what differs from one to the other."""
    _renew_thread()
    troupe_context.function.renew_log_stream()
    os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = troupe_context.function.log_stream_name


def prepare_process(handler, name, version, memory_mb, task_root, variables):
    """In the sandbox, before the handler is loaded."""
    _renew_thread()
    function = troupe_context.function = troupe_context.Function(name, version, memory_mb)
    if variables:
        _set_variables(variables)
        _set_variables(_fixed)
    _set_variables(
        {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": function.log_stream_name,
            "LAMBDA_TASK_ROOT": task_root,
            "_HANDLER": handler,
        }
    )
    if "TZ" in variables:
        time.tzset()
    # As python3 sets them; the zygote itself leaves signals alone.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.chdir(task_root)

"""What a process is given once before its handler is loaded: environment, signals, working directory."""
import os
import signal
import sys
import time

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


def prepare_zygote():
    """What every sandbox starts from: nothing of the node's environment, and the defaults' time zone."""
    os.environ.clear()
    os.environ.update(_defaults)
    time.tzset()


def renew_process():
    """In a copy of a sandbox: what differs from one to the other."""
    troupe_context.function.renew_log_stream()
    os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] = troupe_context.function.log_stream_name


def prepare_process(handler, name, version, memory_mb, task_root, variables):
    """In the sandbox, before the handler is loaded."""
    function = troupe_context.function = troupe_context.Function(name, version, memory_mb)
    os.environ.update(variables)
    os.environ.update(
        {
            "AWS_EXECUTION_ENV": "Troupe_python3",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": function.log_stream_name,
            "LAMBDA_TASK_ROOT": task_root,
            "LAMBDA_RUNTIME_DIR": os.path.dirname(os.__file__),
            "_HANDLER": handler,
        }
    )
    if "TZ" in variables:
        time.tzset()
    # As python3 sets them; the zygote itself leaves signals alone.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(task_root)

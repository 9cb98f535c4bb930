"""What a handler may do, and what becomes of one that fails."""

import base64
import concurrent.futures
import time

import pytest

from clients import ROLE, curl, deploy, invoke, zip_of

# Each failing function: its source, its configuration, the error type that callers see.
FAILING = {
    "raises": ("def f(event):\n    raise KeyError('missing')\n", {}, "KeyError"),
    "returns_no_json": ("def f(event):\n    return {1, 2}\n", {}, "Runtime.MarshalError"),
    "sleeps": ("import time\ndef f(event):\n    time.sleep(60)\n", {"Timeout": 1}, "Sandbox.Timedout"),
    "spins": ("def f(event):\n    while True: pass\n", {"Timeout": 1}, "Sandbox.Timedout"),
    "exits": ("import os\ndef f(event):\n    os._exit(3)\n", {}, "Runtime.ExitError"),
    "sys_exits": ("import sys\ndef f(event):\n    sys.exit(3)\n", {}, "Runtime.ExitError"),
    "is_killed": ("import os\ndef f(event):\n    os.abort()\n", {}, "Runtime.ExitError"),
    "eats_memory": ("def f(event):\n    return len(bytearray(400 * 1024 * 1024))\n", {}, "Runtime.OutOfMemory"),
    "import_fails": ("import nothing_of_that_name\n", {}, "Runtime.ImportModuleError"),
    "syntax_error": ("def f(event:\n", {}, "Runtime.UserCodeSyntaxError"),
    "module_raises": ("raise ValueError('at import')\n", {}, "ValueError"),
    "no_callable": ("g = 1\n", {}, "Runtime.HandlerNotFound"),
}


@pytest.fixture(scope="module", autouse=True)
def functions(node):
    for name, (source, configuration, _) in FAILING.items():
        deploy(node, name, source, **configuration)


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_handler_is_500_on_run_or_504_when_it_took_too_long(node, name):
    answer = curl(node, f"/run/{name}", data={})
    error = answer.json()
    assert answer.status == (504 if error["errorType"] == "Sandbox.Timedout" else 500)
    assert error["errorType"] == FAILING[name][2]
    assert isinstance(error["errorMessage"], str)
    assert isinstance(error["stackTrace"], list)


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_handler_is_200_and_unhandled_on_invoke(node, name):
    error, answer = invoke(node, name, {})
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == FAILING[name][2]


def test_an_exceptions_trace_names_the_handlers_lines_and_nothing_of_the_node(node):
    error, _ = invoke(node, "raises", {})
    assert error["errorMessage"] == "'missing'"
    trace = "".join(error["stackTrace"])
    assert "f.py" in trace and "raise KeyError('missing')" in trace
    assert str(node.data) not in trace


def test_a_timeout_kills_the_whole_tree_in_time(node):
    deploy(node, "forks", """
        import subprocess, time
        def f(event):
            subprocess.Popen(["/usr/bin/python3", "-c", "import time; time.sleep(60)"], start_new_session=True)
            time.sleep(60)
        """, Timeout=1, MemorySize=256)
    begin = time.monotonic()
    error, _ = invoke(node, "forks", {})
    assert error["errorType"] == "Sandbox.Timedout"
    assert "1" in error["errorMessage"]
    assert 1 <= time.monotonic() - begin < 3


def test_a_function_serves_again_after_its_sandbox_has_died(node):
    deploy(node, "moody", "import os\ndef f(event):\n    return event if event else os._exit(1)\n")
    for _ in range(3):
        assert invoke(node, "moody", 0)[0]["errorType"] == "Runtime.ExitError"
        assert invoke(node, "moody", 7)[0] == 7


def test_an_exception_keeps_the_sandbox(node):
    deploy(node, "counts", """
        calls = 0
        def f(event):
            global calls
            calls += 1
            if event == "raise":
                raise RuntimeError("asked to")
            return calls
        """)
    assert invoke(node, "counts", {})[0] == 1
    assert invoke(node, "counts", "raise")[0]["errorType"] == "RuntimeError"
    assert invoke(node, "counts", {})[0] == 3


def test_module_level_code_runs_once_a_sandbox(node):
    deploy(node, "loads", """
        import os, uuid
        loaded = str(uuid.uuid4())
        print("loading")
        def f(event):
            return loaded
        """)
    assert len({invoke(node, "loads", {})[0] for _ in range(20)}) == 1


def test_sandboxes_do_not_share_their_random_numbers(node):
    deploy(node, "dice", """
        import os, random, time, uuid
        numbers = [random.random(), str(uuid.uuid4()), os.urandom(8).hex()]
        def f(event):
            time.sleep(0.5)
            return numbers
        """)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        rolls = list(pool.map(lambda _: tuple(curl(node, "/run/dice", data={}).json()), range(4)))
    sandboxes = set(rolls)
    assert len(sandboxes) > 1
    for column in zip(*sandboxes):
        assert len(set(column)) == len(sandboxes)


def test_both_forms_of_handlers(node):
    deploy(node, "one", "def f(event):\n    return 'one'\n")
    deploy(node, "two", "def handler(event, context):\n    return context.function_name\n", handler="f.handler")
    deploy(node, "optional", "def f(event, context=None):\n    return context is not None\n")
    deploy(node, "callable", "class C:\n    def __call__(self, event):\n        return 'called'\nf = C()\n")
    assert [invoke(node, name, {})[0] for name in ("one", "two", "optional", "callable")] == \
        ["one", "two", True, "called"]


def test_a_handler_in_a_package(node, aws):
    archive = zip_of({"src/app.py": "def main(event):\n    return 'in a package'\n", "src/__init__.py": ""})
    aws.create_function(FunctionName="packaged", Runtime="python3", Role=ROLE, Handler="src.app.main",
                        Code={"ZipFile": archive})
    assert invoke(node, "packaged", {})[0] == "in a package"


def test_the_context_has_awss_names(node):
    deploy(node, "context", """
        import time
        def f(event, context):
            before = context.get_remaining_time_in_millis()
            time.sleep(0.1)
            return {
                "id": context.aws_request_id, "name": context.function_name, "version": context.function_version,
                "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
                "remaining": [before, context.get_remaining_time_in_millis()],
                "group": context.log_group_name, "stream": context.log_stream_name,
                "client": context.client_context.custom if context.client_context else None,
            }
        """, MemorySize=192, Timeout=7)
    custom = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    result, answer = invoke(node, "context", {}, ClientContext=custom)
    assert result["id"] == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert (result["name"], result["version"], int(result["memory"])) == ("context", "$LATEST", 192)
    assert result["arn"].endswith(":function:context")
    before, after = result["remaining"]
    assert 6000 < before <= 7000 and 90 <= before - after < 1000
    assert result["group"] and result["stream"]
    assert result["client"] == {"k": "v"}
    assert invoke(node, "context", {})[0]["client"] is None


def test_the_environment_is_the_functions_and_none_of_the_nodes(node):
    deploy(node, "environment", "import os\ndef f(event):\n    return dict(os.environ)\n",
           Environment={"Variables": {"GREETING": "hallo", "EMPTY": ""}})
    variables = invoke(node, "environment", {})[0]
    assert (variables["GREETING"], variables["EMPTY"]) == ("hallo", "")
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "environment"
    assert not {name for name in variables if name.startswith("TROUPE_")} & {"TROUPE_PROGRAM", "TROUPE_ENDPOINT"}
    assert "PYTEST_CURRENT_TEST" not in variables


def test_tail_brings_the_end_of_the_log(node):
    deploy(node, "talks", """
        import logging, os, sys
        def f(event):
            print("to stdout")
            print("to stderr", file=sys.stderr)
            logging.getLogger().warning("to logging")
            os.write(1, b"to the descriptor\\n")
            return "done"
        """)
    result, answer = invoke(node, "talks", {}, LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert result == "done"
    for part in ("to stdout", "to stderr", "to logging", "to the descriptor"):
        assert part in log
    assert "LogResult" not in invoke(node, "talks", {})[1]


def test_tail_is_the_last_four_kibibytes_of_this_invocation_only(node):
    deploy(node, "chatters", "def f(event):\n    for i in range(event):\n        print(f'line {i:06}')\n")
    invoke(node, "chatters", 3)
    log = base64.b64decode(invoke(node, "chatters", 5000, LogType="Tail")[1]["LogResult"])
    assert 3000 < len(log) <= 4096
    assert b"line 004999" in log
    log = base64.b64decode(invoke(node, "chatters", 2, LogType="Tail")[1]["LogResult"])
    assert b"line 000001" in log and b"line 004999" not in log


def test_a_log_without_end_does_not_stop_a_handler(node):
    deploy(node, "floods", "def f(event):\n    for _ in range(2000):\n        print('x' * 5000)\n    return 'through'\n",
           Timeout=20)
    assert invoke(node, "floods", {})[0] == "through"


def test_what_a_handler_writes_as_a_number_stays_json(node):
    deploy(node, "numbers", "def f(event):\n    return [1, 1.5, 10**20, -0.0, 1e300]\n")
    assert invoke(node, "numbers", {})[0] == [1, 1.5, 10**20, -0.0, 1e300]

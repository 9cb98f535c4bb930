"""The process around a handler: environment, streams, log, and handlers that misbehave."""
import json
import re
import sys

import pytest

from sandbox import REQUEST_ID, Closed


def test_stack_trace(serve):
    sandbox = serve("""
        def g(x):
            raise ValueError("no " + x)
        def f(event):
            g(event)
        """)
    document = sandbox.error("way")
    root = document["stackTrace"][0].split('"')[1].removesuffix("/f.py")
    assert document == {
        "errorMessage": "no way", "errorType": "ValueError", "requestId": REQUEST_ID,
        "stackTrace": [f'  File "{root}/f.py", line 5, in f\n    g(event)\n',
                       f'  File "{root}/f.py", line 3, in g\n    raise ValueError("no " + x)\n'],
    }
    assert sandbox.log().startswith("[ERROR] ValueError: no way\nTraceback (most recent call last):\n  File ")


@pytest.mark.parametrize("statement, kind", [
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("raise GeneratorExit", "GeneratorExit"),
    ("raise MemoryError", "MemoryError"),
    ("raise StopIteration(3)", "StopIteration"),
    ("f(event)", "RecursionError"),
    ("raise type('Own', (Exception,), {'__str__': lambda self: 1 / 0})", "Own"),
    ("raise type('Own', (Exception,), {'__str__': lambda self: exit(3)})", "Runtime.UnknownReason"),
    ("raise type('N' * 10_000_000, (BaseException,), {})('m' * 10_000_000)", "N" * 2048 + "..."),
    ("import os, signal; os.kill(os.getpid(), signal.SIGINT)\n  while True: pass", "KeyboardInterrupt"),
])
def test_whatever_is_raised_is_a_document(serve, statement, kind):
    sandbox = serve(f"def f(event):\n  if event: return event\n  {statement}")
    document = sandbox.error(None)
    assert document["errorType"] == kind
    assert len(json.dumps(document)) < 2_000_000
    assert sandbox.call(1) == 1


def test_endless_stack_is_cut_in_the_middle(serve):
    stack = serve("def f(event): f(event)").error(0)["stackTrace"]
    assert len(stack) == 65 and re.fullmatch(r"  \.\.\. \d+ frames \.\.\.\n", stack[32])


@pytest.mark.parametrize("statement, status", [
    ("sys.exit()", 0), ("sys.exit(3)", 3), ("exit(4)", 4), ("sys.exit('why')", 1), ("os._exit(5)", 5),
    ("raise SystemExit(6)", 6), ("os.kill(os.getpid(), 9)", -9), ("os.abort()", -6),
    ("raise type('E', (SystemExit,), {})(8)", 8),
])
def test_handlers_that_end_the_process(serve, statement, status):
    sandbox = serve(f"import atexit, os, sys\natexit.register(print, 'bye')\ndef f(event):\n  {statement}")
    sandbox.send(1)
    with pytest.raises(Closed):
        sandbox.receive()
    assert sandbox.group.statuses() == [status]
    raises_system_exit = not statement.startswith("os.")
    assert (b"bye\n" in sandbox.group.whole_log) == raises_system_exit


def test_environment(serve):
    sandbox = serve("""
        import ctypes, os, sys, time
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_char_p
        def f(event):
            for name, value in os.environ.items():
                assert libc.getenv(name.encode()) == os.fsencode(value), name
            names = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
            count = 0
            while names[count]: count += 1
            assert count == len(os.environ)
            return [dict(os.environ), os.getcwd(), sys.path, sys.executable, sys.flags.dont_write_bytecode, time.tzname,
                    sys.getfilesystemencoding(), sys.argv]
        """, variables=[("COLOUR", "grün"), ("HOME", "/elsewhere"), ("_HANDLER", "mine"), ("TZ", "Europe/Berlin")],
        outer_environment={"SECRET": "of the node", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"})
    variables, folder, path, executable, no_bytecode, zone, encoding, arguments = sandbox.call(None)
    stream = variables.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert "[$LATEST]" in stream
    assert variables == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/elsewhere", "TMPDIR": "/tmp", "LANG": "C.UTF-8",
        "TZ": "Europe/Berlin", "COLOUR": "grün", "_HANDLER": "f.f", "LAMBDA_TASK_ROOT": folder,
        "LAMBDA_RUNTIME_DIR": "/usr/lib/python3.11", "AWS_EXECUTION_ENV": "Troupe_python3", "AWS_REGION": "local",
        "AWS_DEFAULT_REGION": "local", "AWS_LAMBDA_FUNCTION_NAME": "tested",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tested",
    }
    assert path[0] == folder and "/usr/lib/python3/dist-packages" in path and "" not in path
    assert executable == "/usr/bin/python3" and no_bytecode == 1 and zone == ["CET", "CEST"]
    assert encoding == "utf-8" and arguments == [""]


def test_time_is_utc_unless_the_function_says_otherwise(serve):
    assert serve("import time\ndef f(event): return time.tzname[0]").call(0) == "UTC"


def test_debian_packages_can_be_imported(serve):
    assert serve("import yaml\ndef f(event): return yaml.safe_load(event)").call("a: [1]") == {"a": [1]}


def test_streams(serve):
    sandbox = serve(r"""
        import ctypes, os, sys
        def f(event):
            print("out é\ud800")
            print("err é\ud800", file=sys.stderr)
            print("no line", end="")
            print("; nor here", end="", file=sys.stderr)
            ctypes.CDLL(None).puts(b"; from C")
            os.system("echo from a shell")
            return [sys.stdout.encoding, sys.stderr.errors]
        """)
    assert sandbox.call(None) == ["utf-8", "backslashreplace"]
    assert sandbox.log() == "out é?\nerr é\\ud800\n; from C\nfrom a shell\nno line; nor here"


def test_log_of_an_invocation_is_written_before_its_answer(serve):
    sandbox = serve("def f(event): print(event, end='')")
    for n in range(50):
        sandbox.call(n)
        assert sandbox.log() == str(n)


@pytest.mark.parametrize("change", [
    "sys.stdout = None", "sys.stdout = io.StringIO()", "del sys.stdout", "sys.stdout = 3", "sys.stdout.close()",
    "sys.stdout = open('/dev/full', 'w')", "sys.stderr.close()", "os.close(1)", "os.close(2)",
    "del builtins.print", "del builtins.len, builtins.dict, builtins.ValueError", "sys.modules.clear()",
    "json.loads = json.dumps = json.JSONEncoder.encode = None", "json.__dict__.clear()", "logging.__dict__.clear()",
    "import traceback; traceback.__dict__.clear()", "sys.excepthook = None", "sys.setrecursionlimit(50)",
    "import gc; gc.disable(); gc.unfreeze(); gc.collect()", "signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
    "os.chdir('/')", "os.environ.clear()", "os.setpgid(0, 0)",
])
def test_handlers_that_take_their_process_apart(serve, change):
    sandbox = serve(f"""
        import builtins, io, json, logging, os, signal, sys
        def f(event):
            if event == 0:
                {change}
            return event
        """)
    for n in (0, 1, 2, {"a": [None]}):
        assert sandbox.call(n) == n


@pytest.mark.parametrize("change", ["os.close(63)", "os.close(62); os.close(63)", "os.closerange(3, 1000)"])
def test_a_handler_that_closes_the_channel(serve, change):
    sandbox = serve(f"import os\ndef f(event):\n  {change}\n  return 1")
    sandbox.send(None)
    with pytest.raises(Closed):
        sandbox.receive()
    assert sandbox.group.statuses() == [0]


PUTS_A_FILE_IN_ITS_PLACE = """
    import os
    def f(event):
        os.dup2(os.open(event, os.O_RDWR | os.O_CREAT), %d)
        return 1
    """


def test_a_handler_that_puts_a_file_in_place_of_its_answers(serve, tmp_path):
    sandbox = serve(PUTS_A_FILE_IN_ITS_PLACE % 63)
    sandbox.send(str(tmp_path / "file"))
    with pytest.raises(Closed):
        sandbox.receive()


def test_a_handler_that_puts_a_file_in_place_of_its_events(serve, tmp_path):
    sandbox = serve(PUTS_A_FILE_IN_ITS_PLACE % 62)
    assert sandbox.call(str(tmp_path / "file")) == 1
    with pytest.raises(Closed):
        sandbox.receive()
    assert sandbox.group.statuses() == [0]


def test_low_descriptors_are_free(serve):
    sandbox = serve("import os\ndef f(event):\n  os.closerange(3, 60)\n  return os.listdir('/proc/self/fd')")
    assert set(sandbox.call(None)) <= {"0", "1", "2", "3", "62", "63"}


def test_started_programs_do_not_hold_the_channel(serve):
    sandbox = serve("import os\ndef f(event): return os.popen('ls /proc/self/fd').read().split()")
    assert {"62", "63"}.isdisjoint(sandbox.call(None))


@pytest.mark.parametrize("body", [
    "pid = os.fork()", "pid = os.fork()\n  if pid == 0: raise ValueError", "pid = os.fork()\n  if pid == 0: sys.exit(3)",
    "pid = os.fork()\n  if pid == 0: return object()", "pid = os.fork()\n  if pid == 0: return Late()",
    "pid = ctypes.CDLL(None).fork()",
])
def test_a_forked_copy_never_answers(serve, body):
    sandbox = serve(f"""
        import ctypes, os, sys
        class Late(dict):
            def items(self): return [("late", 1)]
        def f(event):
          {body.replace(chr(10), chr(10) + ' ' * 8)}
          if pid: os.waitpid(pid, 0)
          return event
        """)
    for n in range(5):
        assert sandbox.call(n) == n


def test_a_fork_while_answers_are_encoded(serve):
    sandbox = serve("""
        import os
        class Forking(dict):
            def items(self):
                pid = os.fork()
                if pid: os.waitpid(pid, 0)
                return [("parent", pid > 0)]
        def f(event): return Forking(a=1)
        """)
    for _ in range(3):
        assert sandbox.call(0) == {"parent": True}


def test_a_fork_in_module_level_code(serve):
    sandbox = serve("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\ndef f(event): return pid > 0")
    assert sandbox.call(0) is True


def test_a_fork_in_a_signal_handler(serve):
    sandbox = serve("""
        import os, signal
        copies = []
        def ring(*_):
            copies.append(os.fork())  # which the kernel begins anew when there is a signal meanwhile
            if copies[-1] and len(copies) < 20: signal.setitimer(signal.ITIMER_REAL, 0.005)
        signal.signal(signal.SIGALRM, ring)
        def f(event):
            if event == "start": signal.setitimer(signal.ITIMER_REAL, 0.005)
            if len(copies) < 20: return event
            return [os.waitpid(pid, 0)[1] for pid in copies]
        """)
    assert sandbox.call("start") == "start"
    statuses = n = 0
    while not isinstance(statuses, list):
        n += 1
        statuses = sandbox.call(n)
        assert statuses == n or set(statuses) <= {0, 256}  # those that were in f themselves see no children, and raise


def test_a_handlers_fork_tells_the_modules_that_were_loaded_ahead(serve):
    """What the clone of a sandbox need not tell: other random numbers, locks held by other threads, which are gone."""
    sandbox = serve("""
        import logging, os, random, threading
        def f(event):
            held, go_on, log = threading.Event(), threading.Event(), logging.StreamHandler()
            def hold():
                with log.lock:
                    held.set()
                    go_on.wait()
            holder = threading.Thread(target=hold)
            holder.start()
            held.wait()
            state, (out, into) = random.getstate(), os.pipe()
            if os.fork() == 0:
                told = [random.getstate() != state, log.lock.acquire(blocking=False), threading.active_count() == 1]
                os.write(into, bytes(told))
                os._exit(0)
            go_on.set()
            holder.join()
            os.wait()
            return [*os.read(out, 8), random.getstate() == state]
        """)
    assert sandbox.call(0) == [1, 1, 1, True]


def test_the_main_thread_knows_its_number(serve):
    sandbox = serve("""
        import threading
        def f(event): return threading.main_thread().native_id == threading.get_native_id()
        """)
    assert sandbox.call(0) is True


def test_threads_run_on_between_invocations(serve):
    sandbox = serve("""
        import threading
        steps = []
        go = threading.Event()
        def work():
            go.wait()
            for n in range(1000): steps.append(n)
            done.set()
        done = threading.Event()
        threading.Thread(target=work, daemon=True).start()
        def f(event):
            if event == "go": go.set()
            if event == "wait": done.wait()
            return [len(steps), threading.current_thread() is threading.main_thread()]
        """)
    assert sandbox.call(None) == [0, True]
    sandbox.call("go")
    assert sandbox.call("wait") == [1000, True]


def test_signals_between_and_during_invocations(serve):
    sandbox = serve("""
        import os, signal, threading
        rung = threading.Event()
        count = 0
        def ring(*_):
            global count
            count += 1
            if count == 4: raise TimeoutError("rung")
        signal.signal(signal.SIGALRM, ring)
        main = threading.main_thread().ident
        def later():
            signal.pthread_kill(main, signal.SIGALRM)
        def f(event):
            if event == "timer": signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            if event == "wait":
                while count < 20: signal.pause()
                signal.setitimer(signal.ITIMER_REAL, 0)
            return count
        """)
    sandbox.call("timer")
    for _ in range(2000):
        sandbox.send("x" * 5000)
        sandbox.result()
    sandbox.send("wait")
    flag, payload = sandbox.result()
    assert flag == 1 or int(payload) >= 20


def test_writing_to_a_closed_pipe_is_an_exception(serve):
    sandbox = serve("import os\ndef f(event):\n  r, w = os.pipe()\n  os.close(r)\n  os.write(w, b'x')")
    assert sandbox.error(0)["errorType"] == "BrokenPipeError"


def test_logging(serve):
    sandbox = serve("""
        import logging
        log = logging.getLogger()
        logging.getLogger("early").error("module level")
        def f(event, context):
            if event: log.setLevel(event)
            log.info("quiet")
            log.warning("number %d", 7)
        """)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    sandbox.call(None, request_id="id-1")
    assert re.fullmatch(rf"\[ERROR\]\t{stamp}\t\tmodule level\n\[WARNING\]\t{stamp}\tid-1\tnumber 7\n", sandbox.log())
    sandbox.call("INFO", request_id="id-2")
    assert re.fullmatch(rf"\[INFO\]\t{stamp}\tid-2\tquiet\n\[WARNING\]\t{stamp}\tid-2\tnumber 7\n", sandbox.log())


def test_forked_processes_share_no_random_state(bundle, group):
    root = bundle({"f.py": """
        import os, random, secrets, ssl, tempfile, uuid
        def f(event):
            return [random.random(), secrets.token_hex(8), str(uuid.uuid4()), ssl.RAND_bytes(8).hex(),
                    next(tempfile._get_candidate_names())]
        """})
    processes = group(root, "f.f", count=4)
    answers = [sandbox.ready().call(None) for sandbox in processes.sandboxes]
    for values in zip(*answers):
        assert len(set(values)) == len(answers)
    assert processes.statuses() == [0, 0, 0, 0]


def test_stdin_is_empty(serve):
    assert serve("import sys\ndef f(event): return sys.stdin.read()").call(0) == ""


def test_the_interpreter_is_debians(serve):
    version = serve("import sys\ndef f(event): return sys.version").call(0)
    assert version.startswith("3.11") and sys.version.split()[0] == version.split()[0]

"""Which handlers are found, and how they are called."""
import re
import time

import pytest

from sandbox import REQUEST_ID

PAIR = "['both', event, context.aws_request_id == '" + REQUEST_ID + "']"


@pytest.mark.parametrize("source, expected", [
    ("def f(event): return ['one', event]", "one"),
    (f"def f(event, context): return {PAIR}", "both"),
    (f"def f(event, context=None): return {PAIR}", "both"),
    (f"def f(event, context, more=1): return {PAIR}", "both"),
    ("def f(event, *, context=None): return ['one', event, context]", "one"),
    (f"def f(*args):\n  event, context = args\n  return {PAIR}", "both"),
    ("f = lambda event: ['one', event]", "one"),
    (f"class C:\n  def m(self, event, context): return {PAIR}\nf = C().m", "both"),
    ("class C:\n  def m(self, event): return ['one', event]\nf = C().m", "one"),
    (f"class C:\n  @classmethod\n  def m(cls, event, context): return {PAIR}\nf = C.m", "both"),
    ("class C:\n  @staticmethod\n  def m(event): return ['one', event]\nf = C.m", "one"),
    (f"class C:\n  def __call__(self, event, context): return {PAIR}\nf = C()", "both"),
    ("class C:\n  def __call__(self, event): return ['one', event]\nf = C()", "one"),
    ("class f(list):\n  def __init__(self, event): self += ['one', event]", "one"),
    ("import functools\ndef g(x, event): return [x, event]\nf = functools.partial(g, 'one')", "one"),
    (f"import functools\ndef g(x, event, context): return {PAIR}\nf = functools.partial(g, 1)", "both"),
    ("import functools\ndef d(g):\n  @functools.wraps(g)\n  def w(*a, **k): return g(*a, **k)\n  return w\n"
     "@d\ndef f(event): return ['one', event]", "one"),
    ("import functools\ndef d(g):\n  @functools.wraps(g)\n  def w(event, context): return g(event)\n  return w\n"
     "@d\ndef f(event): return ['both', event, True]", "both"),
    ("async def f(event): return ['one', event]", "one"),
    (f"import asyncio\nasync def f(event, context):\n  await asyncio.sleep(0)\n  return {PAIR}", "both"),
    ("def f(event):\n  async def g(): return ['one', event]\n  return g()", "one"),
])
def test_called_by_the_number_of_positional_parameters(serve, source, expected):
    sandbox = serve(source)
    for number in range(3):
        answer = sandbox.call(number)
        assert answer[:2] == [expected, number]
        if expected == "both":
            assert answer[2] is True


def test_builtin_handlers(bundle, group):
    root = bundle({"f.py": "from builtins import len, str as text\nimport operator\nsame = operator.eq"})
    assert group(root, "f.len").sandboxes[0].ready().call([1, 2]) == 2
    assert group(root, "f.same").sandboxes[0].ready().call(1) is False


def test_wrong_number_of_parameters_is_an_error_of_the_call(serve):
    document = serve("def f(): return 1").error(1)
    assert document["errorType"] == "TypeError"
    assert document["stackTrace"] == []


@pytest.mark.parametrize("handler", ["pkg.mod.fn", "pkg/mod.fn", "pkg.fn", "top.fn", "deep/er/mod.fn"])
def test_where_handlers_live(bundle, group, handler):
    source = "def fn(event): return __name__"
    root = bundle({"pkg/__init__.py": source, "pkg/mod.py": source, "top.py": source, "deep/er/mod.py": source})
    sandbox = group(root, handler).sandboxes[0].ready()
    assert sandbox.call(None) == handler.rpartition(".")[0].replace("/", ".")


@pytest.mark.parametrize("name", ["json", "logging", "random", "calendar", "queue", "types", "token", "traceback"])
def test_a_file_of_the_bundle_comes_before_the_standard_library(bundle, group, name):
    root = bundle({f"{name}.py": "def fn(event): return [event, 'mine']"})
    sandbox = group(root, f"{name}.fn").sandboxes[0].ready()
    assert sandbox.call({"a": 1}) == [{"a": 1}, "mine"]


def test_a_plain_folder_does_not_hide_the_standard_library(bundle, group):
    root = bundle({"f.py": "import logging\ndef f(event): return logging.getLogger().name", "logging/data.txt": ""})
    assert group(root, "f.f").sandboxes[0].ready().call(0) == "root"


@pytest.mark.parametrize("files, expected", [
    ({"f/__init__.py": "def f(event): return 'package'"}, "package"),
    ({"f/data.txt": ""}, "file"),
    ({"f.txt": "", "ff.py": "", "f_g.py": ""}, "file"),
])
def test_of_several_of_one_name_the_one_that_python_takes(bundle, group, files, expected):
    root = bundle({"f.py": "def f(event): return 'file'", **files})
    assert group(root, "f.f").sandboxes[0].ready().call(0) == expected


def test_a_handlers_module_is_as_python_makes_it(bundle, group):
    root = bundle({"f.py": """
import f as own, inspect, sys
def f(event):
    return [own is sys.modules["f"], __name__, __file__, __package__, __spec__.name, __spec__.origin,
            __spec__._initializing if hasattr(__spec__, "_initializing") else False, inspect.getsource(g)]
def g(): return 1
"""})
    path = f"{root}/f.py"
    assert group(root, "f.f").sandboxes[0].ready().call(0) == [
        True, "f", path, "", "f", path, False, "def g(): return 1\n"]


def test_a_handlers_module_is_as_importlib_makes_it(bundle, group):
    root = bundle({"f.py": """
import importlib.util, sys
def f(event):
    spec = importlib.util.spec_from_file_location("f", __file__)
    made = importlib.util.module_from_spec(spec)
    names = [name for name in vars(made) if name not in ("__spec__", "__loader__")]
    return [[name for name in names if name not in globals() or vars(made)[name] != globals()[name]],
            [name for name in ("name", "origin", "cached", "has_location", "parent", "submodule_search_locations")
             if getattr(spec, name) != getattr(__spec__, name)],
            __loader__ is __spec__.loader, __loader__.get_source("f") == open(__file__).read()]
"""})
    assert group(root, "f.f").sandboxes[0].ready().call(0) == [[], [], True, True]


def test_a_thread_that_imports_the_module_waits_until_it_is_there(bundle, group):
    root = bundle({"f.py": """
import threading, time
answers = []
def look():
    from f import late
    answers.append(late)
watcher = threading.Thread(target=look)
watcher.start()
time.sleep(0.1)  # or until the thread waits, which nobody tells
late = "there"
def f(event):
    watcher.join()
    return answers
"""})
    assert group(root, "f.f").sandboxes[0].ready().call(0) == ["there"]


def test_a_module_may_put_something_in_its_place(bundle, group):
    root = bundle({"f.py": """
import sys, types
other = types.SimpleNamespace(f=lambda event: ["another", sys.modules[__name__] is other])
sys.modules[__name__] = other
"""})
    assert group(root, "f.f").sandboxes[0].ready().call(0) == ["another", True]


@pytest.mark.parametrize("files, handler, kind, words", [
    ({}, "f.f", "Runtime.ImportModuleError", "Unable to import module 'f': No module named 'f'"),
    ({"f.py": "import nowhere"}, "f.f", "Runtime.ImportModuleError", "No module named 'nowhere'"),
    ({"f.py": "from os import nothing"}, "f.f", "Runtime.ImportModuleError", "cannot import name 'nothing'"),
    ({"f.py": "def g(e): pass"}, "f.f", "Runtime.HandlerNotFound", "Handler 'f' missing on module 'f'"),
    ({"f.py": "f = 3"}, "f.f", "Runtime.HandlerNotFound", "not callable"),
    ({"f.py": "def f(e:\n"}, "f.f", "Runtime.UserCodeSyntaxError", "Syntax error in module 'f'"),
    ({"f.py": "def f(e):\nreturn 1"}, "f.f", "Runtime.UserCodeSyntaxError", "f.py, line 2"),
    ({"f.py": "f = 1 / 0"}, "f.f", "ZeroDivisionError", "division by zero"),
    ({"f.py": "raise KeyboardInterrupt('x')"}, "f.f", "KeyboardInterrupt", "x"),
    ({"f.py": "def g(): g()\ng()"}, "f.f", "RecursionError", "maximum recursion depth exceeded"),
    ({"f.py": ""}, "f", "Runtime.MalformedHandlerName", "Bad handler 'f'"),
    ({"f.py": ""}, "", "Runtime.MalformedHandlerName", "Bad handler ''"),
    ({"f.py": ""}, "f.", "Runtime.MalformedHandlerName", "Bad handler 'f.'"),
    ({"f.py": ""}, ".f", "Runtime.MalformedHandlerName", "Bad handler '.f'"),
    ({"f.py": ""}, "../f.f", "Runtime.MalformedHandlerName", "Bad handler '../f.f'"),
    ({"f.py": "def __getattr__(name): raise OSError('hidden')"}, "f.f", "OSError", "hidden"),
])
def test_handlers_that_cannot_be_loaded(bundle, group, files, handler, kind, words):
    root = bundle({"other.txt": "", **files})
    processes = group(root, handler)
    document = processes.sandboxes[0].failed()
    assert document["errorType"] == kind
    assert words in document["errorMessage"]
    assert set(document) == {"errorMessage", "errorType", "requestId", "stackTrace"}
    assert f"[ERROR] {kind}: " in processes.log()
    assert processes.statuses() == [1]


def test_stack_trace_of_module_level_code(bundle, group):
    root = bundle({"f.py": "import g\ndef f(e): pass", "g.py": "def h():\n    raise ValueError('x')\n\nh()\n"})
    assert group(root, "f.f").sandboxes[0].failed()["stackTrace"] == [
        f'  File "{root}/f.py", line 1, in <module>\n    import g\n',
        f'  File "{root}/g.py", line 4, in <module>\n    h()\n',
        f'  File "{root}/g.py", line 2, in h\n    raise ValueError(\'x\')\n',
    ]


def test_exit_in_module_level_code_ends_the_process(bundle, group):
    processes = group(bundle({"f.py": "import sys\nsys.exit(7)"}), "f.f")
    assert processes.statuses() == [7]


def test_module_level_code_runs_once(serve):
    sandbox = serve("import itertools\ncounter = itertools.count(1)\nprint('loaded')\ndef f(e): return next(counter)")
    assert [sandbox.call(None) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert sandbox.log() == "loaded\n"


def test_context(serve):
    sandbox = serve("""
        def f(event, context):
            return [eval(expression, {"c": context}) for expression in event]
        """, memory_mb=256)
    deadline = int(time.time() * 1000) + 30_000
    names = ["c.aws_request_id", "c.function_name", "c.function_version", "c.memory_limit_in_mb",
             "c.invoked_function_arn", "c.log_group_name", "c.client_context", "c.identity.cognito_identity_id",
             "c.identity.cognito_identity_pool_id", "c.get_remaining_time_in_millis()"]
    *fields, remaining = sandbox.call(names, deadline_ms=deadline)
    assert fields == [REQUEST_ID, "tested", "$LATEST", "256", "arn:aws:lambda:local:000000000000:function:tested",
                      "/aws/lambda/tested", None, None, None]
    assert 0 < remaining <= 30_000
    assert sandbox.call(["c.get_remaining_time_in_millis()"], deadline_ms=5) == [0]
    first, second = sandbox.call(["c.log_stream_name"]), sandbox.call(["c.log_stream_name"])
    assert first == second and re.fullmatch(r"20\d\d/[01]\d/[0-3]\d/\[\$LATEST\][0-9a-f]{32}", first[0])
    assert sandbox.call(["c.aws_request_id"], request_id="other") == ["other"]
    assert sandbox.call(["c.log('written')"]) == [None]
    assert sandbox.log() == "written"
    assert REQUEST_ID in sandbox.call(["str(c)"])[0]
    assert sandbox.call(["setattr(c, 'note', 1)", "c.note"]) == [None, 1]


def test_client_context(serve):
    sandbox = serve("""
        def f(event, context):
            c = context.client_context
            return [c.client and [c.client.installation_id, c.client.app_title], c.custom, c.env]
        """)
    sent = '{"client": {"installation_id": "i", "app_title": "é"}, "custom": {"k": 1}, "env": {"locale": "de"}}'
    assert sandbox.call(0, client_context=sent) == [["i", "é"], {"k": 1}, {"locale": "de"}]
    assert sandbox.call(0, client_context="{}") == [None, None, None]
    for wrong in ("{", "[]", "3"):
        document = sandbox.error(0, client_context=wrong)
        assert document["errorType"] == "Runtime.LambdaContextUnmarshalError"
    assert sandbox.call(0, client_context="{}") == [None, None, None]


def test_async_handlers_share_one_loop(serve):
    sandbox = serve("""
        import asyncio
        seen = []
        async def later(n):
            await asyncio.sleep(0)
            seen.append(n)
        async def f(event):
            asyncio.ensure_future(later(event))
            if event == 'fail': raise LookupError('async')
            await asyncio.gather(later(-1), later(-2))
            return [id(asyncio.get_running_loop()), len(seen)]
        """)
    first, second = sandbox.call(1), sandbox.call(2)
    assert first[0] == second[0] and first[1] == 3 and second[1] == 6
    document = sandbox.error("fail")
    assert document["errorType"] == "LookupError"
    assert len(document["stackTrace"]) == 1 and ", in f\n" in document["stackTrace"][0]

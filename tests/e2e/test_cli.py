"""The `troupe` program as its users type it."""

import json
import subprocess

import pytest

from clients import curl, zip_of
from node import PROGRAM, command_environment

COMMANDS = [[], ["serve"], ["config"], ["config", "show"], ["deploy"], ["invoke"], ["ls"], ["show"], ["rm"], ["billing"],
            ["billing", "report"], ["billing", "records"], ["billing", "verify"], ["cluster"],
            ["cluster", "status"], ["cluster", "drain"], ["cluster", "certs"]]


@pytest.fixture
def bundle(tmp_path):
    """Writes a directory of files and answers its path."""
    def write(files):
        directory = tmp_path / "bundle"
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return directory
    return write


def succeeded(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def failed(result, *words):
    """A failure is one line on stderr that holds `words`, nothing on stdout, and an exit code that is not 0."""
    assert result.returncode != 0
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    return result


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command):
    result = subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, env=command_environment())
    assert result.returncode == 0
    assert "Usage" in result.stdout and result.stderr == ""


@pytest.mark.parametrize("arguments", [["nonsense"], ["deploy"], ["invoke"], ["ls", "--nonsense"],
                                       ["ls", "--format", "xml"], ["billing", "report", "--since", "yesterweek"]])
def test_a_command_line_that_makes_no_sense_is_refused(node, arguments):
    failed(node.run(*arguments))


def test_a_node_that_is_not_there_is_named(node):
    environment = command_environment(TROUPE_ENDPOINT="http://127.0.0.1:1")
    failed(subprocess.run([PROGRAM, "ls"], capture_output=True, text=True, env=environment), "127.0.0.1:1")


@pytest.mark.parametrize("module, function", [("f", "f"), ("lambda_function", "lambda_handler"),
                                              ("handler", "handler"), ("app", "handler")])
def test_deploy_finds_the_handler_and_says_which(node, bundle, module, function):
    directory = bundle({f"{module}.py": f"def {function}(event, context=None):\n    return '{module}'\n"})
    assert f"{module}.{function}" in succeeded(node.run("deploy", "found", directory))
    assert json.loads(succeeded(node.run("invoke", "found"))) == module


def test_deploy_takes_a_file_or_an_archive(node, tmp_path):
    (tmp_path / "single.py").write_text("def run(event):\n    return 'file'\n")
    succeeded(node.run("deploy", "single", tmp_path / "single.py", "--handler", "single.run"))
    assert json.loads(succeeded(node.run("invoke", "single"))) == "file"
    (tmp_path / "packed.zip").write_bytes(zip_of({"f.py": "def f(event):\n    return 'zip'\n"}))
    succeeded(node.run("deploy", "packed", tmp_path / "packed.zip"))
    assert json.loads(succeeded(node.run("invoke", "packed"))) == "zip"


def test_deploy_takes_a_file_whose_name_says_the_handler(node, tmp_path):
    (tmp_path / "f.py").write_text("def f(event):\n    return 'f.py'\n")
    succeeded(node.run("deploy", "plain", tmp_path / "f.py"))
    assert json.loads(succeeded(node.run("invoke", "plain"))) == "f.py"


def test_deploying_again_updates(node, bundle):
    succeeded(node.run("deploy", "again", bundle({"f.py": "def f(event):\n    return 1\n"}), "--memory", 256))
    succeeded(node.run("deploy", "again", bundle({"f.py": "def f(event):\n    return 2\n"}), "--timeout", 9))
    assert json.loads(succeeded(node.run("invoke", "again"))) == 2
    shown = json.loads(succeeded(node.run("show", "again", "--format", "json")))
    assert (shown["MemorySize"], shown["Timeout"]) == (256, 9)


def test_deploy_sets_memory_timeout_and_environment(node, bundle):
    directory = bundle({"f.py": "import os\ndef f(event):\n    return os.environ['A'] + os.environ['B']\n"})
    succeeded(node.run("deploy", "set", directory, "--memory", 192, "--timeout", 8, "--env", "A=1=2", "B=x y"))
    assert json.loads(succeeded(node.run("invoke", "set"))) == "1=2x y"
    shown = json.loads(succeeded(node.run("show", "set", "--format", "json")))
    assert (shown["MemorySize"], shown["Timeout"]) == (192, 8)
    assert shown["Environment"]["Variables"] == {"A": "1=2", "B": "x y"}
    table = succeeded(node.run("show", "set"))
    assert "192" in table and "f.f" in table


@pytest.mark.parametrize("name, files, options", [
    ("nohandler", {"g.py": "x = 1\n"}, []),
    ("bad name", {"f.py": "def f(e): pass\n"}, []),
    ("little", {"f.py": "def f(e): pass\n"}, ["--memory", "1"]),
    ("endless", {"f.py": "def f(e): pass\n"}, ["--timeout", "100000"]),
    ("env", {"f.py": "def f(e): pass\n"}, ["--env", "novalue"]),
    ("cobol", {"f.py": "def f(e): pass\n"}, ["--runtime", "cobol"]),
])
def test_a_deployment_that_cannot_work_is_refused(node, bundle, name, files, options):
    failed(node.run("deploy", name, bundle(files), *options))
    assert name not in succeeded(node.run("ls"))


def test_a_path_that_is_not_there_is_refused(node, tmp_path):
    failed(node.run("deploy", "nothing", tmp_path / "nowhere"), "nowhere")
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    failed(node.run("deploy", "nothing", tmp_path / "broken.zip", "--handler", "f.f"))


def test_invoke_takes_its_event_from_the_line_or_a_file(node, bundle, tmp_path):
    succeeded(node.run("deploy", "echo", bundle({"f.py": "def f(event):\n    return event\n"})))
    assert json.loads(succeeded(node.run("invoke", "echo"))) == {}
    assert json.loads(succeeded(node.run("invoke", "echo", "-d", '{"a": "ü"}'))) == {"a": "ü"}
    (tmp_path / "event.json").write_text("[1, 2]")
    assert json.loads(succeeded(node.run("invoke", "echo", "-f", tmp_path / "event.json"))) == [1, 2]
    failed(node.run("invoke", "echo", "-d", "{"))
    failed(node.run("invoke", "nobody"), "nobody")


def test_invoke_with_tail_shows_the_log_beside_the_result(node, bundle):
    succeeded(node.run("deploy", "talks", bundle({"f.py": "def f(event):\n    print('a word')\n    return 1\n"})))
    result = node.run("invoke", "talks", "--tail")
    assert json.loads(succeeded(result)) == 1
    assert "a word" in result.stderr


def test_a_failing_function_fails_the_command(node, bundle):
    succeeded(node.run("deploy", "boom", bundle({"f.py": "def f(event):\n    raise ValueError('no')\n"})))
    result = node.run("invoke", "boom")
    assert result.returncode != 0
    assert "ValueError" in result.stdout + result.stderr


def test_ls_show_and_rm(node, bundle):
    succeeded(node.run("deploy", "listed", bundle({"f.py": "def f(event):\n    return 1\n"})))
    assert "listed" in succeeded(node.run("ls"))
    rows = json.loads(succeeded(node.run("ls", "--format", "json")))
    assert isinstance(rows, list) and "listed" in [row["FunctionName"] for row in rows]
    succeeded(node.run("rm", "listed"))
    assert "listed" not in succeeded(node.run("ls"))
    failed(node.run("rm", "listed"), "listed")
    failed(node.run("show", "listed"), "listed")
    assert curl(node, "/run/listed").status == 404


def test_config_show_says_where_each_value_comes_from(node, tmp_path):
    (tmp_path / "n.conf").write_text("[http]\nport = 4000\n[log]\nlevel = \"warn\"\n")
    result = subprocess.run(
        [PROGRAM, "config", "show", "--format", "json", "--config", tmp_path / "n.conf", "--log.level", "error"],
        capture_output=True, text=True, env=command_environment(TROUPE_NODE_NAME="n7"))
    rows = {row["name"]: row for row in json.loads(succeeded(result))}
    told = {name: (rows[name]["value"], rows[name]["source"], rows[name].get("where", "")) for name in
            ("http.port", "log.level", "node.name", "http.address")}
    assert told == {
        "http.port": (4000, "file", f"{tmp_path}/n.conf:2"), "log.level": ("error", "command line", "--log.level"),
        "node.name": ("n7", "environment", "TROUPE_NODE_NAME"), "http.address": ("127.0.0.1", "default", "")}


@pytest.mark.parametrize("text, words", [
    ("[http]\nprot = 1\n", ("http.prot", "2")), ("[http]\nport = 70000\n", ("http.port", "2")),
    ("[http\n", ("1",)), ("[worker]\nmemory = \"lots\"\n", ("worker.memory", "2"))])
def test_a_configuration_error_names_file_line_and_key(tmp_path, text, words):
    (tmp_path / "bad.conf").write_text(text)
    for command in (["config", "show"], ["serve"]):
        failed(subprocess.run([PROGRAM, *command, "--config", tmp_path / "bad.conf"], capture_output=True, text=True,
                              env=command_environment()), "bad.conf", *words)

"""What a curious handler finds: its own bundle, a private /tmp, and little else."""

import json
import os
import pathlib

import pytest

from clients import curl, deploy, invoke

# Each probe runs in a sandbox and answers with what it found; `attempt` tells an error by its name.
PRELUDE = """
import ctypes, os, socket, subprocess, sys

def attempt(action, *arguments):
    try:
        return action(*arguments)
    except BaseException as error:
        return type(error).__name__

def read(path):
    with open(path) as file:
        return file.read()

def write(path):
    with open(path, "w") as file:
        file.write("was here")
    return "written"
"""


@pytest.fixture
def probe(node):
    """Runs an expression in a fresh sandbox."""
    def run(expression, **configuration):
        configuration = {"MemorySize": 256, "Timeout": 20, **configuration}
        deploy(node, "probe", PRELUDE + f"\ndef f(event):\n    return {expression}\n", **configuration)
        result, answer = invoke(node, "probe")
        assert "FunctionError" not in answer, result
        return result
    return run


@pytest.mark.parametrize("path", ["/etc/shadow", "/root/.bashrc", "/var/log/dpkg.log", "/proc/1/environ/../../../etc/shadow",
                                  "/var/lib/dpkg/status", "/proc/kcore", "/dev/mem"])
def test_the_machines_files_are_not_to_be_read(probe, path):
    assert probe(f"attempt(read, {path!r})") in ("FileNotFoundError", "PermissionError", "NotADirectoryError")


def test_the_nodes_data_is_not_to_be_found(probe, node):
    assert probe(f"os.path.exists({str(node.data)!r})") is False


@pytest.mark.parametrize("path", ["/x", "/etc/x", "/usr/x", "/usr/lib/x", "/var/task/x", "/var/task/f.py", "/dev/x",
                                  "/proc/sys/kernel/hostname", "/sys/x", "/proc/self/oom_score_adj/../../../x"])
def test_nothing_is_to_be_written(probe, path):
    assert probe(f"attempt(write, {path!r})") in ("OSError", "PermissionError", "FileNotFoundError", "NotADirectoryError")


def test_tmp_is_writable_private_and_limited(node, probe):
    assert probe("write('/tmp/note') and sorted(os.listdir('/tmp'))") == ["note"]
    assert not os.path.exists("/tmp/note")
    assert probe("os.listdir('/tmp')") == []


def test_tmp_is_limited(node):
    deploy(node, "fill", """
        def f(event):
            written = 0
            with open("/tmp/big", "wb", buffering=0) as file:
                try:
                    while written < 1024:
                        written += file.write(bytes(1 << 20)) >> 20
                except OSError:
                    pass
            return written
        """, MemorySize=2048, Timeout=30)
    assert 0 < invoke(node, "fill")[0] <= 512


def test_only_its_own_processes_are_there(probe):
    processes = probe("[int(name) for name in os.listdir('/proc') if name.isdigit()]")
    assert os.getpid() not in processes and len(processes) <= 2
    assert probe("os.getpid()") <= 2


def test_other_processes_cannot_be_signalled(probe):
    assert probe(f"attempt(os.kill, {os.getpid()}, 0)") in ("ProcessLookupError", "PermissionError")


def test_there_is_no_way_out_of_the_network(node, probe):
    assert probe(f"attempt(lambda: socket.create_connection(('127.0.0.1', {node.port}), 2) and 'connected')") \
        in ("ConnectionRefusedError", "OSError", "TimeoutError")
    assert probe("attempt(lambda: socket.create_connection(('192.0.2.1', 80), 2) and 'connected')") \
        in ("OSError", "TimeoutError", "PermissionError")
    assert probe("[line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]]") == ["lo"]
    assert probe("attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and 'raw')") \
        in ("PermissionError", "OSError")


def test_it_has_no_capability_and_can_gain_none(probe):
    status = dict(line.split(":\t") for line in probe("read('/proc/self/status').splitlines()")
                  if line.startswith(("Cap", "NoNewPrivs", "Uid", "Gid", "Groups", "Seccomp:")) and ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status)
    assert status["NoNewPrivs"] == "1"
    assert set(status["Uid"].split()) != {"0"}
    assert probe("attempt(os.setuid, 0)") in ("PermissionError", "OSError")


def test_namespaces_are_its_own(probe):
    names = ("user", "mnt", "pid", "ipc", "uts", "net", "cgroup")
    inside = probe(f"[os.readlink('/proc/self/ns/' + name) for name in {names}]")
    outside = [os.readlink("/proc/self/ns/" + name) for name in names]
    assert [name for name, a, b in zip(names, inside, outside) if a == b] == []


@pytest.mark.parametrize("call", [
    "ctypes.CDLL(None, use_errno=True).mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "ctypes.CDLL(None, use_errno=True).umount2(b'/var/task', 2)",
    "ctypes.CDLL(None, use_errno=True).sethostname(b'x', 1)",
    "ctypes.CDLL(None, use_errno=True).unshare(0x20000)",
    "ctypes.CDLL(None, use_errno=True).pivot_root(b'/tmp', b'/tmp')",
    "ctypes.CDLL(None, use_errno=True).reboot(0)",
    "ctypes.CDLL(None, use_errno=True).chroot(b'/tmp')",
])
def test_what_only_root_may_do_fails(probe, call):
    assert probe(f"attempt(lambda: {call})") in (-1, "AttributeError")


def test_it_inherits_its_pipes_and_streams_and_nothing_else(probe):
    descriptors = probe("{name: attempt(os.readlink, '/proc/self/fd/' + name) for name in os.listdir('/proc/self/fd')}")
    kinds = sorted(target.split(":")[0] for target in descriptors.values())
    # Both streams are the log; the last one was the directory itself, which is closed again.
    assert kinds == ["/dev/null", "FileNotFoundError", "pipe", "pipe", "pipe", "pipe"], descriptors
    assert len({target for target in descriptors.values() if target.startswith("pipe:")}) == 3


def test_its_memory_and_processes_are_limited(node, probe):
    deploy(node, "bomb", PRELUDE + """
def f(event):
    children = 0
    try:
        for _ in range(2000):
            if os.fork() == 0:
                os.kill(os.getpid(), 19)
            children += 1
    except OSError:
        return children
    return children
""", MemorySize=2048, Timeout=20)
    assert invoke(node, "bomb")[0] < 1000
    assert curl(node, "/healthz").status == 200


def test_processes_that_outlive_their_invocation_die_with_the_sandbox(node):
    deploy(node, "daemon", PRELUDE + """
def f(event):
    return subprocess.Popen(["/usr/bin/python3", "-c", "import time; time.sleep(600)"], start_new_session=True).pid
""", MemorySize=256)
    assert invoke(node, "daemon")[0] > 0
    node_file_count = len(list(pathlib.Path(f"/proc/{node.pid}/fd").iterdir()))
    assert node_file_count < 500


def test_functions_cannot_see_each_other(node, probe):
    deploy(node, "secretive", "open('/tmp/secret', 'w').write('mine')\nSECRET = 'mine'\ndef f(event):\n    return 1\n",
           Environment={"Variables": {"SECRET": "mine"}})
    invoke(node, "secretive")
    found = probe("[os.path.exists('/tmp/secret'), 'SECRET' in os.environ, os.listdir('/var/task')]")
    assert found == [False, False, ["f.py"]]


def test_the_host_name_and_users_are_not_the_machines(probe):
    assert probe("os.uname().nodename") != os.uname().nodename
    assert json.dumps(probe("dict(os.environ)")).count(os.environ.get("HOSTNAME", "\0")) == 0

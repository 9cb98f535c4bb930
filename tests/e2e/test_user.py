"""A node that an ordinary user has started: with groups that were handed over, and without."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import ordinary_user
import traces
from clients import curl, deploy, invoke
from node import PROGRAM, wait_until

ordinary_user.skip_without(PROGRAM)

RELAXED = ("--worker.isolation", "relaxed")


@pytest.fixture
def user():
    someone = ordinary_user.User()
    yield someone
    someone.remove()


@pytest.fixture
def poor_user():
    """One to whom nobody has handed over anything."""
    someone = ordinary_user.User(delegated=False)
    yield someone
    someone.remove()


class Namespace:
    """In place of a user: root of a user namespace with ids from FIRST on. `inside` is run there first."""

    FIRST, COUNT = 100_000, 65_536

    def __init__(self, *inside):
        self.directory = ordinary_user.make_directory()
        os.chown(self.directory, self.FIRST, self.FIRST)
        self.inside = inside

    def command(self, command):
        # Who writes the maps has to be outside: a grandchild of the shell, which waits until the shell is inside.
        maps = f"0 {self.FIRST} {self.COUNT}"
        outside = (f"( (read there; echo '{maps}' > /proc/$$/uid_map; echo '{maps}' > /proc/$$/gid_map;"
                   f" echo > {self.directory}/mapped) < {self.directory}/entered &); ")
        inside = (f"echo > {self.directory}/entered; read done < {self.directory}/mapped;"
                  f" exec setpriv --reuid=0 --regid=0 --clear-groups \"$@\"")
        for name in ("entered", "mapped"):
            if not (self.directory / name).exists():
                os.mkfifo(self.directory / name)
                (self.directory / name).chmod(0o666)
        return ["sh", "-c", outside + 'exec unshare --user --mount --keep-caps sh -c "$@"', "sh", inside, "sh",
                *self.inside, *command]

    def groups_left(self):
        return []

    def remove(self):
        shutil.rmtree(self.directory)


def run_as(user, *command):
    return subprocess.run(user.command([str(word) for word in command]), capture_output=True, text=True, timeout=60,
                          check=False)


def user_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("\nUid:\t")[1].split()[0])


def doctor(user):
    """Its parts by name, and its exit code."""
    result = run_as(user, PROGRAM, "doctor", "--format", "json")
    return {part["part"]: part for part in json.loads(result.stdout)}, result.returncode


@pytest.fixture(params=["with groups", "without"])
def node(request, start_node):
    delegated = request.param == "with groups"
    yield start_node(*(() if delegated else RELAXED), user=ordinary_user.User(delegated=delegated))


def test_a_function_runs_and_is_billed(node):
    deploy(node, "greet", "def f(event):\n    return 'Hello, ' + event['name']\n")
    assert invoke(node, "greet", {"name": "Ada"})[0] == "Hello, Ada"
    wait_until(lambda: "greet" in node.run("billing", "records").stdout, "the record is there")
    assert node.run("billing", "verify").returncode == 0


def test_a_handler_that_takes_too_long_is_ended_with_all_its_processes(node):
    deploy(node, "slow", """
        import os, time
        def f(event):
            if os.fork() == 0:
                os.setsid()
            time.sleep(600)
        """, Timeout=1)
    assert "Sandbox.Timedout" in str(invoke(node, "slow")[0])
    wait_until(lambda: len([pid for pid in traces.descendants(node.pid)
                            if "sleep(600)" in traces.command_of(pid)]) == 0, "the processes have ended")


def test_processes_are_limited_without_a_group_too(node):
    deploy(node, "bomb", """
        import os, signal
        def f(event):
            children = []
            try:
                while len(children) < 2000:
                    children.append(os.fork())
                    if children[-1] == 0:
                        signal.pause()
            except OSError:
                pass
            for child in children:
                os.kill(child, signal.SIGKILL)
            return len(children)
        """, MemorySize=2048, Timeout=20)
    assert 16 < invoke(node, "bomb")[0] <= 256


def test_a_killed_node_leaves_nothing_that_runs_and_starts_again(node):
    deploy(node, "daemon", """
        import os, time
        def f(event):
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
            return os.getpid()
        """)
    invoke(node, "daemon")
    node.kill()  # and waits until no process is left
    node.start().wait_ready()
    assert invoke(node, "daemon")[0] > 0


def test_it_is_nobody_to_the_machine(node):
    deploy(node, "who", """
        import os
        def f(event):
            return {"ids": os.getresuid() + os.getresgid(), "capabilities":
                    [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")]}
        """)
    found = invoke(node, "who")[0]
    assert found == {"ids": [1000] * 6, "capabilities": ["0" * 16] * 5}
    assert {user_of(pid) for pid in traces.descendants(node.pid)} == {ordinary_user.UID}


def test_memory_is_limited_where_a_group_was_handed_over(start_node):
    node = start_node(user=ordinary_user.User())
    deploy(node, "greedy", "def f(event):\n    return len(bytearray(512 << 20))\n", MemorySize=128, Timeout=20)
    assert "Runtime.OutOfMemory" in str(invoke(node, "greedy")[0])
    assert curl(node, "/healthz").status == 200


def test_functions_with_a_way_out_are_refused(node):
    (node.directory / "out.py").write_text("def f(event):\n    return 1\n")
    assert node.run("deploy", "out", "out.py", "--network", "egress").returncode == 0
    answer = curl(node, "/run/out", data={})
    assert answer.status >= 500
    assert b"network egress needs a node that root has started" in answer.body


def test_a_sandbox_cannot_change_the_program_that_it_runs(start_node):
    """Whose file is the user's, and so the sandbox's."""
    user = ordinary_user.User()
    for name in ("troupe", "troupe-python3"):
        shutil.copy2(PROGRAM.parent / name, user.directory / name)
        os.chown(user.directory / name, ordinary_user.UID, ordinary_user.UID)
    node = start_node(user=user, program=user.directory / "troupe")
    deploy(node, "spoil", """
        import os
        def error_of(action, *arguments):
            try:
                action(*arguments)
            except OSError as error:
                return os.strerror(error.errno)
        def f(event):
            program = "/proc/self/exe"
            return [os.access(program, os.W_OK), os.stat(program).st_uid == os.getuid(),
                    error_of(os.chmod, program, 0), error_of(os.utime, program, (0, 0))]
        """)
    assert invoke(node, "spoil")[0] == [False, True, "Read-only file system", "Read-only file system"]


def test_without_groups_it_wants_to_be_told_so(poor_user):
    result = run_as(poor_user, PROGRAM, "serve", "--node.data-dir", poor_user.directory / "data", "--http.port", "1")
    assert result.returncode != 0
    assert "cgroup controllers are missing" in result.stderr and "troupe doctor" in result.stderr
    assert result.stderr.count("\n") == 1


def test_doctor_sees_what_was_handed_over(user):
    parts, code = doctor(user)
    assert code == 0
    assert parts["privileges"]["found"] == "root of a user namespace"
    for name in ("memory", "pids", "cpu", "freezer"):
        assert parts[f"cgroup {name}"]["state"] == "ok"
        assert any(str(group) in parts[f"cgroup {name}"]["found"] for group in user.delegation.groups)
    assert parts["network egress"]["state"] == "not there"
    assert parts["a sandbox"]["state"] == "ok"
    assert user.groups_left() == []


def test_doctor_says_how_to_get_what_is_missing(poor_user):
    parts, code = doctor(poor_user)
    assert code == 0
    for name in ("memory", "pids", "cpu", "freezer"):
        part = parts[f"cgroup {name}"]
        assert part["state"] == "relaxed only" and "not delegated" in part["found"]
        assert "Delegate=yes" in part["remedy"] or "chown" in part["remedy"]
    assert parts["a sandbox"]["state"] == "ok"
    table = run_as(poor_user, PROGRAM, "doctor").stdout
    assert [line.split("  ")[0] for line in table.splitlines()[1:]] == list(parts)


def test_doctor_names_the_setting_where_user_namespaces_are_off():
    """In a user namespace of the test in which there may be no other."""
    none = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --reuid=1 --regid=1 --clear-groups "$@"'
    parts, code = doctor(Namespace("sh", "-c", none, "sh"))
    assert code != 0
    assert parts["privileges"]["state"] == "missing"
    assert "make a user namespace" in parts["privileges"]["found"]
    assert parts["namespaces"]["remedy"] == "sysctl -w user.max_user_namespaces=10000"
    assert parts["a sandbox"]["found"] == "not tried"


def test_with_enough_ids_each_sandbox_has_its_own(start_node):
    """In a user namespace that somebody else has made, as a container of an ordinary user is."""
    parts, code = doctor(Namespace())
    assert code == 0
    assert parts["user ids"]["found"] == "one for each sandbox"
    node = start_node(*RELAXED, user=Namespace())
    for name in ("one", "two"):
        deploy(node, name, "def f(event):\n    return 1\n")
        assert invoke(node, name)[0] == 1
    users = {user_of(pid) for pid in traces.descendants(node.pid)}
    assert len(users) >= 3 and users <= set(range(Namespace.FIRST, Namespace.FIRST + Namespace.COUNT))


SLOW = """
import os, time
BORN = os.urandom(8).hex()
time.sleep(0.2)
def f(event):
    time.sleep(event)
    return [BORN, os.readlink("/proc/self/ns/net")]
"""


def copies(node, count):
    """Of sandboxes that run at one time, those that have been loaded together with another."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = {tuple(answer) for answer, _ in pool.map(lambda _: invoke(node, "slow", 0.3), range(count))}
    births = [born for born, _ in answers]
    return [born for born in births if births.count(born) > 1]


@pytest.mark.parametrize("who", ["with groups", "without", "with ids"])
def test_sandboxes_of_a_slow_function_are_copies(start_node, who):
    user = Namespace() if who == "with ids" else ordinary_user.User(delegated=who == "with groups")
    options = () if who == "with groups" else RELAXED
    node = start_node("--worker.template-after", "50ms", *options, user=user)
    deploy(node, "slow", SLOW, Timeout=20)
    invoke(node, "slow", 0)  # by which it is known to be slow
    wait_until(lambda: copies(node, 4), "a sandbox is a copy of another's process", 30)

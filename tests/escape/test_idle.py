"""What a handler leaves running: gone with its sandbox, and still while nobody pays for it."""

import pathlib
import subprocess

import pytest

from bed import deploy_bundle, hostile_bundle, run_plain
from clients import boto3_client, curl, invoke
from node import wait_until

MARK = "escape-daemon"


def marked():
    """The processes on the machine that have the daemon's name."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == MARK:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture
def deployed(world):
    """A function that deploys the hostile bundle under a name, and removes it again."""
    names = []

    def deploy(name, **configuration):
        deploy_bundle(world.node, name, hostile_bundle(), **configuration)
        names.append(name)
        return name

    yield deploy
    for name in names:
        curl(world.node, f"/2015-03-31/functions/{name}", "-X", "DELETE")
    wait_until(lambda: not marked(), "daemons have gone with their sandboxes")
    world.check_unharmed()


def start_daemon(world, deployed):
    invoke(world.node, deployed("daemon"), {"attack": "processes.daemon", "mark": MARK})
    return wait_until(marked, "the daemon runs")[0]


def test_a_daemon_ends_with_its_sandbox(world, deployed):
    daemon = start_daemon(world, deployed)
    boto3_client(world.node.endpoint).delete_function(FunctionName="daemon")
    wait_until(lambda: not pathlib.Path(f"/proc/{daemon}").exists(), "the daemon is gone")


def test_without_a_pid_namespace_of_its_own_it_stays():
    """The handler's process has ended, its daemon has not; what ends it is the end of a PID namespace."""
    assert run_plain("processes.daemon", mark=MARK)["left"] != []
    wait_until(lambda: not marked(), "the daemon has gone with its PID namespace")


def stands_still(pid):
    """Whether it uses no CPU time for a while that would be many ticks of a process that runs."""
    before = cpu_ticks(pid)
    subprocess.run(["/usr/bin/python3", "-c", "n = 0\nwhile n < 5_000_000: n += 1"], check=True)
    return cpu_ticks(pid) == before


def test_a_daemon_does_not_run_between_invocations(world, deployed):
    daemon = start_daemon(world, deployed)
    wait_until(lambda: stands_still(daemon), "the daemon stands still", 10)


def test_a_thread_does_not_run_between_invocations(world, deployed):
    """While another sandbox works for as long as a counter would need for thousands of steps."""
    name = deployed("thread")
    turns = lambda: invoke(world.node, name, {"attack": "processes.thread", "here": True})[0]["detail"]  # noqa: E731
    turns()
    for _ in range(100):
        world.check_unharmed()
    assert turns() < 100


def test_without_freezing_a_daemon_runs_on(start_module_node):
    node = start_module_node("--worker.freeze-after", "1h")
    deploy_bundle(node, "daemon", hostile_bundle())
    invoke(node, "daemon", {"attack": "processes.daemon", "mark": MARK})
    daemon = wait_until(marked, "the daemon runs")[0]
    assert not stands_still(daemon)

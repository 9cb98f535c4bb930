"""Functions that take long to load: their further sandboxes are copies of a template."""

import concurrent.futures
import contextlib
import pathlib
import re

import pytest

import traces

from clients import boto3_client, curl, deploy, invoke, metric
from node import wait_until

# Loading takes long enough for a template, and leaves a mark; a run lasts while others are asked for.
SLOW = """
import os, time
time.sleep(0.2)
MARK = os.urandom(8).hex()
def f(event):
    time.sleep(event.get("hold", 0))
    return {"mark": MARK, "pid": os.getpid(), "random": os.urandom(4).hex(), "more": more(event)}
def more(event):
    return None
"""


def start(start_node, *options):
    return start_node("--worker.template-after", "50ms", *options)


def burst(node, name, size, hold=2, **event):
    """The results of that many invocations at a time, each of which lasts longer than all of them take to start."""
    with concurrent.futures.ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda _: invoke(node, name, {"hold": hold, **event})[0], range(size)))


def test_further_sandboxes_are_copies(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW, Timeout=30)
    first = invoke(node, "slow", {})[0]
    results = burst(node, "slow", 8)
    marks = {result["mark"] for result in results}
    assert len(marks) == 2 and first["mark"] in marks  # the first sandbox's, and the template's
    assert len({result["random"] for result in results}) == 8
    assert metric(node, "troupe_templates") == 1
    assert metric(node, 'troupe_sandboxes{state="idle"}') == 8


def standing_still(node):
    """How many processes of the node a freezer of v1 has stopped."""
    count = 0
    for pid in traces.descendants(node.pid):
        with contextlib.suppress(OSError):
            groups = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
            group = re.search(r"^\d+:freezer:/(.+)$", groups, re.MULTILINE)
            state = pathlib.Path("/sys/fs/cgroup/freezer", group.group(1) if group else "", "freezer.state")
            count += group is not None and state.read_text().strip() == "FROZEN"
    return count


@pytest.mark.skipif(not pathlib.Path("/sys/fs/cgroup/freezer").exists(), reason="no freezer of cgroup v1 is mounted here")
def test_a_killed_node_takes_copies_along_that_stand_still(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW, Timeout=30)
    invoke(node, "slow", {})
    pids = {result["pid"] for result in burst(node, "slow", 3)}
    assert len(pids) > 1
    wait_until(lambda: standing_still(node) >= 3, "the copies stand still", 20)
    node.kill()  # waits until no process of it is left


def test_a_copy_s_start_is_short_and_billed_to_who_waited(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW, Timeout=30)
    invoke(node, "slow", {})
    burst(node, "slow", 4)
    records = curl(node, "/v1/invocations?function=slow&limit=100").json()["records"]
    cold = sorted(record["init_ns"] for record in records if record["init_ns"] > 0)
    assert len(cold) == 4
    assert cold[0] < 200_000_000 <= cold[-1]  # only the first one slept


def test_with_0s_every_sandbox_loads(start_node):
    node = start_node("--worker.template-after", "0s")
    deploy(node, "slow", SLOW, Timeout=30)
    invoke(node, "slow", {})
    assert len({result["mark"] for result in burst(node, "slow", 3)}) == 3
    assert metric(node, "troupe_templates") == 0


@pytest.mark.parametrize(("code", "reason"), [
    ("import threading\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "threads or processes"),
    ("import socket\nSOCKET = socket.socket()", "opened sockets"),
    ("FILE = open('/tmp/x', 'w')", "files open"),
], ids=["thread", "socket", "file"])
def test_what_cannot_be_copied_loads_again_and_the_log_says_why(start_node, code, reason):
    node = start(start_node)
    deploy(node, "slow", SLOW.replace("MARK =", code + "\nMARK ="), Timeout=30)
    invoke(node, "slow", {})
    assert len({result["mark"] for result in burst(node, "slow", 3)}) == 3
    assert re.search(rf"slow is loaded anew for each sandbox: .*{reason}", node.log_text())
    assert metric(node, "troupe_templates") == 0


def test_a_template_that_cannot_load_is_no_failure(start_node):
    """It loads once, and then no more."""
    node = start(start_node)
    deploy(node, "slow", "import os, time\ntime.sleep(0.2)\n"
                         "if 'snapshot_restore_py' in globals(): pass\n"
                         "from snapshot_restore_py import register_before_snapshot\n"
                         "@register_before_snapshot\n"
                         "def never(): raise RuntimeError('not this one')\n"
                         "def f(event):\n"
                         "    time.sleep(event['hold'])\n"
                         "    return os.urandom(4).hex()\n", Timeout=30)
    invoke(node, "slow", {"hold": 0})
    assert len(set(burst(node, "slow", 3))) == 3
    assert metric(node, "troupe_templates") == 0


def test_hooks_renew_what_a_copy_needs(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW.replace("def more(event):\n    return None", """
from snapshot_restore_py import register_after_restore, register_before_snapshot
SEEN = []
register_before_snapshot(SEEN.append, "before")
register_after_restore(SEEN.append, "after")
def more(event):
    return SEEN
"""), Timeout=30)
    assert invoke(node, "slow", {})[0]["more"] == []  # no copy: nothing was registered for it
    seen = [result["more"] for result in burst(node, "slow", 4)]
    assert seen.count(["before", "after"]) == 3


def test_a_hook_that_raises_fails_the_invocation_that_waited(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW + "\nimport snapshot_restore_py\n"
                                "@snapshot_restore_py.register_after_restore\n"
                                "def connect(): raise OSError('nobody there')\n", Timeout=30)
    invoke(node, "slow", {})
    failed = [result for result in burst(node, "slow", 2) if "errorType" in result]
    assert [result["errorType"] for result in failed] == ["Runtime.AfterRestoreError"]
    assert "nobody there" in failed[0]["errorMessage"]


def test_a_template_goes_with_the_last_sandbox(start_node):
    node = start(start_node, "--worker.idle-timeout", "500ms")
    deploy(node, "slow", SLOW, Timeout=30)
    invoke(node, "slow", {})
    burst(node, "slow", 3)
    assert metric(node, "troupe_templates") == 1
    wait_until(lambda: metric(node, "troupe_templates") == 0, "the template is gone", 30)
    wait_until(lambda: metric(node, "troupe_memory_used_bytes") == 0, "nothing is in memory", 30)


def test_a_new_version_has_its_own(start_node):
    node = start(start_node)
    deploy(node, "slow", SLOW, Timeout=30)
    invoke(node, "slow", {})
    before = {result["mark"] for result in burst(node, "slow", 3)}
    boto3_client(node.endpoint).update_function_configuration(FunctionName="slow", Description="x",
                                                              Environment={"Variables": {"A": "b"}})
    invoke(node, "slow", {})
    after = {result["mark"] for result in burst(node, "slow", 3)}
    assert len(after) == 2 and not before & after
    wait_until(lambda: metric(node, "troupe_templates") == 1, "the old one's template is gone")


def test_a_template_that_hangs_holds_up_nobody_else(start_node):
    """It is asked for a copy and does not answer: meanwhile others get their sandboxes."""
    node = start(start_node)
    deploy(node, "slow", SLOW + "os.register_at_fork(before=lambda: time.sleep(3600))\n", Timeout=30)
    for number in range(8):
        deploy(node, f"other-{number}", "def f(event): return event", Timeout=30)
    invoke(node, "slow", {})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hung = pool.submit(burst, node, "slow", 2)
        wait_until(lambda: metric(node, "troupe_templates") == 1, "there is a template")
        assert [invoke(node, f"other-{number}", number)[0] for number in range(8)] == list(range(8))
        assert not hung.done()
        assert all("mark" in result for result in hung.result())
    wait_until(lambda: "could not be copied: the template is lost: it does not answer" in node.log_text(),
               "it was given up", 30)

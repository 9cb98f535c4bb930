"""Nodes that go on purpose, under load: drained, and restarted one after another."""

import time

import pytest

from loads import Load
from node import wait_until

# As users have it, and so that answers wait for their records.
pytestmark = pytest.mark.parametrize(
    "cluster", [{"flush_interval": "100ms"}, {"flush_interval": "0ms"}], ids=["usual", "records-first"], indirect=True)

WORKERS = ["worker-1", "worker-2", "worker-3"]


def leave(cluster, node):
    """As an operator would: the node finishes, and its process ends by itself."""
    asked = next(other for other in cluster.balancers if other is not node)
    drained = asked.run("cluster", "drain", node.name)
    assert drained.returncode == 0, drained.stderr
    assert node.wait_end() == 0, node.log_text()
    node.check_nothing_left()


def check_all_answered(cluster, report):
    assert set(report.counts) == {200}
    asked = sorted(report.ids)
    wait_until(lambda: sorted(record["id"] for name in WORKERS for record in cluster.records(cluster.nodes[name])) == asked,
               "each request is in the books of one worker")


def test_no_request_fails_by_a_drain(cluster):
    with Load(cluster.store) as load:
        load.wait_more(200)
        began = time.monotonic()
        leave(cluster, cluster.nodes["worker-3"])
        print(f"drained and ended after {time.monotonic() - began:.2f} s")
        cluster.wait_agreed("store", "worker-1", "worker-2")
        load.wait_more(200)
        report = load.report()
    check_all_answered(cluster, report)


def restart_all(cluster, load, names):
    """One after another; nobody goes before all know the one before again."""
    for name in names:
        began = time.monotonic()
        leave(cluster, cluster.nodes[name])
        ended = time.monotonic()
        cluster.restart(cluster.nodes[name])
        print(f"{name}: gone after {ended - began:.2f} s, back {time.monotonic() - ended:.2f} s after its start")
        cluster.wait_agreed(*cluster.nodes)
        load.wait_more(100)
        for balancer in cluster.balancers:
            assert set(cluster.members_at(balancer)) == set(cluster.nodes)


def test_no_request_fails_by_a_rolling_restart_of_workers(cluster):
    front = cluster.start_balancer("front")
    cluster.wait_agreed(*cluster.nodes)
    with Load(cluster.store, front) as load:
        restart_all(cluster, load, WORKERS)
        report = load.report()
    check_all_answered(cluster, report)


def test_no_request_fails_by_a_rolling_restart_of_all(cluster):
    front = cluster.start_balancer("front")
    cluster.wait_agreed(*cluster.nodes)
    with Load(cluster.store, front, elsewhere=True) as load:
        restart_all(cluster, load, [*WORKERS, "front", "store"])
        report = load.report()
    assert report.moved
    check_all_answered(cluster, report)

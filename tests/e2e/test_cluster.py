"""Nodes that meet by their configuration: a node that serves HTTP and keeps the functions, and workers."""

import concurrent.futures
import signal

import pytest

from clients import curl, deploy, reason_of
from clusters import Cluster, ask, ask_many
from node import wait_until

ECHO = "def f(event):\n    return event\n"
SLOW = "import time\ndef f(event):\n    time.sleep(event)\n    return event\n"


@pytest.fixture
def cluster(start_node):
    return Cluster(start_node)


def test_workers_join_and_run_what_the_store_keeps(cluster):
    deploy(cluster.store, "echo", ECHO)
    answer = ask(cluster.store, "echo", 1)
    assert answer.status == 503 and "no worker" in reason_of(answer)
    assert curl(cluster.store, "/readyz").status == 503
    first = cluster.start_worker("worker-1")
    cluster.start_worker("worker-2")
    assert {answer.body for answer in ask_many(cluster.store, "echo", [7] * 20)} == {b"7"}
    assert curl(cluster.store, "/readyz").status == 200
    # A bundle comes to a worker once, and what is changed is changed everywhere.
    deploy(cluster.store, "later", SLOW)
    answers = ask_many(cluster.store, "later", [0.2] * 16, at_once=16)
    assert [answer.status for answer in answers] == [200] * 16
    busy = [row for row in cluster.members().values() if sum(row["sandboxes"].values())]
    assert len(busy) == 2, "all ran on one worker"
    assert first.process.poll() is None


def test_a_killed_worker_takes_with_it_what_ran_there_and_nothing_else(cluster):
    deploy(cluster.store, "slow", SLOW)
    victim = cluster.start_worker("worker-1")
    cluster.start_worker("worker-2")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(ask, cluster.store, "slow", 2) for _ in range(8)]
        wait_until(lambda: all(row["sandboxes"]["busy"] for name, row in cluster.members().items() if name != "store"),
                   "both run something", 20)
        victim.kill()
        answers = [future.result() for future in running]
    lost = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in lost} == {502} and 0 < len(lost) < 8
    assert "gone" in reason_of(lost[0])
    cluster.wait_gone("worker-1")
    assert ask(cluster.store, "slow", 0).status == 200
    # Another start of the node of that name is welcome.
    cluster.start_worker("worker-1")
    assert cluster.members()["worker-1"]["id"] != cluster.members()["worker-2"]["id"]


def deploy_with(node, name, *options):
    """Deploys SLOW by the program, whose options boto3 does not know."""
    source = node.directory / "slow.py"
    source.write_text(SLOW)
    deployed = node.run("deploy", name, source, "--timeout", 30, *options)
    assert deployed.returncode == 0, deployed.stderr


def test_what_may_run_twice_or_only_waits_outlives_its_node(cluster):
    # One at a time: all but one wait on each worker.
    deploy_with(cluster.store, "single", "--max-concurrency", "1")
    deploy_with(cluster.store, "twice", "--idempotent")
    deploy_with(cluster.store, "slow")
    workers = {name: cluster.start_worker(name) for name in ("worker-1", "worker-2")}

    def one_with_much():
        """A worker where something waits, and more runs than the one that others wait for."""
        rows = cluster.members()
        return next((name for name in workers if rows[name]["waiting"] and rows[name]["sandboxes"]["busy"] > 2), None)

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(ask, cluster.store, "single", 2) for _ in range(6)]
        twice = [pool.submit(ask, cluster.store, "twice", 3) for _ in range(6)]
        keyed = [pool.submit(curl, cluster.store, "/run/slow", "-H", f"Idempotency-Key: {n}", data=3) for n in range(6)]
        workers[wait_until(one_with_much, "a worker has much to do", 20)].kill()
        assert [future.result().status for future in twice + keyed] == [200] * 12
        lost = [future.result() for future in waiting if future.result().status != 200]
    assert len(lost) <= 1 and all(answer.status == 502 for answer in lost), "more than the one that ran was lost"
    if lost:
        assert lost[0].headers["retry-after"]


def test_a_frozen_worker_is_taken_for_dead_and_comes_back(cluster):
    deploy(cluster.store, "echo", ECHO)
    cluster.start_worker("worker-1")
    frozen = cluster.start_worker("worker-2")
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        cluster.wait_gone("worker-2")
        assert {answer.status for answer in ask_many(cluster.store, "echo", [1] * 20)} == {200}
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    wait_until(lambda: cluster.state_of("worker-2") == "up", "the thawed worker is back", 20)
    assert {answer.status for answer in ask_many(cluster.store, "echo", [1] * 20)} == {200}


def test_the_store_comes_back_with_everything(cluster):
    deploy(cluster.store, "echo", ECHO)
    cluster.start_worker("worker-1")
    assert ask(cluster.store, "echo", 1).status == 200
    cluster.store.kill()
    cluster.store.start()
    wait_until(cluster.answers, "the store answers", 30)
    wait_until(lambda: cluster.state_of("worker-1") == "up", "its worker is found", 20)
    assert ask(cluster.store, "echo", 2).body == b"2"
    deploy(cluster.store, "later", SLOW)
    assert ask(cluster.store, "later", 0).status == 200


def test_a_second_node_of_a_name_is_turned_away(cluster):
    first = cluster.start_worker("worker-1")
    double = cluster.start("worker-1", "worker")
    wait_until(lambda: "there is a node worker-1 in the cluster already" in double.log_text() + cluster.store.log_text(),
               "the double is told", 20)
    assert cluster.state_of("worker-1") == "up" and first.process.poll() is None


def test_a_second_node_that_keeps_functions_is_turned_away(cluster):
    second = cluster.start("another", "handler-store, balancer")
    words = "store keeps the functions of this cluster, and another would, too"
    for node in (second, cluster.store):
        wait_until(lambda: words in node.log_text(), "both say why", 20)
        assert "take it out of another's node.roles" in node.log_text()
    assert set(cluster.members()) == {"store"}
    assert second.process.poll() is None


def test_a_node_of_another_cluster_is_turned_away(cluster):
    stranger = cluster.start("worker-1", "worker", "--cluster.name", "other")
    wait_until(lambda: "cluster" in cluster.store.log_text() and "refused" in cluster.store.log_text(),
               "the stranger is refused", 20)
    assert "worker-1" not in cluster.members()
    wait_until(lambda: "no link with" in stranger.log_text(), "the stranger hears why", 20)
    assert stranger.process.poll() is None


def test_without_the_store_what_is_known_goes_on(cluster):
    front = cluster.start("front", "balancer, worker")
    front.wait_ready()
    deploy(cluster.store, "echo", ECHO)
    wait_until(lambda: ask(front, "echo", 1).status == 200, "the function is known there", 20)
    cluster.store.kill()
    wait_until(lambda: len(curl(front, "/v1/cluster").json()["members"]) == 1, "the store is gone", 10)
    assert ask(front, "echo", 2).body == b"2"
    refused = front.run("deploy", "another", "--handler", "f.f", str(front.directory / "none"))
    assert refused.returncode != 0
    answer = curl(front, "/2015-03-31/functions")
    assert answer.status == 503 and "keeps the functions" in reason_of(answer)


def test_drain_needs_a_node_that_is_there(cluster):
    missing = cluster.store.run("cluster", "drain", "nobody")
    assert missing.returncode == 2 and "there is no node of the name nobody" in missing.stderr


def test_a_node_on_its_own_says_so(start_node):
    node = start_node()
    assert "on its own" in node.run("cluster", "status").stdout
    refused = node.run("cluster", "drain", "n1")
    assert refused.returncode == 2 and "on its own" in refused.stderr


@pytest.mark.parametrize("options, words", [
    (("--cluster.seeds", "127.0.0.1:7400"), "cluster.seeds needs cluster.port"),
    (("--node.roles", "worker"), "node.roles needs cluster.port"),
    (("--cluster.port", "7400", "--cluster.address", "0.0.0.0"), "cluster.insecure = true"),
])
def test_settings_that_do_not_fit_are_one_clear_line(start_node, options, words):
    node = start_node(*options, wait=False)
    assert node.wait_end() == 2
    assert words in node.log_text() and len(node.log_text().splitlines()) == 1

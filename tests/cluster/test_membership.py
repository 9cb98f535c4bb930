"""Nodes that come to a cluster, and what they get there."""

import os
import time

from loads import Load
from node import wait_until

BALLAST_BYTES = 4 << 20


def received_bytes(node):
    """Over the machine's network, since it is there."""
    return int(node.network.run("cat", "/proc/net/dev").partition("uplink:")[2].split()[0])


def test_workers_share_the_load_and_get_a_bundle_once(machines):
    cluster = machines()
    workers = []
    for number in (1, 2, 3):
        began = time.monotonic()
        workers.append(cluster.start_worker(f"worker-{number}"))
        cluster.wait_agreed("store", *(worker.name for worker in workers))
        print(f"{len(workers) + 1} nodes agree {time.monotonic() - began:.2f} s after the start of the last one")
    before = [received_bytes(worker) for worker in workers]
    cluster.deploy("work", ballast=os.urandom(BALLAST_BYTES))
    with Load(cluster.store) as load:
        load.wait_more(400)
        assert all(cluster.sandboxes_of(worker.name) for worker in workers)
        report = load.report()
    assert set(report.counts) == {200}
    booked = [[record["id"] for record in cluster.records(worker)] for worker in workers]
    print("shared as", [len(ids) for ids in booked])
    assert all(booked), "one has run nothing"
    assert sorted(sum(booked, [])) == sorted(report.ids)
    for worker, start in zip(workers, before):
        assert 1 <= (received_bytes(worker) - start) / BALLAST_BYTES < 2, f"{worker.name} has the bundle not once"


def test_a_worker_that_joins_under_load_takes_its_share(machines):
    cluster = machines()
    cluster.start_worker("worker-1")
    cluster.deploy("work")
    with Load(cluster.store, rate=200) as load:
        load.wait_more(200)
        began = time.monotonic()
        second = cluster.start_worker("worker-2")
        cluster.wait_agreed("store", "worker-1", "worker-2")
        up = time.monotonic()
        wait_until(lambda: cluster.sandboxes_of("worker-2"), "the second worker has sandboxes", 20)
        print(f"up {up - began:.2f} s after its start, has sandboxes {time.monotonic() - up:.2f} s after that")
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) == {200}
    assert cluster.records(second)


def test_a_second_node_of_a_name_is_turned_away_and_nobody_notices(cluster):
    with Load(cluster.store) as load:
        first = cluster.nodes["worker-1"]
        identity = cluster.members()["worker-1"]["id"]
        double = cluster.start("worker-1", "worker")
        for node in (double, cluster.store):
            wait_until(lambda: "there is a node worker-1 in the cluster already" in node.log_text(),
                       "both sides say why the double is turned away", 20)
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) == {200}
    assert cluster.members()["worker-1"]["id"] == identity and cluster.known_to(first) == cluster.known_to(cluster.store)
    assert double.process.poll() is None and cluster.known_to(double) == {"worker-1"}

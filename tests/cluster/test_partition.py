"""Networks that do not carry everything, under load, and heal."""

import time

from clients import curl, reason_of
from loads import Load
from node import wait_until

ONE = ["store", "worker-1"]
OTHER = ["front", "worker-2"]


def test_two_sides_go_on_and_become_one_again(machines):
    cluster = machines()
    front = cluster.start_balancer("front")
    for name in ("worker-1", "worker-2"):
        cluster.start_worker(name)
    cluster.wait_agreed(*ONE, *OTHER)
    cluster.deploy("work")
    identities = {name: row["id"] for name, row in cluster.members().items()}
    with Load(cluster.store, rate=100) as one, Load(front, rate=100) as other:
        parted = time.monotonic()
        cluster.switch.part(*(cluster.nodes[name].network for name in OTHER))
        cluster.wait_agreed(*ONE, since=parted)
        print(f"two sides after {cluster.wait_agreed(*OTHER, since=parted):.2f} s")
        for load in (one, other):
            load.wait_more(200)
        answer = curl(front, "/2015-03-31/functions")
        assert answer.status == 503 and "keeps the functions" in reason_of(answer)
        healed = time.monotonic()
        cluster.switch.heal()
        print(f"one again after {cluster.wait_agreed(*ONE, *OTHER, since=healed):.2f} s")
        for load in (one, other):
            load.wait_more(200)
        reports = [one.report(), other.report()]
    for balancer in (cluster.store, front):
        rows = cluster.members_at(balancer)
        assert {name: row["id"] for name, row in rows.items()} == identities
        assert {row["state"] for row in rows.values()} == {"up"}
    for report in reports:
        assert set(report.counts) <= {200, 502}
        assert report.gap() < 3
        # All of them of the time until each side knew that it was alone.
        assert all(parted - 1 < row[1] < healed for row in report.bad)
    answered = reports[0].ids + reports[1].ids
    booked = [record["id"] for name in ("worker-1", "worker-2") for record in cluster.records(cluster.nodes[name])]
    assert len(booked) == len(set(booked)) and set(answered) <= set(booked)
    assert len(booked) - len(answered) <= sum(len(report.bad) for report in reports)
    # All is as if nothing had been: each balancer uses both workers.
    for balancer in (cluster.store, front):
        with Load(balancer) as load:
            load.wait_more(200)
            report = load.report()
        assert set(report.counts) == {200}
        ran = [{record["id"] for record in cluster.records(cluster.nodes[name])} for name in ("worker-1", "worker-2")]
        assert all(set(report.ids) & ids for ids in ran)


def test_a_worker_that_hears_and_is_not_heard_is_lost_on_both_sides(cluster):
    names = list(cluster.nodes)
    unheard = cluster.nodes["worker-3"]
    with Load(cluster.store) as load:
        began = time.monotonic()
        cluster.switch.silence(unheard.network)
        cluster.wait_agreed(*names[:-1], since=began)
        print(f"lost on both sides after {cluster.wait_agreed('worker-3', since=began):.2f} s")
        load.wait_more(200)
        healed = time.monotonic()
        cluster.switch.end_silence()
        print(f"one again after {cluster.wait_agreed(*names, since=healed):.2f} s")
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) <= {200, 502} and report.gap() < 3
    assert all(row[1] < healed for row in report.bad)


def test_workers_that_do_not_reach_each_other_fail_no_request(cluster):
    names = list(cluster.nodes)
    second, third = (cluster.nodes[name] for name in ("worker-2", "worker-3"))
    with Load(cluster.store) as load:
        cluster.switch.silence(second.network, third.network)
        cluster.switch.silence(third.network, second.network)
        wait_until(lambda: "worker-3" not in cluster.known_to(second) and "worker-2" not in cluster.known_to(third),
                   "the two have lost each other", 20)
        load.wait_more(400)
        assert cluster.known_to(cluster.store) == set(names)
        cluster.switch.end_silence()
        cluster.wait_agreed(*names)
        report = load.report()
    assert set(report.counts) == {200}

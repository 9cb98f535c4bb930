"""Balancers that are lost while another one serves."""

import signal

from loads import Load


def test_no_request_at_one_balancer_fails_by_the_death_of_the_other(cluster):
    # Of two balancers the first by name spawns workers.
    front = cluster.start_balancer("front")
    cluster.wait_agreed(*cluster.nodes)
    survivors = [name for name in cluster.nodes if name != "front"]
    with Load(cluster.store) as load:
        front.kill()
        cluster.balancers.remove(front)
        cluster.wait_agreed(*survivors)
        cluster.start_worker("worker-4")
        cluster.wait_agreed(*survivors, "worker-4")
        cluster.restart(front)
        cluster.wait_agreed(*cluster.nodes)
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) == {200}
    workers = [node for node in cluster.nodes.values() if node not in (cluster.store, front)]
    assert sorted(record["id"] for node in workers for record in cluster.records(node)) == sorted(report.ids)


def test_no_request_fails_while_the_node_that_keeps_the_functions_stands_still(cluster):
    front = cluster.start_balancer("front")
    cluster.wait_agreed(*cluster.nodes)
    others = [name for name in cluster.nodes if name != "store"]
    with Load(front) as load:
        cluster.store.process.send_signal(signal.SIGSTOP)
        try:
            print(f"taken for dead after {cluster.wait_agreed(*others):.2f} s")
            load.wait_more(200)
        finally:
            cluster.store.process.send_signal(signal.SIGCONT)
        print(f"back after {cluster.wait_agreed(*cluster.nodes):.2f} s")
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) == {200}

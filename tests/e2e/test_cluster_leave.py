"""Nodes that leave: asked by the cluster or by a signal, they finish what they have, and nobody notices."""

import contextlib
import http.client
import itertools
import json
import re
import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import Connection, curl, deploy
from clusters import Cluster, ask, ask_many
from node import wait_until

ECHO = "def f(event):\n    return event\n"
SLOW = "import time\ndef f(event):\n    time.sleep(event)\n    return event\n"


@pytest.fixture
def cluster(start_node):
    return Cluster(start_node)


def drain(asked, name):
    answer = asked.run("cluster", "drain", name)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def check_left(cluster, node, name):
    """It has ended well, and the other one knows that it was on purpose."""
    assert node.wait_end() == 0, node.log_text()
    wait_until(lambda: f"node {name} has left" in cluster.store.log_text(), "it has said goodbye", 10)
    assert f"node {name} is gone" not in cluster.store.log_text()


def test_a_drained_worker_finishes_and_leaves(cluster):
    deploy(cluster.store, "slow", SLOW)
    leaving = cluster.start_worker("worker-1")
    cluster.start_worker("worker-2")
    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(ask, cluster.store, "slow", 0.5) for _ in range(16)]
        wait_until(lambda: cluster.members()["worker-1"]["sandboxes"]["busy"], "something runs there", 20)
        assert "has left" in drain(cluster.store, "worker-1")
        assert "worker-1" not in cluster.members()
        assert {future.result().status for future in running} == {200}
    check_left(cluster, leaving, "worker-1")
    assert {answer.status for answer in ask_many(cluster.store, "slow", [0] * 10)} == {200}
    again = cluster.store.run("cluster", "drain", "worker-1")
    assert again.returncode == 2 and "there is no node of the name worker-1" in again.stderr


def test_a_signal_is_the_same(cluster):
    deploy(cluster.store, "slow", SLOW)
    leaving = cluster.start_worker("worker-1")
    cluster.start_worker("worker-2")
    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(ask, cluster.store, "slow", 0.5) for _ in range(16)]
        wait_until(lambda: cluster.members()["worker-1"]["sandboxes"]["busy"], "something runs there", 20)
        leaving.signal(signal.SIGTERM)
        assert {future.result().status for future in running} == {200}
    check_left(cluster, leaving, "worker-1")


def test_a_node_that_serves_http_answers_for_its_own_end(cluster):
    front = cluster.start("front", "balancer, worker")
    front.wait_ready()
    deploy(cluster.store, "slow", SLOW)
    with ThreadPoolExecutor(4) as pool, Connection(front) as kept:
        running = [pool.submit(ask, front, "slow", 1) for _ in range(3)]
        wait_until(lambda: curl(front, "/readyz").status == 200 and sum(
            row["sandboxes"]["busy"] for row in cluster.members().values()) == 3, "three run", 20)
        kept.post("/run/slow", b"0")
        assert "connection" not in kept.read_answer().headers
        leaving = pool.submit(drain, front, "front")
        wait_until(lambda: curl(front, "/readyz").status == 503, "it is not ready any more", 10)
        # It goes on with those who have not noticed, and has them look for another.
        kept.post("/run/slow", b"0")
        answer = kept.read_answer()
        assert answer.body == b"0" and answer.headers["connection"] == "close" and kept.is_closed()
        assert ask(front, "slow", 0).body == b"0"
        assert {future.result().status for future in running} == {200}
        assert "has left" in leaving.result()
    check_left(cluster, front, "front")


def test_a_node_that_is_lost_while_it_drains_is_told_as_that(cluster):
    deploy(cluster.store, "slow", SLOW, Timeout=60)
    victim = cluster.start_worker("worker-1")
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(ask, cluster.store, "slow", 30)
        wait_until(lambda: cluster.members()["worker-1"]["sandboxes"]["busy"], "it runs", 20)
        drained = pool.submit(cluster.store.run, "cluster", "drain", "worker-1")
        wait_until(lambda: cluster.state_of("worker-1") == "draining", "it drains", 10)
        victim.kill()
        assert drained.result().returncode != 0 and "node" in drained.result().stderr
        assert running.result().status == 502
    assert "node worker-1 is gone" in cluster.store.log_text()


def test_a_signal_shortens_a_drain_and_a_second_one_ends_it(cluster):
    deploy(cluster.store, "slow", SLOW, Timeout=600)
    leaving = cluster.start("worker-1", "worker", "--worker.drain-timeout", "15min")
    wait_until(lambda: cluster.state_of("worker-1") == "up", "it is up", 30)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(ask, cluster.store, "slow", 500)
        wait_until(lambda: cluster.members()["worker-1"]["sandboxes"]["busy"], "it runs", 20)
        drained = pool.submit(cluster.store.run, "cluster", "drain", "worker-1")
        wait_until(lambda: cluster.state_of("worker-1") == "draining", "it drains", 10)
        leaving.signal(signal.SIGTERM)
        leaving.signal(signal.SIGTERM)
        assert running.result().status >= 500
        assert drained.result().returncode == 0, drained.result().stderr
    check_left(cluster, leaving, "worker-1")


class Client:
    """Asks one event after the other on kept connections. It goes to the next address when a connection is refused,
    or was closed before it asked; whatever else goes wrong has failed."""

    def __init__(self, nodes):
        self.ports = itertools.cycle([node.port for node in nodes])
        self.connection = None
        self.answered = 0
        self.failures = []

    def connect(self):
        if self.connection and self.connection.sock and not select.select([self.connection.sock], [], [], 0)[0]:
            return
        for port in self.ports:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with contextlib.suppress(ConnectionRefusedError):
                self.connection.connect()
                return

    def ask(self, number):
        self.connect()
        try:
            self.connection.request("POST", "/run/echo", json.dumps(number))
            answer = self.connection.getresponse()
            body = answer.read()
            if answer.status != 200 or json.loads(body) != number:
                self.failures.append((self.connection.port, answer.status, body))
        except (OSError, http.client.HTTPException) as problem:
            self.failures.append((self.connection.port, repr(problem)))
            self.connection = None
        self.answered += 1

    def run(self, until):
        for number in itertools.count():
            if until.is_set():
                return self
            self.ask(number)


def test_a_rolling_restart_under_load_fails_nothing(cluster):
    """Every node in turn, under clients who never stop."""
    deploy(cluster.store, "echo", ECHO)
    nodes = {"store": cluster.store, "front": cluster.start("front", "balancer"),
             "worker-1": cluster.start_worker("worker-1"), "worker-2": cluster.start_worker("worker-2")}
    nodes["front"].wait_ready()
    wait_until(lambda: ask(nodes["front"], "echo", 1).status == 200, "the function is known there", 20)
    clients = [Client([nodes["store"], nodes["front"]]) for _ in range(8)]
    enough = threading.Event()

    def alive(node, names):
        with contextlib.suppress(Exception):
            rows = {row["name"]: row["state"] for row in curl(node, "/v1/cluster").json()["members"]}
            return all(rows.get(name) == "up" for name in names)
        return False

    with ThreadPoolExecutor(len(clients)) as pool:
        runs = [pool.submit(client.run, enough) for client in clients]
        try:
            for name, node in nodes.items():
                before = [client.answered for client in clients]
                node.stop()
                other = nodes["front" if name == "store" else "store"]
                wait_until(lambda: all(client.answered > count for client, count in zip(clients, before)),
                           "all clients are served meanwhile", 20)
                node.start()
                if name in ("store", "front"):
                    node.wait_ready()
                for asked in (nodes["store"], nodes["front"]):
                    wait_until(lambda: alive(asked, nodes), f"{name} is back\n{node.log_text()}", 30)
                assert other.process.poll() is None
        finally:
            enough.set()
        for run in runs:
            run.result()
    assert [client.failures for client in clients if client.failures] == []
    assert min(client.answered for client in clients) > 0
    for node in nodes.values():
        assert not re.search(r"node \S+ is gone", node.log_text())

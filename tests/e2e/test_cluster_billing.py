"""The books of a cluster: each node has a ledger of its own, and any node that serves HTTP reads them all."""

import concurrent.futures
import json
import signal
import subprocess

import pytest

from clients import curl, deploy
from clusters import Cluster, ask_many
from node import wait_until

ECHO = "def f(event):\n    return event\n"
SLOW = "import time\ndef f(event):\n    time.sleep(event)\n    return event\n"

INCOMPLETE = 5  # the exit code when the part of a node is missing
SECONDS_MAX = 15  # for an answer, whatever other nodes do


class Books(Cluster):
    """Two balancers, `store` and `front`, neither of which runs anything, and workers."""

    def __init__(self, start_node, workers, *front_options):
        super().__init__(start_node)
        self.front = self.start("front", "balancer", *front_options)
        self.balancers = [self.store, self.front]
        self.workers = {name: self.start_worker(name) for name in workers}
        wait_until(lambda: self.seen_by(self.front) >= {"store", "front", *workers}, "front knows all nodes", 30)
        # Two balancers are asked, so both have to know the functions.
        deploy(self.store, "echo", ECHO)
        deploy(self.store, "slow", SLOW)
        wait_until(lambda: curl(self.front, "/run/slow", data=0).status == 200, "front knows the functions", 30)
        self.count = {"slow": 1}

    @staticmethod
    def seen_by(node):
        try:
            rows = curl(node, "/v1/cluster").json()["members"]
        except subprocess.CalledProcessError:  # it does not listen yet
            return set()
        return {row["name"] for row in rows if row["state"] == "up"}

    def run_some(self, name, event, count, at_once):
        """So many invocations through both balancers; all have to be answered."""
        half = count // 2
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            both = pool.map(lambda one: ask_many(one[0], name, [event] * one[1], at_once),
                            zip(self.balancers, (half, count - half)))
        assert [answer.status for answers in both for answer in answers] == [200] * count
        self.count[name] = self.count.get(name, 0) + count

    def busy_all(self):
        """Runs so much at one time that every worker gets some."""
        for _ in range(10):
            self.run_some("slow", 0.2, 12 * len(self.workers), 6 * len(self.workers))
            if {record["node"] for record in page(self.store)["records"]} == set(self.workers):
                return
        raise AssertionError("a worker got nothing")


@pytest.fixture
def books(start_node):
    return Books(start_node, ["worker-1", "worker-2"])


def page(node, query=""):
    return curl(node, "/v1/invocations" + query, timeout=SECONDS_MAX).json()


def usage(node, query=""):
    return curl(node, "/v1/usage" + query, timeout=SECONDS_MAX).json()


def invocations(document, name=None):
    return sum(row["invocations"] for row in document["rows"] if name in (None, row["function"]))


def shares(document):
    """{node: the reason why its part is missing, or None}"""
    assert all(entry["answered"] is ("reason" not in entry) for entry in document["nodes"])
    return {entry["name"]: entry.get("reason") for entry in document["nodes"]}


def billing(node, *arguments, code=0):
    """(what was printed as JSON, stderr)"""
    result = node.run("billing", *arguments, "--format", "json", timeout=SECONDS_MAX)
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout), result.stderr


def test_the_books_of_a_cluster_are_exact_from_each_balancer(books):
    books.busy_all()
    books.run_some("echo", 7, 101, 8)
    whole = dict.fromkeys(["store", "front", *books.workers])
    total = sum(books.count.values())
    for node in books.balancers:
        document = usage(node)
        assert shares(document) == whole
        assert {name: invocations(document, name) for name in books.count} == books.count
        report, stderr = billing(node, "report")
        assert {row["function"]: row["invocations"] for row in report} == books.count and stderr == ""
        records, stderr = billing(node, "records")
        assert len(records) == len({record["id"] for record in records}) == total and stderr == ""
        assert [record["id"] for record in records] == sorted(record["id"] for record in records)
        assert sum(row["cost_pico"] for row in report) == sum(record["cost_pico"] for record in records)
        assert {record["node"] for record in records} == set(books.workers)
        verified, stderr = billing(node, "verify")
        assert verified["records"] == total and verified["faults"] == [] and stderr == ""
        # The balancers have run nothing.
        alone = usage(node, "?scope=node")
        assert alone["rows"] == [] and list(shares(alone).values()) == [None]
        assert billing(node, "records", "--this-node") == ([], "")
        assert "worker-1" in node.run("billing", "records").stdout
    assert page(books.store) == {**page(books.front), "nodes": page(books.store)["nodes"]}


def test_pages_over_three_nodes_give_each_record_once(start_node):
    books = Books(start_node, ["worker-1", "worker-2", "worker-3"])
    books.busy_all()
    total = sum(books.count.values())
    for node, limit in ((books.store, 1), (books.front, 7), (books.front, total - 1), (books.store, total)):
        records, after, pages = [], "", 0
        while True:
            document = page(node, f"?limit={limit}{after}")
            assert len(document["records"]) <= limit
            records += document["records"]
            pages += 1
            if "next" not in document:
                break
            assert document["next"] == records[-1]["id"] and len(document["records"]) == limit
            after = f"&after={document['next']}"
        assert pages == -(-total // limit)
        assert records == page(node)["records"] and len({record["id"] for record in records}) == total


def test_a_killed_node_is_named_and_the_rows_of_the_others_are_there(books):
    books.busy_all()
    mine = {name: sum(record["node"] == name for record in page(books.store)["records"]) for name in books.workers}
    total = sum(books.count.values())
    assert sum(mine.values()) == total and mine["worker-2"] > 0
    victim = books.workers["worker-2"]
    victim.kill()
    for node in books.balancers:
        document = usage(node)
        assert shares(document) == {"store": None, "front": None, "worker-1": None, "worker-2": "the node is gone"}
        assert invocations(document) == mine["worker-1"]
        for command in ("report", "records", "verify"):
            printed, stderr = billing(node, command, code=INCOMPLETE)
            assert "warning: node worker-2 has not answered (the node is gone)" in stderr and stderr.count("\n") == 1
            assert printed
        table = node.run("billing", "report", "--partial")
        assert table.returncode == 0 and "worker-2" in table.stderr and str(mine["worker-1"]) in table.stdout
    # What it has written is with it, and comes back with it.
    victim.start()
    wait_until(lambda: all("worker-2" in books.seen_by(node) for node in books.balancers), "the node is back", 30)
    for node in books.balancers:
        assert set(shares(usage(node)).values()) == {None}
        assert sum(row["invocations"] for row in billing(node, "report")[0]) == total


def test_a_frozen_node_is_named_before_it_is_taken_for_dead(start_node):
    books = Books(start_node, ["worker-1", "worker-2"], "--cluster.death-after", "1min")
    books.busy_all()
    frozen = books.workers["worker-2"]
    rest = sum(record["node"] == "worker-1" for record in page(books.front)["records"])
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            document = usage(books.front)
            assert shares(document)["worker-2"] == "no answer in time"
            assert invocations(document) == rest
        assert "worker-2" in {row["name"] for row in curl(books.front, "/v1/cluster").json()["members"]}
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    wait_until(lambda: shares(usage(books.front))["worker-2"] is None, "the thawed node answers", 20)
    assert invocations(usage(books.front)) == sum(books.count.values())


def test_what_a_balancer_without_a_worker_refuses_is_in_the_books(start_node, tmp_path):
    configuration = tmp_path / "troupe.conf"
    configuration.write_text("[tenant.hasty]\nrequests-per-second = 1\n")
    books = Books(start_node, ["worker-1"], "--config", configuration)
    hasty = ("--header", "X-Troupe-Tenant: hasty")
    created = books.store.run("deploy", "mine", str(write_handler(tmp_path)), "--tenant", "hasty")
    assert created.returncode == 0, created.stderr
    wait_until(lambda: curl(books.front, "/run/mine", *hasty, data=1).status == 200, "front knows it", 30)
    before = len(billing(books.store, "records", "--tenant", "hasty")[0])
    statuses = [curl(books.front, "/run/mine", *hasty, data=1).status for _ in range(20)]
    refused = statuses.count(429)
    assert refused > 0 and set(statuses) <= {200, 429}
    records = billing(books.store, "records", "--tenant", "hasty")[0]
    assert len(records) == before + 20
    throttled = [record for record in records if record["status"] == "throttled"]
    assert len(throttled) >= refused
    assert {(record["node"], record["cost_pico"]) for record in throttled} == {("front", 0)}


def write_handler(directory):
    (directory / "f.py").write_text(ECHO)
    return directory / "f.py"

"""Many invocations: each that the client counts is one record."""

import concurrent.futures
import json

from clients import Connection, deploy, invoke

INVOCATIONS = 10_000
CONNECTIONS = 8
IN_FLIGHT = 16


def drive(node, name, count):
    """Sends `count` events over a connection, up to IN_FLIGHT at a time; answers how many came back right."""
    right = 0
    with Connection(node, timeout=60) as connection:
        sent = 0
        for received in range(count):
            while sent < count and sent - received < IN_FLIGHT:
                connection.post(f"/run/{name}", b"%d" % sent)
                sent += 1
            answer = connection.read_answer()
            right += answer.status == 200 and answer.json() == received
    return right


def records_of(node, *options):
    """The records that the command lists."""
    result = node.run("billing", "records", "--format", "json", *options, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_ten_thousand_invocations_are_ten_thousand_records(start_node):
    node = start_node("--worker.sandboxes-max", 4)
    deploy(node, "echo", "def f(event):\n    return event\n")
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        share = INVOCATIONS // CONNECTIONS
        right = sum(pool.map(lambda _: drive(node, "echo", share), range(CONNECTIONS)))
    assert right == INVOCATIONS

    invoke(node, "echo", {})  # One more than a page holds.
    records = records_of(node)
    assert len(records) == len({record["id"] for record in records}) == INVOCATIONS + 1
    report = json.loads(node.run("billing", "report", "--format", "json").stdout)
    assert sum(row["invocations"] for row in report) == INVOCATIONS + 1
    assert node.run("billing", "verify").returncode == 0

    node.stop()
    assert len(records_of(node, "--db", node.data)) == INVOCATIONS + 1
    assert node.run("billing", "verify", "--db", node.data).returncode == 0


def test_a_burst_of_clients_is_served_or_refused_and_nothing_else(start_node):
    node = start_node("--worker.sandboxes-max", 2, "--worker.queue-limit", 8)
    deploy(node, "brief", "import time\ndef f(event):\n    time.sleep(0.01)\n    return 1\n")

    def burst(_):
        with Connection(node, timeout=60) as connection:
            statuses = []
            for _ in range(10):
                connection.post("/run/brief", b"{}")
                statuses.append(connection.read_answer().status)
            return statuses

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        statuses = [status for answers in pool.map(burst, range(40)) for status in answers]
    assert set(statuses) == {200, 429}
    records = records_of(node)
    assert len(records) == len(statuses)
    assert sum(record["status"] == "ok" for record in records) == statuses.count(200)

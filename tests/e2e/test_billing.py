"""Every invocation leaves one record, and the sums are those of the records."""

import concurrent.futures
import json
import time

import pytest

from clients import curl, deploy, invoke

STATUSES = {
    "ok": ("def f(event):\n    return 1\n", {}),
    "error": ("def f(event):\n    raise ValueError('no')\n", {}),
    "timeout": ("import time\ndef f(event):\n    time.sleep(9)\n", {"Timeout": 1}),
    "crash": ("import os\ndef f(event):\n    os._exit(1)\n", {}),
    "out_of_memory": ("def f(event):\n    return len(bytearray(400 * 1024 * 1024))\n", {}),
}


def billing(node, *arguments):
    result = node.run("billing", *arguments, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def total(rows, field):
    return sum(row[field] for row in rows)


@pytest.fixture(scope="module", autouse=True)
def functions(node):
    for name, (source, configuration) in STATUSES.items():
        deploy(node, f"status-{name}", source, **configuration)


@pytest.mark.parametrize("status", STATUSES)
def test_a_record_tells_how_an_invocation_ended(node, status):
    curl(node, f"/run/status-{status}", data={})
    records = billing(node, "records", "--function", f"status-{status}")
    assert [record["status"] for record in records] == [status]


def test_invocations_are_as_many_records_and_the_report_adds_them_up(node):
    deploy(node, "counted", "import time\ndef f(event):\n    time.sleep(event)\n    return 'x' * 100\n", MemorySize=256)
    for i in range(20):
        curl(node, "/run/counted", data=0.002)
    invoke(node, "counted", 0)
    records = billing(node, "records", "--function", "counted")
    assert len(records) == 21
    assert len({record["id"] for record in records}) == 21
    assert [record["start"] for record in records] == sorted(record["start"] for record in records)
    assert [record["trigger"] for record in records] == ["http"] * 20 + ["api"]
    assert [record["bytes_in"] for record in records] == [len("0.002")] * 20 + [len("0")]
    for record in records:
        assert (record["status"], record["memory_limit_mb"], record["version"]) == ("ok", 256, "$LATEST")
        assert record["billed_ms"] == max(1, -(-record["run_ns"] // 1_000_000))
        assert record["memory_peak_bytes"] > 0 and record["bytes_out"] == 102
    assert all(record["run_ns"] >= 2_000_000 for record in records[:20])
    assert [record["init_ns"] > 0 for record in records] == [True] + [False] * 20

    report = billing(node, "report", "--function", "counted")
    assert total(report, "invocations") == 21
    assert total(report, "billed_ms") == total(records, "billed_ms")
    assert total(report, "cost_pico") == total(records, "cost_pico")
    assert total(report, "cold_starts") == 1


def test_the_price_is_memory_times_time_and_a_request(node):
    record = billing(node, "records", "--function", "counted")[0]
    gb_ms = record["billed_ms"] * record["memory_limit_mb"]
    assert abs(record["cost_pico"] - (200_000 + gb_ms * 16_666_700 // 1024 // 1000)) <= 1


def test_verify_agrees(node):
    result = node.run("billing", "verify")
    assert result.returncode == 0, result.stderr


def test_a_database_can_be_read_while_its_node_runs(node):
    curl(node, "/run/status-ok", data={})
    live = billing(node, "records", "--function", "status-ok")
    deadline = time.monotonic() + 5
    while (stored := billing(node, "records", "--function", "status-ok", "--db", node.data)) != live:
        assert time.monotonic() < deadline, (stored, live)
    assert billing(node, "report", "--db", node.data) == billing(node, "report")
    assert node.run("billing", "verify", "--db", node.data).returncode == 0


def test_a_range_of_time_is_a_range_of_records(node):
    deploy(node, "ranged", "def f(event):\n    return 1\n")
    for _ in range(4):
        curl(node, "/run/ranged", data={})
    records = billing(node, "records", "--function", "ranged")
    middle = records[2]["start"]
    assert billing(node, "records", "--function", "ranged", "--since", middle) == records[2:]
    assert billing(node, "records", "--function", "ranged", "--until", middle) == records[:2]


def test_the_endpoints_behind_the_billing_command(node):
    records = curl(node, "/v1/invocations?function=counted&limit=8").json()
    assert len(records["records"]) == 8
    rest = curl(node, f"/v1/invocations?function=counted&after={records['next']}").json()
    assert len({record["id"] for record in records["records"] + rest["records"]}) == 21 and "next" not in rest
    usage = curl(node, "/v1/usage?function=counted").json()
    assert total(usage["rows"], "invocations") == 21
    assert curl(node, "/v1/usage/verify").json()["faults"] == []
    for query in ("since=nonsense", "limit=0", "limit=100000", "after=1", "nonsense=1"):
        assert curl(node, f"/v1/invocations?{query}").status == 400


def test_tables_are_for_people(node):
    for command in ("report", "records"):
        result = node.run("billing", command)
        assert result.returncode == 0
        assert "status-ok" in result.stdout and "counted" in result.stdout


def test_what_is_throttled_is_recorded_and_costs_nothing(start_node):
    node = start_node("--worker.sandboxes-max", 1, "--worker.queue-limit", 1)
    deploy(node, "slow", "import time\ndef f(event):\n    time.sleep(0.5)\n", Timeout=10)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        refused = [answer.status for answer in pool.map(lambda _: curl(node, "/run/slow", data={}), range(6))].count(429)
    records = billing(node, "records")
    throttled = [record for record in records if record["status"] == "throttled"]
    assert (len(records), len(throttled)) == (6, refused)
    assert {record["cost_pico"] for record in throttled} == {0}
    assert total(billing(node, "report"), "throttled") == refused


def test_records_survive_a_clean_stop_and_are_read_afterwards(start_node):
    node = start_node("--ledger.flush-interval", "10s")
    deploy(node, "last", "def f(event):\n    return 1\n")
    for _ in range(50):
        curl(node, "/run/last", data={})
    node.stop()
    assert len(billing(node, "records", "--db", node.data)) == 50
    assert total(billing(node, "report", "--db", node.data), "invocations") == 50
    verified = node.run("billing", "verify", "--db", node.data)
    assert verified.returncode == 0, verified.stderr


def test_a_database_that_is_not_there_is_one_line(node, tmp_path):
    result = node.run("billing", "report", "--db", tmp_path / "nothing")
    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "nothing").exists()

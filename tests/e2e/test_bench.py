"""The benchmarks and the soak run, tell what they found, and leave nothing behind. None of this asserts on speed."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree

import pytest

import traces
from node import PROGRAM, wait_until

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench"
SCHEME = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def start(tmp_path):
    """Starts a tool whose temporary files are the test's; afterwards there must be none."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    started = []

    def run(name, *options):
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            ["/usr/bin/python3", str(BENCH / name), "--program", str(PROGRAM), *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        traces.expected_children.add(process.pid)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        traces.expected_children.discard(process.pid)
    # A node that a tool has killed is followed by its processes, each once those before it have been reaped.
    wait_until(lambda: not traces.stray_children(), "no process is left", 20)
    assert list(temporary.iterdir()) == []


def finish(process):
    """The JSON that a tool writes, and what it tells people."""
    output, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    return json.loads(output), told


def module_of(name):
    """A tool, which has no .py, as a module."""
    sys.path.insert(0, str(BENCH))
    try:
        loader = importlib.machinery.SourceFileLoader(f"bench_{name}", str(BENCH / name))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture(autouse=True, scope="module")
def no_bytecode():
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield
    sys.dont_write_bytecode = before


def test_elasticity_counts_sandboxes_and_draws(start, tmp_path):
    picture = tmp_path / "picture.svg"
    document, told = finish(start("elasticity", "--seconds", 2, "--clients", 10, "--only", "troupe", "python",
                                  "--svg", picture))
    ours, processes = document["results"].values()
    assert ours["errors"] == processes["errors"] == 0
    assert 2 <= ours["separate_sandboxes"] <= ours["requests"]
    assert len(ours["first_s"]) == 10 and min(ours["first_s"]) >= 0.2
    assert ours["memory_mb"] > 1 and ours["cgroup_mb"] > 1
    assert [target["met"] for target in document["targets"] if target["name"] == "errors"] == [True]
    assert "throughput" in told
    drawing = xml.etree.ElementTree.parse(picture).getroot()
    assert len(drawing.findall(f"{SCHEME}polyline")) >= 6
    texts = {text.text for text in drawing.findall(f"{SCHEME}text")}
    assert {"Latency", "Throughput", "answers a second", "seconds", "troupe"} <= texts


def test_coldstart_measures_cold_starts_only(start):
    document, _ = finish(start("coldstart", "--rounds", 1, "--count", 3, "--bursts", 1, "--width", 4, "--further", 1,
                               "--seconds", 1, "--clients", 2))
    counts = {name: row["count"] for name, row in document["results"].items()}
    assert counts["one after another"] == 3 and counts["at a time"] == 4
    for kind in ("burns", "sleeps"):
        assert counts[f"import that {kind} 300 ms, first"] == 1
        # A machine that takes longer for a start than others are busy has no second one.
        assert counts[f"import that {kind} 300 ms, later"] <= 1
        assert document["results"][f"import that {kind} 300 ms, first"]["p50_ms"] >= 300
    churn = document["rounds"]["churn"][0]
    assert churn["sandboxes"] > 0 and churn["cpu_ms_a_start"]["sandboxes"] > 0


def test_cluster_counts_answers_and_books(start):
    document, told = finish(start("cluster", "--rounds", 1, "--requests", 20, "--only", "remote", "death", "join"))
    results = document["results"]
    assert results["remote"]["remote_ms"] > 0 and results["remote"]["remote_tls_ms"] > 0
    for row in results["death"].values():
        assert row["answered_well"] <= row["in_the_books"] <= sum(row["answers"].values())
        assert 0 < row["of_the_dead_node"] < row["of_the_nodes_left"]
    assert set(results["death"]["with_key"]["answers"]) == {"200"}
    assert set(results["join"]["answers"]) == {"200"} and results["join"]["first_run_after_s"] is not None
    assert "remote p50 above local" in told


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is of the group bench")
def test_density_finds_every_sandbox(start):
    document, _ = finish(start("density", "--count", 5, "--rounds", 1, "--seconds", 1, "--connections", 1))
    memory = document["memory_mib"]
    assert 0 < memory["private"]["min"] <= memory["private"]["max"] <= memory["resident (RSS)"]["max"]
    by_mapping = sum(row["private"] for row in document["mappings_mib"])
    # The mean of those that were looked at, at another moment than the whole.
    assert memory["private"]["min"] * 0.9 <= by_mapping <= memory["private"]["max"] * 1.1


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is of the group bench")
def test_fairness_measures_one_tenant_beside_another(start):
    document, told = finish(start("fairness", "--rounds", 1, "--seconds", 1, "--only", "spin"))
    assert list(document["results"]) == list(document["rounds"]) == ["spin", "healthz"]
    for flood, row in document["results"].items():
        (measured,) = document["rounds"][flood]
        assert measured["alone"]["requests"] > 0 and measured["beside"]["requests"] > 0
        assert row["flood_per_second"]["median"] == measured["flood_per_second"] > 0
        for which in ("alone", "beside"):
            assert 0 < row["p50_us"][which] <= row["p90_us"][which] <= row["p99_us"][which]
            assert row["p99_us"][which] == measured[which]["p99_us"]
        assert row["p99_us"]["ratio"]["median"] == row["p99_us"]["beside"] / row["p99_us"]["alone"]
    # No more of them than all cores have time for: each takes its 5 ms.
    rate = document["results"]["spin"]["flood_per_second"]["median"]
    assert rate <= 1.2 * document["machine"]["cores"] / document["spin_seconds"]
    assert [target["unit"] for target in document["targets"]] == ["times"]
    assert "A's requests/s" in told


def test_balance_simulates_every_policy(start):
    document, told = finish(start("balance", "--workers", 1, 20, "--calls", 5000, "--warm-up", 10_000,
                                  "--functions", 100))
    rows = {(row["workers"], row["policy"]): row for row in document["results"]}
    assert len(rows) == len(document["results"]) == 10
    for (workers, policy), row in rows.items():
        assert row["calls"] == 5000 and row["decisions_per_second"] > 0
        assert abs(row["warm"] + row["cold_avoidable"] + row["cold_unavoidable"] - 1) < 1e-5
        assert row["imbalance_of_work"] >= 1 and row["imbalance_at_a_time"] >= 1
        if workers == 1:  # There is nothing to choose.
            assert row["imbalance_of_work"] == 1 and row["warm"] == rows[1, "warm-first"]["warm"]
    # A property of the rules, the same on every machine: the same seed draws the same calls.
    assert rows[20, "warm-first"]["warm"] > rows[20, "random"]["warm"]
    assert rows[20, "least-loaded"]["imbalance_at_a_time"] < rows[20, "random"]["imbalance_at_a_time"]
    assert len(document["targets"]) == 3 and "20 workers" in told


def test_a_short_soak_finds_nothing_grown(start):
    document, told = finish(start("soak", "--minutes", 0.15, "--every", 1))
    assert document["good"] and document["faults"] == []
    asked = {name.split(":")[0] for name in document["outcomes"]}
    assert {"echo", "hog", "segfault", "fork-bomb", "redeploy", "hang-up"} <= asked
    assert len(document["samples"]) >= 5


def test_the_soak_says_what_has_grown():
    soak = module_of("soak")
    first = {field: 10 for field in (*soak.COUNTED, *soak.MEMORY)}

    def grown(**changed):
        return [row["field"] for row in soak.compared(first, {**first, **changed}) if row["grown"]]

    assert grown() == []
    for field in soak.COUNTED:
        assert grown(**{field: 11}) == [field]
        assert grown(**{field: 9}) == []
    assert grown(anonymous_mib=50) == []
    assert grown(anonymous_mib=70) == ["anonymous_mib"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_tool_that_is_interrupted_stops_its_node(start, number):
    process = start("elasticity", "--seconds", 60, "--clients", 5, "--only", "troupe")
    wait_until(lambda: module_of("soak").watching.sandboxes(process.pid), "a sandbox serves", 60)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.endswith("interrupted\n") and "Traceback" not in told

"""Health, readiness and metrics, as a load balancer and Prometheus ask for them."""

import re

from clients import curl, deploy, invoke

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')


def samples(node):
    """{(name, labels): value} of /metrics; fails on a line that Prometheus could not read."""
    answer = curl(node, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found = {}
    for line in answer.body.decode().splitlines():
        if line.startswith("#") or not line:
            assert re.match(r"^(# (HELP|TYPE) \S+ .+)?$", line), line
            continue
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match.groups()
        key = (name, tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))))
        assert key not in found, f"twice: {line}"
        found[key] = float(value)
    return found


def matching(found, name, **labels):
    return sum(value for (sample, pairs), value in found.items() if sample == name and labels.items() <= dict(pairs).items())


def test_health_and_readiness(node):
    assert curl(node, "/healthz").status == 200
    assert curl(node, "/readyz").status == 200
    assert curl(node, "/healthz", "-I").status == 200


def test_metrics_count_invocations_by_function_and_status(node):
    deploy(node, "measured", "def f(event):\n    return 1 / event\n")
    for event in (1, 2, 0):
        invoke(node, "measured", event)
    found = samples(node)
    assert matching(found, "troupe_invocations_total", function="measured", status="ok") == 2
    assert matching(found, "troupe_invocations_total", function="measured", status="error") == 1
    assert matching(found, "troupe_sandboxes", state="idle") >= 1
    assert 0 < matching(found, "troupe_memory_used_bytes") <= 128 * 1024 * 1024  # less once it stands still


def test_metrics_have_histograms_of_queue_init_and_run(node):
    deploy(node, "timed", "import time\ndef f(event):\n    time.sleep(0.02)\n")
    for _ in range(3):
        invoke(node, "timed")
    found = samples(node)
    for phase, count in (("queue", 3), ("init", 1), ("run", 3)):
        name = f"troupe_invocation_{phase}_seconds"
        assert matching(found, f"{name}_count", function="timed") == count
        assert matching(found, f"{name}_bucket", function="timed", le="+Inf") == count
        buckets = [(float(dict(pairs)["le"]), value) for (sample, pairs), value in found.items()
                   if sample == f"{name}_bucket" and dict(pairs).get("function") == "timed"]
        values = [value for _, value in sorted(buckets)]
        assert values == sorted(values)
    assert 0.06 <= matching(found, "troupe_invocation_run_seconds_sum", function="timed") < 3

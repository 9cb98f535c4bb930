"""What both benchmarks share: percentiles, CPU time, wrk, and how results are told."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = %s
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def percentile(values, percent):
    """The smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def machine():
    cpu = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(), re.M)
    system = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory.group(1)) // 1024,
        "kernel": platform.release(),
        "system": system.get("PRETTY_NAME", "").strip('"'),
    }


def tree(root):
    """{pid: the fields of /proc/pid/stat behind the name} of a process and all below it."""
    stats = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stats[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # It ended meanwhile.
    found, fresh = {}, [root]
    while fresh:
        found.update((pid, stats[pid]) for pid in fresh if pid in stats)
        fresh = [pid for pid, fields in stats.items() if int(fields[1]) in fresh]
    return found


def cpu_seconds(root):
    """User and system time of a process tree, with that of its children that have been waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in tree(root).values()) / TICKS_PER_SECOND


def wrk(url, body, connections, seconds):
    """One run of wrk: requests, throughput a second, and latencies in us."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT % json.dumps(body))
        script.flush()
        output = subprocess.run(
            ["wrk", "--threads", str(min(2, connections)), "--connections", str(connections), "--duration", f"{seconds}s",
             "--timeout", "10s", "--script", script.name, url],
            check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
    requests, duration_us, p50, p99, errors = map(int, re.search(r"^RESULT (.+)$", output, re.M).group(1).split())
    if errors:
        raise SystemExit(f"{errors} requests to {url} failed: what was measured is not what was meant")
    return {"requests": requests, "per_second": requests * 1e6 / duration_us, "p50_us": p50, "p99_us": p99}


def median_of(rows, field):
    return statistics.median(row[field] for row in rows)


def print_table(headings, rows):
    """A table on stderr; numbers are rounded to what can be told apart."""
    def text(value):
        return value if isinstance(value, str) else f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
    lines = [headings] + [[text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        first, *rest = (cell.ljust(width) if at == 0 else cell.rjust(width)
                        for at, (cell, width) in enumerate(zip(line, widths)))
        print("  ".join([first, *rest]), file=sys.stderr)


def write_json(result, path):
    text = json.dumps(result, indent=2) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        pathlib.Path(path).write_text(text)

"""How things are measured: percentiles and spread, process trees and their CPU time, wrk, the machine."""

import contextlib
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

WRK_SCRIPT = """
wrk.method = %s
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


def spread(values):
    """What rounds tell together: their median, and how far they lie apart."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def median_of(rows, field):
    return statistics.median(row[field] for row in rows)


def machine():
    cpu = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(), re.M)
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    system = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": cores(),
        "memory_mib": int(memory.group(1)) // 1024,
        "kernel": platform.release(),
        "system": system.get("PRETTY_NAME", "").strip('"'),
    }


def cores():
    return len(os.sched_getaffinity(0))


def tree(root):
    """{pid: the fields of /proc/pid/stat behind the name} of a process and all below it."""
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    stats[int(entry)] = file.read().rpartition(")")[2].split()
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


def machine_cpu_seconds():
    """What all processes and the kernel have used, by kind: {"user", "system", "idle"}; interrupts are the system's."""
    user, nice, system, idle, waiting, interrupts, soft = map(
        int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:8])
    return {"user": (user + nice) / TICKS_PER_SECOND, "system": (system + interrupts + soft) / TICKS_PER_SECOND,
            "idle": (idle + waiting) / TICKS_PER_SECOND}


class Wrk:
    """A run of wrk that goes on in a `with`, which ends it; without a body its requests are GETs."""

    def __init__(self, url, body, connections, seconds, headers=(), threads=2):
        self.url, self.body, self.seconds = url, body, seconds
        self.command = ["wrk", "--threads", str(min(threads, connections)), "--connections", str(connections),
                        "--duration", f"{seconds}s", "--timeout", "10s"]
        for header in headers:
            self.command += ["--header", header]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            script = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".lua"))
            script.write(WRK_SCRIPT % (('"GET"', "nil") if self.body is None else ('"POST"', json.dumps(self.body))))
            script.flush()
            self.process = subprocess.Popen([*self.command, "--script", script.name, self.url],
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.files = stack.pop_all()
        return self

    def under_way(self):
        return self.process.poll() is None

    def result(self):
        """Waits for its end: requests, throughput a second, and latencies in us."""
        output, told = self.process.communicate(timeout=self.seconds + 60)
        if self.process.returncode != 0:
            raise SystemExit(f"wrk failed for {self.url}: {told or output}")
        requests, duration_us, p50, p99, errors = map(int, re.search(r"^RESULT (.+)$", output, re.M).group(1).split())
        if errors:
            raise SystemExit(f"{errors} requests to {self.url} failed: what was measured is not what was meant")
        return {"requests": requests, "per_second": requests * 1e6 / duration_us, "p50_us": p50, "p99_us": p99}

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.files.close()


def wrk(url, body, connections, seconds):
    """One run of wrk from its beginning to its end."""
    with Wrk(url, body, connections, seconds) as run:
        return run.result()

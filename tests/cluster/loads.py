"""Load on balancers while a test does something else, and what became of every request."""

import collections
import json
import pathlib
import subprocess
import sys
import threading
import time

import traces
from node import command_environment, wait_until

SECONDS_MAX = 30
PROGRAM = pathlib.Path(__file__).with_name("load.py")


class Report:
    """What became of every request: (when asked, when answered, status or what went wrong, id, how often it moved, body
    unless it was the right one)."""

    def __init__(self, rows):
        self.rows = sorted(rows, key=lambda row: row[1])
        self.began = min(row[0] for row in rows)
        self.ended = self.rows[-1][1]

    @property
    def counts(self):
        """{status or what went wrong: how many}."""
        return dict(collections.Counter(row[2] for row in self.rows))

    @property
    def ids(self):
        """Of those answered with 200."""
        return [row[3] for row in self.rows if row[2] == 200]

    @property
    def moved(self):
        return sum(row[4] for row in self.rows)

    @property
    def bad(self):
        return [row for row in self.rows if row[2] != 200]

    def gap(self):
        """The longest time without a good answer, in seconds."""
        times = [self.began, *(row[1] for row in self.rows if row[2] == 200)]
        return max(after - before for before, after in zip(times, times[1:]))

    def longest(self):
        """How long the slowest request has waited, in seconds."""
        return max(row[1] - row[0] for row in self.rows)

    def rate(self, since, until):
        """Good answers a second between two times."""
        return sum(since <= row[1] < until for row in self.rows if row[2] == 200) / (until - since)

    def rates(self):
        """Good answers in each second."""
        return [round(self.rate(self.began + at, self.began + at + 1)) for at in range(int(self.ended - self.began))]

    def __str__(self):
        bad = "".join(f"\n  {row[0] - self.began:.2f} to {row[1] - self.began:.2f} s: {row[2]} {row[5]}" for row in self.bad[:10])
        return (f"{self.counts}, longest time without a good answer {self.gap():.2f} s, slowest {self.longest():.2f} s, "
                f"moved {self.moved}, good a second {self.rates()}{bad}")


class Load:
    """load.py for some nodes, in the networks in which those are."""

    def __init__(self, *nodes, function="work", rate=200, sleep=0.05, patience=15, elsewhere=False):
        settings = {"targets": [[node.network.namespace, node.port] for node in nodes], "path": f"/run/{function}",
                    "rate": rate, "seconds": SECONDS_MAX, "sleep": sleep, "patience": patience,
                    "elsewhere": elsewhere}
        self.process = subprocess.Popen([sys.executable, PROGRAM, json.dumps(settings)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=command_environment())
        traces.expected_children.add(self.process.pid)
        self.line = "0"
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def __enter__(self):
        """Under load from here on."""
        return self.wait_more(20)

    def __exit__(self, *_):
        self.end()

    def read(self):
        for line in self.process.stdout:
            self.line = line

    @property
    def good(self):
        return int(self.line)

    def wait_more(self, count, seconds=20):
        """Waits for so many more good answers than there are now."""
        before = self.good
        wait_until(lambda: self.process.poll() is not None or self.good >= before + count,
                   f"{count} more good answers", seconds)
        assert self.process.poll() is None, "the load has ended meanwhile"
        return self

    def wait_until(self, when):
        """Waits until this time of the monotonic clock has passed under load."""
        wait_until(lambda: time.monotonic() >= when, "time passes", SECONDS_MAX)
        assert self.process.poll() is None, "the load has ended meanwhile"

    def end(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.reader.join(2 * SECONDS_MAX)
        self.process.wait(10)
        traces.expected_children.discard(self.process.pid)

    def report(self):
        """Ends the load."""
        self.end()
        assert self.process.returncode == 0, "the load failed"
        report = Report(json.loads(self.line))
        print(report)
        return report

"""The soak's load: good and hostile functions, what each has to answer, and threads that never stop asking."""

import collections
import json
import random
import threading
import time

import load

Kind = collections.namedtuple("Kind", "name source expected options pause_s threads", defaults=({}, 0.2, 1))

# Each with what it may answer: "ok", or the error's type. 429 is always fine: it is counted, not held against anybody.
KINDS = [
    Kind("echo", "def f(event):\n    return event\n", {"ok"}, {}, 0.01, 2),
    Kind("sleeper", "import time\ndef f(event):\n    time.sleep(event)\n    return event\n", {"ok"}, {}, 0.02, 6),
    Kind("raiser", "def f(event):\n    raise ValueError(event)\n", {"ValueError"}),
    Kind("hog", "def f(event):\n    return len(bytearray(400 * 1024 * 1024))\n", {"Runtime.OutOfMemory"}, {}, 0.5),
    Kind("spinner", "def f(event):\n    while True:\n        pass\n", {"Sandbox.Timedout"}, {"timeout_s": 1}, 3),
    Kind("exits", "import os\ndef f(event):\n    os._exit(3)\n", {"Runtime.ExitError"}),
    Kind("segfault", "import ctypes\ndef f(event):\n    ctypes.string_at(0)\n", {"Runtime.ExitError"}),
    # As many processes as it gets. Every other time it ends with all of them below it.
    Kind("fork-bomb", "import os, signal\ndef f(event):\n    count = 0\n    try:\n        while True:\n"
         "            if os.fork() == 0:\n                while True:\n                    signal.pause()\n"
         "            count += 1\n"
         "    except OSError:\n        pass\n    if event > 0.15:\n        os._exit(1)\n    return count\n",
         {"ok", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"}, {"memory_mb": 256, "timeout_s": 5}, 1),
    Kind("log-flood", "def f(event):\n    for _ in range(4000):\n        print('x' * 1000)\n", {"ok"}, {}, 0.3),
    Kind("big-answer", "def f(event):\n    return 'x' * (5 * 1024 * 1024)\n", {"ok"}, {}, 0.3),
    Kind("too-big", "def f(event):\n    return 'x' * (8 * 1024 * 1024)\n", {"Function.ResponseSizeTooLarge"}, {}, 0.5),
    # Slow to load: their sandboxes are copies of a template, and those of the second end with every answer.
    Kind("copied", "import time\ntime.sleep(0.1)\ndef f(event):\n    time.sleep(event)\n    return event\n",
         {"ok"}, {}, 0.05, 4),
    Kind("copied-exits", "import os, time\ntime.sleep(0.1)\ndef f(event):\n    time.sleep(event)\n    os._exit(3)\n",
         {"Runtime.ExitError"}, {}, 0.2, 3),
    Kind("bad-import", "import nothing_of_that_name\n", {"Runtime.ImportModuleError"}, {}, 1),
]

CHANGING = "import time\ndef f(event):\n    time.sleep(event)\n    return %d\n"


def outcome_of(answer):
    """"ok", an error's type, or the status."""
    if answer.status == 200:
        return "ok"
    if answer.status == 429:
        return "429"
    try:
        return json.loads(answer.body)["errorType"]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status}"


class Load:
    """Threads that ask until they are told to stop. `outcomes` counts (function, outcome); `faults` are those that must
    not be."""

    def __init__(self, node, seed=1):
        self.node, self.seed, self.stopping = node, seed, threading.Event()
        self.lock, self.outcomes, self.faults = threading.Lock(), collections.Counter(), []

    def deploy(self):
        for kind in KINDS:
            self.node.create(kind.name, kind.source, **kind.options)

    def __enter__(self):
        self.stopping.clear()
        work = [(self.ask, kind) for kind in KINDS for _ in range(kind.threads)] + [(self.hang_up,), (self.redeploy,)]
        self.threads = [threading.Thread(target=self.guarded, args=(number, *one)) for number, one in enumerate(work)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def guarded(self, number, work, *arguments):
        chance = random.Random(self.seed * 1000 + number)
        while not self.stopping.is_set():
            try:
                work(chance, *arguments)
            except OSError as error:  # HTTP errors of deployments are among these.
                self.count(work.__name__, "failed", f"{work.__name__}: {error}")
                self.stopping.wait(1)

    def count(self, name, outcome, fault=None):
        with self.lock:
            self.outcomes[name, outcome] += 1
            if fault and len(self.faults) < 100:
                self.faults.append(fault)

    def ask(self, chance, kind):
        """One connection's life: some hundred requests."""
        connection = load.Connection(self.node.port)
        for _ in range(chance.randrange(1, 300)):
            if self.stopping.is_set():
                break
            answer = connection.ask(f"/run/{kind.name}", b"%.3f" % chance.uniform(0, 0.3))
            outcome = outcome_of(answer)
            right = outcome in kind.expected or outcome == "429"
            self.count(kind.name, outcome, None if right else f"{kind.name}: {outcome}: {answer.body[:200]!r}")
            self.stopping.wait(kind.pause_s * chance.uniform(0.5, 1.5))
        connection.close()

    def hang_up(self, chance):
        """A client that does not wait for its answer."""
        connection = load.Connection(self.node.port)
        connection.send(chance.choice(["/run/sleeper", "/run/big-answer"]), b"0.1")
        self.stopping.wait(chance.uniform(0, 0.1))
        connection.close()
        self.count("hang-up", "ok")

    def redeploy(self, chance):
        """A function is made, changed while it runs, and removed while it runs."""
        name = f"changing-{chance.randrange(10**9)}"
        self.node.create(name, CHANGING % 1)
        running, other = load.Connection(self.node.port), load.Connection(self.node.port)
        path = f"/run/{name}"
        running.send(path, b"0.2")
        time.sleep(0.05)  # The request is older than the change; whether it runs by then is left to chance.
        self.node.change(name, CHANGING % 2)
        answers = [other.ask(path, b"0")]
        running_answer = self.rest_of(running)
        running.send(path, b"0.2")
        time.sleep(0.05)
        self.node.remove(name)
        answers += [self.rest_of(running), other.ask(path, b"0")]
        seen = [outcome_of(running_answer), *map(outcome_of, answers)]
        right = [{"ok"}, {"ok"}, {"ok", "ResourceNotFoundException"}, {"ResourceNotFoundException"}]
        good = all(outcome in allowed | {"429"} for outcome, allowed in zip(seen, right))
        self.count("redeploy", "ok" if good else "wrong", None if good else f"redeploy: {seen}")
        running.close()
        other.close()

    @staticmethod
    def rest_of(connection):
        while (answer := connection.receive()) is None:
            pass
        return answer

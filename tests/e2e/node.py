"""A real node as a test sees it: started, asked, stopped, and looked behind."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import ordinary_user
import traces

PROGRAM = pathlib.Path(os.environ.get("TROUPE_PROGRAM", "build/release/troupe")).resolve()

# Bounds of waits on a condition. Sanitizers make a start slow.
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
POLL_SECONDS = 0.01


def wait_until(condition, what, seconds=10):
    """Waits until `condition()` is true and returns what it gave; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(POLL_SECONDS)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_environment(**variables):
    """The environment of the test without what would configure the program, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    return {**kept, **variables}


class Node:
    """`troupe serve` on a free port of 127.0.0.1, with a data directory of its own; root's, or an ordinary user's; in
    the test's network, or in another (networks.Network), whose 127.0.0.1 it is then."""

    def __init__(self, directory, *options, program=PROGRAM, user=None, network=None):
        self.program = program
        self.user = user
        self.network = network
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.options = options
        self.port = free_port()
        self.process = None
        self.cgroups = set()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def inside(self, *command):
        """The command that runs this one in the node's network."""
        return self.network.inside(*command) if self.network else list(map(str, command))

    def connect(self, timeout=2):
        """A connection to the node's HTTP port."""
        if self.network:
            return self.network.connect(self.port, timeout)
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def start(self):
        """Starts without waiting for anything."""
        command = [self.program, "serve", "--node.data-dir", self.data, "--http.port", self.port, *self.options]
        self.log = open(self.directory / "node.log", "ab")
        command = self.inside(*command)
        self.process = subprocess.Popen(
            self.user.command(command) if self.user else command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            cwd=self.directory, env=command_environment())
        traces.expected_children.add(self.process.pid)
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log_text()}"
        with contextlib.suppress(OSError):
            with self.connect() as peer:
                peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return peer.recv(64).startswith(b"HTTP/1.1 200")
        return False

    def wait_ready(self):
        wait_until(self.is_ready, f"the node is ready\n{self.log_text()}", READY_SECONDS_MAX)
        self.cgroups |= traces.cgroups_of(traces.descendants(self.pid)) - traces.cgroups_of([os.getpid()])
        return self

    def log_text(self):
        return (self.directory / "node.log").read_text(errors="replace")

    def run(self, *arguments, input=None, timeout=60):
        """Runs a command of the program against this node."""
        return traces.run_expected(
            self.inside(self.program, *arguments), input=input, timeout=timeout, cwd=self.directory,
            env=command_environment(TROUPE_ENDPOINT=self.endpoint))

    def signal(self, number):
        self.cgroups |= traces.cgroups_of(traces.descendants(self.pid)) - traces.cgroups_of([os.getpid()])
        self.process.send_signal(number)

    def wait_end(self):
        """Waits for the end of the process and answers its exit code."""
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the node did not stop within {STOP_SECONDS_MAX} s:\n{self.log_text()}") from None
        traces.expected_children.discard(self.process.pid)
        self.log.close()
        return code

    def stop(self):
        """Stops as an operator would, and checks that it went well and left nothing."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait_end()
        assert code == 0, f"the node ended with {code}:\n{self.log_text()}"
        self.check_nothing_left()

    def kill(self):
        """kill -9. Nothing may run on for long behind it."""
        self.signal(signal.SIGKILL)
        self.wait_end()
        wait_until(lambda: not traces.stray_children(), "the killed node's processes are gone", 10)

    def check_nothing_left(self):
        """No process, mount, cgroup or socket of a node that has stopped."""
        assert traces.stray_children() == {}
        assert traces.mounts_below(self.data) == []
        assert (self.user.groups_left() if self.user else traces.existing_cgroups(self.cgroups)) == []
        assert traces.sockets_below(self.data, self.network.keeper.pid if self.network else "self") == []
        with contextlib.suppress(OSError), self.connect():
            raise AssertionError("someone still listens on the node's port")


@contextlib.contextmanager
def running_nodes(directories):
    """Yields a function that starts a node; all that run at the end are stopped and checked.

    With NODES_OF_USER in the environment they are an ordinary user's, who has been handed over groups."""
    nodes = []

    def start(*options, wait=True, user=None, **how):
        if user is None and "NODES_OF_USER" in os.environ:
            ordinary_user.skip_without(PROGRAM)
            user = ordinary_user.User()
        directory = user.directory if user else directories.mktemp("node")
        node = Node(directory, *options, user=user, **how).start()
        nodes.append(node)
        return node.wait_ready() if wait else node

    yield start
    try:
        for node in nodes:
            if node.process.poll() is None:
                node.stop()
    finally:
        for node in nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()
            if node.user:
                node.user.remove()

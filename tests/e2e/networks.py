"""Networks of a test's own: namespaces, and a switch that joins them. Nothing of the machine's own network changes."""

import ctypes
import shutil
import socket
import subprocess
import threading

import pytest

import traces
from node import command_environment

CLONE_NEWNET = 0x40000000


def socket_of(namespace):
    """A TCP socket that belongs to a network namespace, whoever uses it: made by a thread that enters and ends."""
    made = []

    def make():
        with open(namespace, "rb") as entered:
            if ctypes.CDLL(None, use_errno=True).setns(entered.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
            made.append(socket.socket())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Network:
    """A network namespace that lives as long as a process that does nothing in it."""

    def __init__(self, http_port=8080):
        self.http_port = http_port  # of the node that the program's commands are for
        if shutil.which("ip") is None:
            pytest.skip("network namespaces cannot be set up here: there is no program ip")
        self.keeper = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; exec cat"], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        traces.expected_children.add(self.keeper.pid)
        if self.keeper.stdout.readline() != "ready\n":
            self.close()
            pytest.skip("network namespaces cannot be made here")
        self.run("ip", "link", "set", "lo", "up")

    @property
    def namespace(self):
        return f"/proc/{self.keeper.pid}/ns/net"

    def inside(self, *command):
        return ["nsenter", f"--net={self.namespace}", *map(str, command)]

    def run(self, *command):
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=60, check=False,
                              env=command_environment(TROUPE_ENDPOINT=f"http://127.0.0.1:{self.http_port}"))
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def connect(self, port, timeout):
        """A connection from inside to a port of its own loopback."""
        peer = socket_of(self.namespace)
        peer.settimeout(timeout)
        try:
            peer.connect(("127.0.0.1", port))
        except OSError:
            peer.close()
            raise
        return peer

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(10)
        self.keeper.stdout.close()
        traces.expected_children.discard(self.keeper.pid)


class Switch:
    """Machines, each a network of its own, on the ports of a switch: two bridges in one more network.

    All ports are on the first bridge; those on the second are parted from the others and joined with each other."""

    def __init__(self):
        self.network = Network()
        self.machines = []
        for bridge in ("br0", "br1"):
            try:
                self.network.run("ip", "link", "add", bridge, "type", "bridge")
            except AssertionError as problem:
                self.network.close()
                pytest.skip(f"no bridge can be made here: {problem}")
            self.network.run("ip", "link", "set", bridge, "up")

    def add(self):
        """A new machine on the switch."""
        machine = Network()
        self.machines.append(machine)
        number = len(self.machines)
        machine.address, machine.port = f"10.77.0.{number}", f"port{number}"
        self.network.run("ip", "link", "add", machine.port, "type", "veth", "peer", "name", "uplink", "netns",
                         machine.keeper.pid)
        self.network.run("ip", "link", "set", machine.port, "master", "br0", "up")
        machine.run("ip", "address", "add", f"{machine.address}/24", "dev", "uplink")
        machine.run("ip", "link", "set", "uplink", "up")
        return machine

    def part(self, *machines):
        """These reach each other only, and the others those only."""
        for machine in machines:
            self.network.run("ip", "link", "set", machine.port, "master", "br1")

    def heal(self):
        for machine in self.machines:
            self.network.run("ip", "link", "set", machine.port, "master", "br0")

    def pull_cable(self, machine):
        self.network.run("ip", "link", "set", machine.port, "down")

    def plug_cable(self, machine):
        self.network.run("ip", "link", "set", machine.port, "up")

    def silence(self, machine, towards=None):
        """Nothing that it sends gets to the others, or to that one."""
        where = ["oifname", towards.port] if towards else []
        self.network.run("nft", "add table bridge silence; "
                         "add chain bridge silence forward { type filter hook forward priority 0; }")
        self.network.run("nft", "add", "rule", "bridge", "silence", "forward", "iifname", machine.port, *where, "drop")

    def end_silence(self):
        self.network.run("nft", "delete", "table", "bridge", "silence")

    def slow_down(self, machine, mbit_per_second):
        """What it sends and what is sent to it."""
        limit = ["root", "tbf", "rate", f"{mbit_per_second}mbit", "burst", "64kb", "latency", "400ms"]
        try:
            self.network.run("tc", "qdisc", "add", "dev", machine.port, *limit)
            machine.run("tc", "qdisc", "add", "dev", "uplink", *limit)
        except AssertionError as problem:
            pytest.skip(f"no link can be slowed down here: {problem}")

    def close(self):
        for machine in self.machines:
            machine.close()
        self.network.close()

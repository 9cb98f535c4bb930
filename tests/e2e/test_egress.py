"""Functions with a way out and without, on a node in a network of the test's own: a machine and a small internet."""

import json
import subprocess
import sys

import pytest

from networks import Network
from node import PROGRAM, command_environment, wait_until

INTERNET = "203.0.113.10"
MACHINE = "203.0.113.1"
METADATA = "169.254.169.254"
PORT = 8080

HANDLER = '''
import socket

def f(event):
    def reach(host, port):
        try:
            with socket.create_connection((host, port), 3) as peer:
                return peer.recv(5).decode()
        except OSError as problem:
            return type(problem).__name__
    interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
    return {"interfaces": sorted(interfaces), "reached": [reach(*each) for each in event["hosts"]]}
'''

SERVER = '''
import socketserver, sys
class Greeter(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"hello")
socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer(("0.0.0.0", int(sys.argv[1])), Greeter)
print("ready", flush=True)
server.serve_forever()
'''


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The machine's network, with a node on its loopback and servers beyond its one link."""
    machine, internet = Network(http_port=PORT), Network()
    started = []
    try:
        machine.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "downlink", "netns",
                    internet.keeper.pid)
        machine.run("ip", "address", "add", f"{MACHINE}/24", "dev", "uplink")
        internet.run("ip", "address", "add", f"{INTERNET}/24", "dev", "downlink")
        internet.run("ip", "address", "add", f"{METADATA}/32", "dev", "downlink")
        machine.run("ip", "link", "set", "uplink", "up")
        internet.run("ip", "link", "set", "downlink", "up")
        machine.run("ip", "route", "add", METADATA, "dev", "uplink")
        for where, port in ((internet, 80), (machine, 81)):
            server = subprocess.Popen(where.inside(sys.executable, "-c", SERVER, port), stdout=subprocess.PIPE, text=True)
            started.append(server)
            assert server.stdout.readline() == "ready\n"
        directory = tmp_path_factory.mktemp("egress")
        log = open(directory / "node.log", "wb")
        node = subprocess.Popen(machine.inside(PROGRAM, "serve", "--node.data-dir", directory / "data", "--http.port",
                                               PORT), stdout=log, stderr=log, env=command_environment())
        started.append(node)
        wait_until(lambda: b"serves on" in (directory / "node.log").read_bytes(), "the node serves", 60)
        (directory / "f.py").write_text(HANDLER)
        for name, access in (("inside", "none"), ("outside", "egress")):
            machine.run(PROGRAM, "deploy", name, directory / "f.py", "--network", access, "--timeout", 30)
        yield machine
        node.terminate()
        assert node.wait(60) == 0, (directory / "node.log").read_text()
        assert "table" not in machine.run("nft", "list", "ruleset")
        assert [line for line in machine.run("ip", "-o", "link").splitlines() if ": tr" in line] == []
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        machine.close()
        internet.close()


def invoke(machine, function, *hosts):
    return json.loads(machine.run(PROGRAM, "invoke", function, "-d", json.dumps({"hosts": hosts})))


def test_a_function_with_egress_reaches_out(machine):
    answer = invoke(machine, "outside", (INTERNET, 80))
    assert answer == {"interfaces": ["eth0", "lo"], "reached": ["hello"]}


def test_nor_the_machine_nor_metadata_services(machine):
    gateway = "10.221.0.1"
    hosts = [(MACHINE, 81), (MACHINE, PORT), (gateway, PORT), (gateway, 81), ("127.0.0.1", PORT), (METADATA, 80)]
    answer = invoke(machine, "outside", *hosts)
    assert "hello" not in answer["reached"]
    assert set(answer["reached"]) <= {"ConnectionRefusedError", "PermissionError", "OSError", "TimeoutError"}


def test_a_function_without_reaches_nothing(machine):
    answer = invoke(machine, "inside", (INTERNET, 80), (MACHINE, 81), (METADATA, 80))
    assert answer == {"interfaces": ["lo"], "reached": ["OSError"] * 3}

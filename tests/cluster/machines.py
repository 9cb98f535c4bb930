"""A cluster whose nodes have a machine each: a network of its own, on one switch."""

import json
import re
import time

from clients import curl
from clusters import Cluster
from node import wait_until

CLUSTER_PORT = 7400
WORK = "import time\ndef f(event):\n    time.sleep(event['sleep'])\n    return event\n"


class Machines(Cluster):
    """The nodes of a cluster, each on a machine; the store is the one that all others ask. Without `options_of` they are
    without TLS."""

    def __init__(self, switch, start_node, flush_interval="0ms", **how):
        """By default every answer that a client has is in the books, whatever happens to the node afterwards."""
        self.flush_interval = flush_interval
        self.switch = switch
        self.nodes = {}
        self.balancers = []
        super().__init__(start_node, **how)
        self.balancers.append(self.store)

    def start(self, name, roles, *options, port=None):
        """Starts a node on a new machine."""
        machine = self.switch.add()
        if name != "store":
            options = ("--cluster.seeds", self.address_of("store"), *options)
        insecure = () if self.options_of(name) else ("--cluster.insecure", "true")
        node = self.start_node(
            "--node.name", name, "--node.roles", roles, "--cluster.address", machine.address, "--cluster.port",
            CLUSTER_PORT, "--worker.blank-sandboxes", 2, "--ledger.flush-interval", self.flush_interval, *insecure,
            *self.options_of(name), *options, wait=False, network=machine)
        node.name, node.log_skipped = name, 0
        self.nodes.setdefault(name, node)
        return node

    def address_of(self, name):
        return f"{self.nodes[name].network.address}:{CLUSTER_PORT}"

    def start_balancer(self, name):
        node = self.start(name, "balancer")
        wait_until(lambda: "serves on" in node.log_text(), f"{name} serves\n{node.log_text()}", 30)
        self.balancers.append(node)
        return node

    def deploy(self, name, source=WORK, ballast=b""):
        folder = self.store.directory / name
        folder.mkdir()
        (folder / "f.py").write_text(source)
        (folder / "ballast").write_bytes(ballast)
        done = self.store.run("deploy", name, folder, "--handler", "f.f")
        assert done.returncode == 0, done.stderr

    def members_at(self, node):
        """{name: row} as a balancer tells it."""
        return {row["name"]: row for row in curl(node, "/v1/cluster").json()["members"]}

    def known_to(self, node):
        """The names of the nodes that one has met and not lost since its start, itself among them, as its log tells."""
        known = {node.name}
        for name, what in re.findall(r"node (\S+) (has joined|is gone|has left)", node.log_text()[node.log_skipped:]):
            (known.add if what == "has joined" else known.discard)(name)
        return known

    def wait_agreed(self, *names, since=None, seconds=20):
        """Waits until the nodes of these names know those, and no others; answers how long that is since some time."""
        began = since or time.monotonic()
        wait_until(lambda: all(self.known_to(self.nodes[name]) == set(names) for name in names),
                   f"all agree that there are {names}", seconds)
        return time.monotonic() - began

    def wait_calm(self):
        """Waits until the burst of the start is over: nobody waits for a sandbox, and none is starting."""
        wait_until(lambda: not any(row["waiting"] or row["sandboxes"]["starting"] for row in self.members().values()),
                   "nobody waits for a sandbox", 20)

    def sandboxes_of(self, name):
        return sum(self.members()[name]["sandboxes"].values())

    def records(self, node):
        """What stands in a node's books, which may be running, or not any more."""
        done = node.run("billing", "records", "--db", node.data, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def wait_up(self, name):
        wait_until(lambda: self.state_of(name) == "up", f"{name} is up\n{self.nodes[name].log_text()}", 30)

    def restart(self, node):
        """Another start of a node on its machine, with its data."""
        node.log_skipped = len(node.log_text())
        node.start()
        if node in self.balancers:
            wait_until(lambda: "serves on" in node.log_text()[node.log_skipped:], f"{node.name} serves", 30)
        self.wait_up(node.name)

"""Clusters on this machine: a node that serves HTTP and keeps the functions, and workers that know its address."""

import concurrent.futures
import subprocess

from clients import curl
from node import free_port, wait_until


class Cluster:
    """One store-and-balancer node, and workers that know its address. `options_of` gives what each node gets besides,
    by its name."""

    def __init__(self, start_node, options_of=lambda name: ()):
        self.start_node = start_node
        self.options_of = options_of
        self.port = free_port()
        self.store = self.start("store", "balancer, handler-store", port=self.port)
        wait_until(self.answers, f"the store answers\n{self.store.log_text()}", 30)

    def start(self, name, roles, *options, port=None):
        seeds = () if port else ("--cluster.seeds", f"127.0.0.1:{self.port}")
        return self.start_node("--node.name", name, "--node.roles", roles, "--cluster.port", port or free_port(), *seeds,
                               "--worker.blank-sandboxes", 2, *self.options_of(name), *options, wait=False)

    def start_worker(self, name, *options):
        node = self.start(name, "worker", *options)
        wait_until(lambda: self.state_of(name) == "up", f"{name} is up\n{node.log_text()}", 30)
        return node

    def answers(self):
        try:
            return curl(self.store, "/healthz").status == 200
        except subprocess.CalledProcessError:
            return False

    def members(self):
        return {row["name"]: row for row in curl(self.store, "/v1/cluster").json()["members"]}

    def state_of(self, name):
        return self.members().get(name, {}).get("state")

    def wait_gone(self, name):
        wait_until(lambda: name not in self.members(), f"{name} is gone", 10)


def ask(node, name, event):
    return curl(node, f"/run/{name}", data=event)


def ask_many(node, name, events, at_once=8):
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda event: ask(node, name, event), events))

"""Nodes that speak TLS, with certificates that `troupe cluster certs` has made; and the sample configurations."""

import json
import pathlib
import subprocess

import pytest

import tls
from clients import curl, deploy
from clusters import Cluster, ask, ask_many
from node import PROGRAM, command_environment, free_port, wait_until
from tls import Authority

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "config" / "cluster"
ECHO = "def f(event):\n    return event\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates") / "tls"
    Authority(directory).make("store", "worker-1", "worker-2", "front")
    return directory


@pytest.fixture(scope="module")
def cluster(start_module_node, certificates):
    """A store and a worker that have met by TLS, and a function that runs there."""
    made = Cluster(start_module_node, lambda name: tls.options_with(certificates, name))
    made.start_worker("worker-1")
    deploy(made.store, "echo", ECHO)
    return made


def test_nodes_with_certificates_meet_and_run_functions(cluster):
    assert {name: row["state"] for name, row in cluster.members().items()} == {"store": "up", "worker-1": "up"}
    event = {"text": "ä" * 200_000}  # More than one record of TLS.
    answers = ask_many(cluster.store, "echo", [event] * 8)
    assert [answer.status for answer in answers] == [200] * 8
    assert all(answer.json() == event for answer in answers)


@pytest.fixture(params=["no TLS", "two authorities", "another name", "an authority not believed"])
def stranger(request, certificates, tmp_path):
    """(its options, what the store says of it, what it says of the store)"""
    foreign = tmp_path / "foreign"
    Authority(foreign).make("worker-2")
    refused, alien = "does not take this node's certificate: ", "has no certificate of this cluster: "
    other_name = "the certificate of worker-2 is for 'front': give worker-2 one whose common name is worker-2"
    return {
        "no TLS": ((), "does not speak TLS 1.3 as nodes do: ", "is TLS on with both nodes or with none?"),
        # It does not believe the store, and says so before the store sees what it has itself.
        "two authorities": (tls.options_with(foreign, "worker-2"), refused, alien),
        # It believes the store, but the store does not believe it.
        "an authority not believed": (tls.options_with(foreign, "worker-2", trusted=certificates), alien, refused),
        "another name": (tls.options_with(certificates, "front"), "is refused: " + other_name, "refuses: " + other_name),
    }[request.param]


def test_a_stranger_is_turned_away_and_both_sides_say_why(cluster, start_node, stranger):
    options, said_there, said_here = stranger
    known = len(cluster.store.log_text())
    node = start_node("--node.name", "worker-2", "--node.roles", "worker", "--cluster.port", free_port(),
                      "--cluster.seeds", f"127.0.0.1:{cluster.port}", "--worker.blank-sandboxes", 2, *options, wait=False)
    lines_there = wait_until(lambda: [line for line in cluster.store.log_text()[known:].splitlines()
                                      if said_there in line], "the store says why", 20)
    lines_here = wait_until(lambda: [line for line in node.log_text().splitlines() if said_here in line],
                            f"the stranger says why\n{node.log_text()}", 20)
    assert "a connection to the cluster's port was turned away: 127.0.0.1:" in lines_there[0]
    assert f"no link with 127.0.0.1:{cluster.port}" in lines_here[0]
    # It stays outside, and the others go on.
    assert "worker-2" not in cluster.members() and node.process.poll() is None
    assert {answer.body for answer in ask_many(cluster.store, "echo", [7] * 20)} == {b"7"}


def test_who_was_turned_away_joins_with_the_right_certificate(cluster):
    worker = cluster.start_worker("worker-2")
    assert {answer.body for answer in ask_many(cluster.store, "echo", [7] * 20)} == {b"7"}
    worker.stop()
    cluster.wait_gone("worker-2")
    assert ask(cluster.store, "echo", 1).body == b"1"


@pytest.mark.parametrize("sample, words", [("store", "store.pem"), ("worker", "worker-1.pem"), ("balancer", "front.pem")])
def test_a_sample_configuration_is_read(sample, words):
    shown = subprocess.run([PROGRAM, "config", "show", "--config", SAMPLES / f"{sample}.conf", "--format", "json"],
                           check=True, capture_output=True, env=command_environment())
    values = {row["name"]: row for row in json.loads(shown.stdout)}
    assert values["cluster.tls-certificate"]["value"].endswith(words)
    assert values["node.roles"]["source"] == "file"


def test_nodes_with_the_sample_configurations_meet(start_node, certificates):
    """As they stand, but for the places on this machine."""
    ports = {sample: free_port() for sample in ("store", "worker", "balancer")}

    def start(sample, name):
        seeds = () if sample == "store" else ("--cluster.seeds", f"127.0.0.1:{ports['store']}")
        return start_node("--config", SAMPLES / f"{sample}.conf", "--cluster.address", "127.0.0.1",
                          "--cluster.port", ports[sample], *seeds, *tls.options_with(certificates, name),
                          "--worker.blank-sandboxes", 2, wait=False)

    start("store", "store")
    start("worker", "worker-1")
    front = start("balancer", "front").wait_ready()
    expected = {"store": "up", "worker-1": "up", "front": "up"}
    wait_until(lambda: {row["name"]: row["state"] for row in curl(front, "/v1/cluster").json()["members"]} == expected,
               "all three have met", 20)
    deploy(front, "echo", ECHO)
    assert ask(front, "echo", {"by": "front"}).json() == {"by": "front"}

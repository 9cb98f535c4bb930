"""Nodes with certificates: those that have the right one, and those that have not."""

from tls import Authority
from loads import Load
from node import wait_until


# What the node that is not let in says, and what the store does.
REFUSED = {
    "stranger": ("has no certificate of this cluster: ", " does not take this node's certificate: "),
    "impostor": ("the certificate of impostor is for 'somebody'", "the certificate of impostor is for 'somebody'"),
    "bare": ("is TLS on with both nodes or with none?", " does not speak TLS 1.3 as nodes do: "),
}


def test_only_nodes_with_the_right_certificate_join(machines, authority, tmp_path_factory):
    others = Authority(tmp_path_factory.mktemp("others"))
    given = {"stranger": others.settings_for("stranger"), "impostor": authority.settings_for("somebody"),
             "bare": ("--cluster.insecure", "true")}
    cluster = machines(options_of=lambda name: given.get(name) or authority.settings_for(name))
    for number in (1, 2):
        cluster.start_worker(f"worker-{number}")
    cluster.wait_agreed("store", "worker-1", "worker-2")
    cluster.deploy("work")
    with Load(cluster.store) as load:
        for name, words in REFUSED.items():
            node = cluster.start(name, "worker")
            for side, said in zip((node, cluster.store), words):
                wait_until(lambda: said in side.log_text(), f"the log of {side.name} says: {said}\n{side.log_text()}", 20)
            assert cluster.known_to(node) == {name}
            node.stop()
        load.wait_more(200)
        report = load.report()
    assert set(report.counts) == {200}
    assert set(cluster.members()) == {"store", "worker-1", "worker-2"}

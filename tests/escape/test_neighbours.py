"""Functions beside each other: what one may do to the system files that both see."""

import pytest

from attacks import ATTACKS
from bed import deploy_bundle
from clients import invoke


@pytest.mark.xfail(strict=True, reason="a shared file that one sandbox has locked is locked for the others, too")
def test_a_lock_on_a_shared_file_holds_up_nobody_else(world):
    deploy_bundle(world.node, "other", world.hostile_bundle)
    event = {"attack": "files.hold_lock", "here": True, "file": "/usr/bin/env"}
    assert invoke(world.node, "other", event)[0]["succeeded"]
    assert invoke(world.node, "hostile", event)[0]["succeeded"], "the neighbour holds the lock"


def test_nobody_learns_when_another_reads_shared_files(world):
    deploy_bundle(world.node, "watcher", world.hostile_bundle)
    deploy_bundle(world.node, "reader", world.hostile_bundle)
    watch = {"attack": "files.count_notes", "here": True, "folder": "/usr/lib"}
    read = {"attack": "files.read_shared", "here": True, "file": "/usr/lib/os-release"}
    assert invoke(world.node, "reader", read)[0]["succeeded"]
    first, _ = invoke(world.node, "watcher", watch)
    assert not first["succeeded"]
    assert invoke(world.node, "reader", read)[0]["succeeded"]
    second, _ = invoke(world.node, "watcher", watch)
    assert not second["succeeded"], second["detail"]


def test_the_search_has_something_to_find(world):
    """Where the secret is the function's own, it finds it: in environment, bundle, /tmp and memory."""
    report = invoke(world.node, "neighbour", 0)
    assert report[0][2] is True
    deploy_bundle(world.node, "own", world.hostile_bundle, Environment={"Variables": {"SECRET": world.secret}})
    report, _ = invoke(world.node, "own", world.event("files.search"))
    assert report["succeeded"]
    assert any(place.endswith("/mem") for place in report["detail"]["found"])


def test_the_search_reads_much(world):
    report = world.run("files.search")
    assert report["detail"]["found"] == {}
    assert report["detail"]["bytes"] > 10 << 20, "it saw hardly more than nothing"
    assert "files.search" in {attack.name for attack in ATTACKS}

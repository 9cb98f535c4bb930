"""Floods that reach the node itself: it reads them, keeps a bounded part, and stays what it was."""

import os
import pathlib
import subprocess

import pytest

from bed import NATIVE, deploy_bundle, hostile_bundle, run_plain
from clients import boto3_client

MIB = 1 << 20
GROWTH_MIB_MAX = 96  # of the node's memory: buffers of its own, not what a handler sends


def memory_mib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return [int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")][0]


def disk_mib(*paths):
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file()) // MIB


@pytest.fixture
def node_kept(world):
    """Fails when the node has grown while the test ran, in memory or on disk."""
    pathlib.Path(f"/proc/{world.node.pid}/clear_refs").write_text("5")  # the peak begins anew
    places = (world.node.data, world.node.directory / "node.log")
    memory, disk = memory_mib(world.node.pid), disk_mib(*places)
    yield
    world.check_unharmed()
    assert memory_mib(world.node.pid) - memory < GROWTH_MIB_MAX
    assert disk_mib(*places) - disk < GROWTH_MIB_MAX


def test_a_flood_in_the_log_is_not_kept(world, node_kept):
    report = world.run("bombs.log", mib=1024)
    assert report["detail"] == 1024, "the flood was shorter than it should be"


@pytest.mark.parametrize("garbage", ["ff" * 10, "00" * 10, "81a16b01" * 4, "000000100000001081a16b01",
                                     "00ffffff00ffffff", "7fffffff7fffffff"])
def test_garbage_in_place_of_answers_ends_the_sandbox(world, node_kept, garbage):
    report = world.run("bombs.frames", mib=4096, garbage=garbage)
    assert not report["succeeded"], report["detail"]


def test_an_answer_of_100_mib_is_an_error(world, node_kept):
    deploy_bundle(world.node, "large", hostile_bundle(), MemorySize=1024)
    answer = boto3_client(world.node.endpoint).invoke(
        FunctionName="large", Payload=b'{"attack": "bombs.answer", "here": true, "mib": 100}')
    assert answer["FunctionError"] == "Unhandled"
    assert len(answer["Payload"].read()) < 4096


def test_the_floods_are_what_they_say(tmp_path):
    """Without a node: the same flood fills a file, the answer arrives whole, and the measures see it."""
    code = f"from ctypes import *; n = CDLL({str(NATIVE)!r}); n.pour(1, b'x' * 65536, 65536, c_long({100 * MIB}))"
    with open(tmp_path / "flood", "wb") as file:
        subprocess.run(["/usr/bin/python3", "-c", code], stdout=file, check=True)
    assert disk_mib(tmp_path) >= GROWTH_MIB_MAX
    before = memory_mib(os.getpid())
    os.unlink(tmp_path / "flood")
    assert len(run_plain("bombs.answer", mib=100)["detail"]) == 100 * MIB
    assert memory_mib(os.getpid()) - before >= GROWTH_MIB_MAX

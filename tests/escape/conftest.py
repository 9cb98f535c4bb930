"""Fixtures: the nodes of the end-to-end tests, with hostile functions deployed."""

import ctypes
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from bed import WEAK_HOST, World, weak_program  # noqa: E402
from node import PROGRAM, running_nodes  # noqa: E402


def pytest_configure(config):
    for program in (PROGRAM, WEAK_HOST):
        if not program.exists():
            raise pytest.UsageError(f"there is no program at {program}")
    if os.geteuid() != 0:
        raise pytest.UsageError("these tests look behind nodes, and become other users: run them as root")
    put_key()


def put_key():
    """Into the keyring that the nodes of these tests inherit: one of the test's own, not of whoever started it."""
    libc = ctypes.CDLL(None)
    libc.syscall(250, 1, None)  # KEYCTL_JOIN_SESSION_KEYRING
    assert libc.syscall(248, b"user", b"troupe-escape", b"secret", ctypes.c_size_t(6), -3) > 0


@pytest.fixture(scope="module")
def start_module_node(tmp_path_factory):
    with running_nodes(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def world(start_module_node):
    """A node as it is, for all attacks of a file."""
    world = World(start_module_node("--worker.blank-sandboxes", 2))
    yield world
    world.close()


@pytest.fixture(scope="module")
def weak_worlds(start_module_node, tmp_path_factory):
    """A function that gives the node whose cage lacks these steps; one each for the whole file."""
    worlds = {}

    def world_without(omitted):
        if omitted not in worlds:
            program = weak_program(tmp_path_factory.mktemp("weak") / "program", omitted)
            worlds[omitted] = World(start_module_node("--worker.blank-sandboxes", 0, program=program))
        return worlds[omitted]

    yield world_without
    for world in worlds.values():
        world.close()

"""Fixtures: nodes that are stopped, and looked behind, when their test is over."""

import os

import pytest

import clients
from node import PROGRAM, running_nodes


def pytest_configure(config):
    if not PROGRAM.exists():
        raise pytest.UsageError(f"TROUPE_PROGRAM: there is no program at {PROGRAM}")
    if os.geteuid() != 0:
        raise pytest.UsageError("these tests look behind nodes, and become other users: run them as root")


@pytest.fixture
def start_node(tmp_path_factory):
    """Starts nodes of the test's own: start_node("--worker.queue-limit", "1")."""
    with running_nodes(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def start_module_node(tmp_path_factory):
    """The same for nodes that the tests of a file share."""
    with running_nodes(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def node(start_module_node):
    """A node that the tests of a file share."""
    return start_module_node()


@pytest.fixture(scope="module")
def aws(node):
    """boto3's client for the shared node."""
    return clients.boto3_client(node.endpoint)

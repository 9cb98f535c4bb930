"""Fixtures: a cluster whose nodes are on machines of their own."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from machines import Machines  # noqa: E402
from networks import Switch  # noqa: E402
from node import PROGRAM, running_nodes  # noqa: E402
from tls import Authority  # noqa: E402


def pytest_configure(config):
    if not PROGRAM.exists():
        raise pytest.UsageError(f"TROUPE_PROGRAM: there is no program at {PROGRAM}")


@pytest.fixture(scope="session", autouse=True)
def root():
    if os.geteuid() != 0:
        pytest.skip("network namespaces cannot be made here: not root")


@pytest.fixture
def switch():
    switch = Switch()
    yield switch
    switch.close()


@pytest.fixture
def machines(switch, tmp_path_factory):
    """Starts clusters of the test's own: machines(options_of=...)."""
    with running_nodes(tmp_path_factory) as start_node:
        yield lambda **how: Machines(switch, start_node, **how)


@pytest.fixture
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def cluster(machines, authority, request):
    """A store that serves HTTP, and three workers that share its load; parameters are how `Machines` are made, and
    "tls": nodes with certificates."""
    how = dict(getattr(request, "param", {}))
    if how.pop("tls", False):
        how["options_of"] = authority.settings_for
    cluster = machines(**how)
    for number in (1, 2, 3):
        cluster.start_worker(f"worker-{number}")
    cluster.deploy("work")
    return cluster

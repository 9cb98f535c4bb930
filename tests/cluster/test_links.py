"""Links that carry little."""

import pytest

from clients import curl

EVENT_BYTES = 5 << 20
MBIT_PER_SECOND = 8  # so that the event takes five seconds, and a node that is silent is dead after two


@pytest.mark.xfail(strict=True, reason="heartbeats wait behind a large event, of which nothing counts as a sign of life "
                                       "before all of it is there: both nodes take each other for dead")
def test_a_large_event_on_a_slow_link_parts_no_nodes(machines):
    cluster = machines()
    worker = cluster.start_worker("worker-1")
    cluster.deploy("measure", "def f(event):\n    return len(event)\n")
    cluster.switch.slow_down(worker.network, MBIT_PER_SECOND)
    answer = curl(cluster.store, "/run/measure", data=f'"{EVENT_BYTES * "x"}"')
    assert answer.status == 200 and answer.json() == EVENT_BYTES
    assert "is gone" not in cluster.store.log_text() + worker.log_text()

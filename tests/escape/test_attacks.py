"""Every attack of the table fails in a sandbox, and hurts nobody."""

import pytest

from attacks import ATTACKS
from bed import addresses, listening_ports


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in ATTACKS])
def test_the_cage_stops_it(world, attack):
    report = world.run(attack.name, **attack.event)
    world.check_unharmed()
    assert not report["succeeded"], report["detail"]


def test_the_attacks_know_where_to_look(world):
    assert world.node.port in listening_ports()
    assert "127.0.0.1" in addresses()

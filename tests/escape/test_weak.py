"""Every attack that steps of the cage's list stop succeeds without them."""

import pytest

from attacks import ATTACKS

WEAK = sorted((attack for attack in ATTACKS if attack.is_weak), key=lambda attack: attack.layers)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in WEAK])
def test_without_these_steps_it_succeeds(weak_worlds, attack):
    world = weak_worlds(attack.layers)
    report = world.run(attack.name, **attack.event)
    world.renew()
    assert report["succeeded"], report["detail"]

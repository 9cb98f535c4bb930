"""Every attack that steps of the cage's list stop succeeds without them."""

import pytest

from attacks import ATTACKS
from bed import run_plain

WEAK = sorted((attack for attack in ATTACKS if attack.is_weak), key=lambda attack: attack.layers)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in WEAK])
def test_without_these_steps_it_succeeds(weak_worlds, attack):
    if attack.needs_kernel and not run_plain(attack.name, **attack.event)["succeeded"]:
        pytest.skip("this kernel has nothing of the kind")
    world = weak_worlds(attack.layers)
    report = world.run(attack.name, **attack.event)
    world.renew()
    assert report["succeeded"], report["detail"]

"""Every attack that more than steps of the list stops succeeds as a plain process, in namespaces thrown away."""

import pytest

from attacks import ATTACKS, NOSUID
from bed import run_plain

PLAIN = [attack for attack in ATTACKS if not attack.is_weak]


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in PLAIN])
def test_without_a_cage_it_succeeds(attack):
    report = run_plain(attack.name, unprivileged=NOSUID in attack.layers, **attack.event)
    assert report["succeeded"], report["detail"]

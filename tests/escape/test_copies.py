"""The same for sandboxes that are copies of a template: their cage is made in another way."""

import concurrent.futures

import pytest

from attacks import ATTACKS, TEMPLATE_ATTACKS
from bed import World, weak_program
from clients import curl, invoke
from node import wait_until

COPIES = ("--worker.template-after", "1ms")


class CopyWorld(World):
    """One whose hostile function has copies only."""

    def __init__(self, node):
        super().__init__(node)
        self.have_copies()

    def have_copies(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            invoke(self.node, "hostile", {"who": 1})  # it is known then how long loading takes
            list(pool.map(lambda _: invoke(self.node, "hostile", {"hold_s": 1, "who": 1}), range(2)))
        wait_until(lambda: b"troupe_templates 1" in curl(self.node, "/metrics").body, "there is a template")
        invoke(self.node, "hostile", {"exit": 1})  # the lowest-numbered, which is none
        self.check_copy()

    def event(self, attack, **more):
        """The first process of a copy's namespace holds that, and the second is its own."""
        return super().event(attack, own=[1, 2], **more)

    def check_copy(self):
        assert invoke(self.node, "hostile", {"who": 1})[0] == 2


@pytest.fixture(scope="module")
def copies(start_module_node):
    world = CopyWorld(start_module_node("--worker.blank-sandboxes", 2, *COPIES))
    yield world
    world.close()


@pytest.fixture(scope="module")
def weak_copies(start_module_node, tmp_path_factory):
    worlds = []

    def world_without(omitted):
        program = weak_program(tmp_path_factory.mktemp("weak") / "program", omitted)
        worlds.append(CopyWorld(start_module_node("--worker.blank-sandboxes", 0, *COPIES, program=program)))
        return worlds[-1]

    yield world_without
    for world in worlds:
        world.close()


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in [*ATTACKS, *TEMPLATE_ATTACKS]])
def test_the_cage_of_a_copy_stops_it(copies, attack):
    report = copies.run(attack.name, **attack.event)
    copies.check_unharmed()
    copies.check_copy()
    assert not report["succeeded"], report["detail"]


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in TEMPLATE_ATTACKS])
def test_without_these_steps_it_succeeds(weak_copies, attack):
    report = weak_copies(attack.layers).run(attack.name)
    assert report["succeeded"], report["detail"]

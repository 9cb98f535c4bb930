"""README.md's table is the code's, and every step of the cage that is a defence has an attack that shows it."""

import re

from attacks import NO_DEFENCE, OF_THE_WORLD, TEMPLATE_ATTACKS, ATTACKS as TABLE
from bed import HERE, steps

ATTACKS = [*TABLE, *TEMPLATE_ATTACKS]


def rows():
    """{attack: layers} of the README."""
    lines = (HERE / "README.md").read_text().splitlines()
    cells = [re.findall(r"`([a-z_]+\.[a-z_0-9]+)` \| [^|]+ \| ([^|]+) \|", line) for line in lines]
    return {name: tuple(layers.strip().split("; ")) for found in cells for name, layers in found}


def test_the_readme_is_the_table():
    assert rows() == {attack.name: attack.layers for attack in ATTACKS}


def test_every_attack_that_is_written_is_run():
    """Those that are in no row run in a file of their own, which names them."""
    written = {f"{path.stem}.{name}" for path in (HERE / "bundle").glob("*.py")
               for name in re.findall(r"^def (\w+)\(event\):", path.read_text(), re.MULTILINE)}
    written -= {"f.f", "f.attempt", "f.attempt_apart"}
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert {name for name in written if name not in rows() and name not in tests} == set()
    assert set(rows()) <= written


def test_every_layer_is_a_step_or_of_the_world():
    layers = {layer for attack in ATTACKS for layer in attack.layers}
    assert layers - OF_THE_WORLD <= set(steps())


def test_every_step_that_is_a_defence_has_an_attack():
    layers = {layer for attack in ATTACKS for layer in attack.layers}
    assert set(steps()) - NO_DEFENCE - layers == set()
    assert NO_DEFENCE <= set(steps()) - layers

import textwrap

import pytest

import sandbox


def pytest_make_parametrize_id(val):
    """Short names for tests with long parameters: pytest puts the name into the environment."""
    return ascii(val)[:60]


@pytest.fixture
def bundle(tmp_path):
    """bundle({"f.py": source, ...}) writes a bundle and returns its folder."""

    def write(files):
        root = tmp_path / "task"
        for name, source in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return root

    return write


@pytest.fixture
def group():
    """group(root, handler, ...) starts processes that are gone after the test."""
    made = []

    def start(*arguments, **options):
        made.append(sandbox.Group(*arguments, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def serve(bundle, group):
    """serve(source) is a process that has loaded f.f from that source, and is ready."""

    def start(source, handler="f.f", **options):
        return group(bundle({"f.py": source}), handler, **options).sandboxes[0].ready()

    return start

"""What a curious handler finds that was cloned from a zygote with a package loaded: no more than all others."""

import pytest

import test_isolation
from clients import deploy, invoke
from node import wait_until

# Every test of that file runs here once more, with these fixtures in the place of its own.
from test_isolation import *  # noqa: F401,F403

MARKED = test_isolation.PRELUDE + "\nimport marked\n"
MARK = "\ndef f(event):\n    return marked.MARK\n"


@pytest.fixture(scope="module")
def node(start_module_node, tmp_path_factory):
    layer = tmp_path_factory.mktemp("layer")
    (layer / "marked.py").write_text("import os, time\ntime.sleep(0.05)\nMARK = os.urandom(8).hex()\n")
    layer.chmod(0o755)
    node = start_module_node("--worker.layers", layer)

    def is_loaded():
        deploy(node, "warm", MARKED + MARK)
        invoke(node, "warm")
        return "a zygote with marked is ready" in node.log_text()
    wait_until(is_loaded, "there is a zygote with the package", 30)
    return node


@pytest.fixture
def probe(node):
    """Runs an expression in a fresh sandbox, which has the package of the zygote."""
    deploy(node, "warm", MARKED + MARK)
    mark = invoke(node, "warm")[0]

    def run(expression, **configuration):
        configuration = {"MemorySize": 256, "Timeout": 20, **configuration}
        deploy(node, "probe", MARKED + f"\ndef f(event):\n    return [marked.MARK, {expression}]\n", **configuration)
        result, answer = invoke(node, "probe")
        assert "FunctionError" not in answer, result
        assert result[0] == mark
        return result[1]
    return run

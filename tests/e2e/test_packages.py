"""Layers, and zygotes that have loaded what functions import."""

import pytest

from clients import ROLE, boto3_client, invoke, metric, zip_of
from node import wait_until

# Each import of it takes its time and leaves another mark: functions with the same mark share one import.
SLOW = """
import os, time
time.sleep(0.3)
MARK = os.urandom(8).hex()
"""

USER = """
import slow

def f(event):
    return slow.MARK
"""


@pytest.fixture(scope="module")
def node(start_module_node, tmp_path_factory):
    layer = tmp_path_factory.mktemp("layer")
    layer.chmod(0o755)
    (layer / "slow").mkdir()
    (layer / "slow" / "__init__.py").write_text(SLOW)
    (layer / "threads.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n")
    return start_module_node("--worker.layers", layer, "--worker.packages", "asyncio")


def cold(node, name, source, **files):
    """The answer of a new sandbox with f.py and other modules: the function is made anew each time."""
    client = boto3_client(node.endpoint)
    try:
        client.delete_function(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        pass
    bundle = {"f.py": source, **{f"{module}.py": text for module, text in files.items()}}
    client.create_function(FunctionName=name, Runtime="python3", Role=ROLE, Handler="f.f",
                           Code={"ZipFile": zip_of(bundle)})
    result, answer = invoke(node, name)
    assert "FunctionError" not in answer, result
    return result


def test_after_some_cold_starts_an_import_is_not_paid_again(node):
    assert cold(node, "user", USER) != cold(node, "user", USER)
    wait_until(lambda: "a zygote with slow is ready" in node.log_text(), "there is a zygote with the package", 30)
    marks = {cold(node, name, USER) for name in ("user", "user", "another")}
    assert len(marks) == 1
    assert metric(node, "troupe_zygotes") == 1
    assert metric(node, "troupe_zygote_memory_bytes") > 100_000


def test_blank_sandboxes_are_counted(node):
    wait_until(lambda: metric(node, "troupe_blank_sandboxes") > 0, "there are blank ones")


def test_layers_come_before_the_packages_of_the_system(node):
    path = cold(node, "path", "import sys\ndef f(event):\n    return sys.path\n")
    assert path[0] == "/var/task"
    assert path.index("/usr/lib/python3.11") < path.index("/opt/layer-1") < path.index("/usr/lib/python3/dist-packages")


def test_a_function_that_does_not_import_it_does_not_have_it(node):
    assert cold(node, "plain", "import sys\ndef f(event):\n    return 'slow' in sys.modules\n") is False


def test_a_bundle_with_its_own_copy_has_that(node):
    for _ in range(3):
        assert cold(node, "own", USER, slow="MARK = 'own'\n") == "own"


def test_a_package_that_starts_threads_is_left_to_the_functions(node):
    threaded = "import threading, threads\ndef f(event):\n    return threading.active_count()\n"

    def is_given_up():
        assert cold(node, "threaded", threaded) == 2
        return "there will be no zygote with threads: importing it starts threads" in node.log_text()
    wait_until(is_given_up, "the node says why", 30)
    assert cold(node, "threaded", threaded) == 2


def test_modules_of_the_system_that_the_configuration_names_are_loaded_ahead(node):
    source = "import asyncio\nasync def f(event):\n    await asyncio.sleep(0)\n    return 1\n"
    wait_until(lambda: cold(node, "async", source) == 1 and "a zygote with asyncio is ready" in node.log_text(),
               "there is a zygote with asyncio", 30)
    assert cold(node, "async", source) == 1


def test_its_functions_are_billed_as_all_others(node):
    for _ in range(2):
        cold(node, "billed", USER)
    records = node.run("billing", "records", "--function", "billed", "--format", "json")
    assert records.returncode == 0, records.stderr
    assert records.stdout.count('"billed"') == 2


def test_a_layer_that_is_not_there_is_one_clear_line(start_node):
    node = start_node("--worker.layers", "/nowhere/layer", wait=False)
    assert node.wait_end() != 0
    assert "worker.layers: /nowhere/layer: No such file or directory" in node.log_text()

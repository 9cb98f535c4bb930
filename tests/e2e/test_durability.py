"""What a client was told is kept, whatever happens to the node."""

import concurrent.futures
import json
import shutil
import signal
import threading

import pytest

from clients import boto3_client, curl, deploy, invoke, source_zip
from node import wait_until


def restart(node, *options):
    node.options = (*node.options, *options)
    return node.start().wait_ready()


def test_a_kill_right_after_a_deploy_loses_nothing(start_node):
    node = start_node()
    for i in range(5):
        deploy(node, f"kept-{i}", f"def f(event):\n    return {i}\n", Environment={"Variables": {"I": str(i)}})
        node.kill()
        restart(node)
        assert [invoke(node, f"kept-{j}")[0] for j in range(i + 1)] == list(range(i + 1))
    boto3_client(node.endpoint).delete_function(FunctionName="kept-0")
    node.kill()
    restart(node)
    assert curl(node, "/run/kept-0").status == 404
    assert curl(node, "/run/kept-1").json() == 1


def test_a_kill_amid_deploys_keeps_every_acknowledged_one_whole(start_node):
    node = start_node()
    acknowledged, stop = {}, threading.Event()
    aws = boto3_client(node.endpoint)
    deploy(node, "changing", "def f(event):\n    return 0\n")

    def change():
        for i in range(1, 100_000):
            try:
                aws.update_function_code(FunctionName="changing", ZipFile=source_zip(f"def f(event):\n    return {i}\n"))
            except Exception:  # The node is gone: whatever boto3 makes of it.
                return
            acknowledged["last"] = i
            if i == 20:
                stop.set()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        assert stop.wait(60)
        node.kill()
        changing.result(60)
    restart(node)
    # The one that was on its way may have been stored without its answer.
    assert invoke(node, "changing")[0] in (acknowledged["last"], acknowledged["last"] + 1)


def test_with_no_flush_interval_a_kill_loses_no_record(start_node):
    node = start_node("--ledger.flush-interval", "0")
    deploy(node, "echo", "def f(event):\n    return event\n")
    for i in range(30):
        assert curl(node, "/run/echo", data=i).json() == i
    node.kill()
    records = json.loads(node.run("billing", "records", "--format", "json", "--db", node.data).stdout)
    assert len(records) == 30
    assert node.run("billing", "verify", "--db", node.data).returncode == 0
    restart(node)
    assert node.run("billing", "verify").returncode == 0


def test_functions_and_records_survive_a_clean_stop(start_node):
    node = start_node()
    deploy(node, "stays", "def f(event):\n    return 'here'\n", MemorySize=192)
    assert invoke(node, "stays")[0] == "here"
    node.stop()
    restart(node)
    assert invoke(node, "stays")[0] == "here"
    described = boto3_client(node.endpoint).get_function_configuration(FunctionName="stays")
    assert described["MemorySize"] == 192
    assert len(json.loads(node.run("billing", "records", "--format", "json").stdout)) == 2


def test_a_kill_leaves_no_process_and_the_next_start_clears_the_rest(start_node):
    node = start_node()
    deploy(node, "sleeps", "import time\ndef f(event):\n    time.sleep(30)\n", Timeout=60)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: pytest.raises(Exception, curl, node, "/run/sleeps", data={}))
        wait_until(lambda: 'state="busy"} 1' in curl(node, "/metrics").body.decode(), "the function runs")
        node.kill()
        running.result(30)
    restart(node)
    deploy(node, "sleeps", "def f(event):\n    return 'again'\n")
    assert invoke(node, "sleeps")[0] == "again"
    node.stop()


def test_a_lost_bundle_directory_is_made_again(start_node):
    node = start_node()
    deploy(node, "unpacked", "def f(event):\n    return 'from the archive'\n")
    node.stop()
    for path in node.data.iterdir():
        if path.is_dir() and path.name != "db":
            shutil.rmtree(path)
    restart(node)
    assert invoke(node, "unpacked")[0] == "from the archive"


def test_sigterm_and_sigint_both_stop_cleanly(start_node):
    for number in (signal.SIGTERM, signal.SIGINT):
        node = start_node()
        deploy(node, "echo", "def f(event):\n    return event\n")
        assert invoke(node, "echo", 1)[0] == 1
        node.signal(number)
        assert node.wait_end() == 0
        node.check_nothing_left()

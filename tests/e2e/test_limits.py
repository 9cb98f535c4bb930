"""A node with tight limits: full queues and slow clients."""

import concurrent.futures

import pytest

from clients import Connection, boto3_client, curl, deploy, metric, reason_of
from node import wait_until

HOLD = """
import time
def f(event):
    time.sleep(event)
    return "held"
"""


@pytest.fixture(scope="module")
def node(start_module_node):
    """One sandbox, one place in the queue, and little patience with clients."""
    node = start_module_node("--worker.sandboxes-max", 1, "--worker.queue-limit", 1, "--http.header-timeout", "300ms",
                             "--http.body-timeout", "300ms", "--http.idle-timeout", "500ms")
    deploy(node, "hold", HOLD, Timeout=30)
    return node


def test_429_when_the_queue_is_full(node):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: curl(node, "/run/hold", data=0.5), range(6)))
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert len(refused) >= 3
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        reason_of(answer)


def test_boto3_knows_the_error_for_a_full_queue(node):
    aws = boto3_client(node.endpoint)

    def invoke(_):
        try:
            return aws.invoke(FunctionName="hold", Payload=b"0.5")["StatusCode"]
        except aws.exceptions.TooManyRequestsException as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert set(pool.map(invoke, range(6))) == {200, 429}


def test_the_queue_serves_again_once_it_is_empty(node):
    assert curl(node, "/run/hold", data=0).json() == "held"


@pytest.mark.parametrize("part", [b"POST /run/hold HTTP/1.1\r\nHost:",
                                  b"POST /run/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[1,2"])
def test_408_for_a_client_that_stops_halfway(node, part):
    with Connection(node) as connection:
        connection.send(part)
        assert connection.read_answer().status == 408
        assert connection.is_closed()


def test_an_idle_connection_is_closed_without_a_word(node):
    with Connection(node) as connection:
        connection.post("/run/hold", b"0")
        assert connection.read_answer().json() == "held"
        assert connection.is_closed()


def test_a_connection_that_says_nothing_is_closed(node):
    with Connection(node) as connection:
        assert connection.is_closed()


def test_an_invocation_may_take_longer_than_a_client_may_idle(node):
    with Connection(node) as connection:
        connection.post("/run/hold", b"1.2")
        assert connection.read_answer().json() == "held"


def test_functions_that_load_for_long_hold_up_nobody_else(start_node):
    """More of them than may be launched at one time: another one's cold start comes before any of theirs is ready."""
    node = start_node("--worker.memory", "64GiB")
    for number in range(8):
        deploy(node, f"slow-{number}", "import time\ntime.sleep(6)\ndef f(event): return event", Timeout=30)
    deploy(node, "quick", "def f(event): return event", Timeout=30)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        slow = [pool.submit(curl, node, f"/run/slow-{number % 8}", data=1) for number in range(32)]
        wait_until(lambda: metric(node, 'troupe_sandboxes{state="starting"}') >= 24, "as many as may be launched at one time are starting")
        assert curl(node, "/run/quick", data=2).json() == 2
        assert not any(each.done() for each in slow)
        assert [each.result().json() for each in slow] == [1] * 32

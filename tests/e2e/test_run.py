"""/run/<name> as browsers, curl and OpenLambda's clients use it."""

import concurrent.futures
import json

import pytest

from clients import Connection, curl, deploy

CORS = "access-control-allow-origin"


@pytest.fixture(scope="module", autouse=True)
def functions(node):
    deploy(node, "echo", "def f(event):\n    return event\n")
    deploy(node, "boom", "def f(event):\n    raise ValueError('no')\n")
    deploy(node, "nap", "import time\ndef f(event):\n    time.sleep(event)\n    return 'slept'\n", Timeout=30)


@pytest.mark.parametrize("route", ["/run/echo", "/runLambda/echo"])
def test_an_event_goes_in_and_json_comes_out(node, route):
    answer = curl(node, route, data={"a": [1, 2.5, None, "ü"]})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"a": [1, 2.5, None, "ü"]}


@pytest.mark.parametrize("event", ["{}", "[]", "null", "0", '"text"', '{"deep": [[[[{}]]]]}', "  {\"a\":1}\n"])
def test_any_json_is_an_event(node, event):
    answer = curl(node, "/run/echo", data=event)
    assert (answer.status, answer.json()) == (200, json.loads(event))


def test_an_empty_body_is_an_empty_object(node):
    assert curl(node, "/run/echo", data=b"").json() == {}
    assert curl(node, "/run/echo", "-X", "POST").json() == {}


def test_get_is_an_empty_object(node):
    answer = curl(node, "/run/echo")
    assert (answer.status, answer.json()) == (200, {})


def test_a_query_does_not_hide_the_function(node):
    assert curl(node, "/run/echo?x=1&y=2", data={"a": 1}).json() == {"a": 1}


def test_a_percent_encoded_name_is_the_same_name(node):
    assert curl(node, "/run/%65cho", data={"a": 1}).json() == {"a": 1}


def test_an_event_just_under_the_limit_comes_back_whole(node):
    event = json.dumps("x" * (6 * 1024 * 1024 - 2)).encode()
    answer = curl(node, "/run/echo", data=event)
    assert (answer.status, answer.body) == (200, event)


@pytest.mark.parametrize("path, status", [("/run/echo", 200), ("/run/boom", 500), ("/run/nobody", 404), ("/nowhere", 404)])
def test_every_answer_may_be_read_by_a_browser(node, path, status):
    answer = curl(node, path, "-H", "Origin: http://example.org", data={})
    assert answer.status == status
    assert answer.headers[CORS] == "*"


def test_a_preflight_is_answered_by_the_node(node):
    answer = curl(node, "/run/boom", "-X", "OPTIONS", "-H", "Origin: http://example.org", "-H",
                  "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: content-type")
    assert answer.status in (200, 204)
    assert answer.headers[CORS] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()


def test_many_requests_on_one_connection(node):
    with Connection(node) as connection:
        for i in range(50):
            connection.post("/run/echo", b"%d" % i)
            assert connection.read_answer().json() == i


def test_pipelined_requests_are_answered_in_order(node):
    with Connection(node) as connection:
        # The first one takes longest; its answer still comes first.
        connection.post("/run/nap", b"0.2")
        for i in range(20):
            connection.post("/run/echo", b"%d" % i)
        connection.post("/run/nobody", b"{}")
        connection.post("/run/echo", b'"last"')
        assert connection.read_answer().json() == "slept"
        assert [connection.read_answer().json() for _ in range(20)] == list(range(20))
        assert connection.read_answer().status == 404
        assert connection.read_answer().json() == "last"


def test_a_pipelined_request_may_arrive_in_pieces(node):
    request = b"POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n[1,2,3]"
    with Connection(node) as connection:
        for byte in (request * 2)[:-1]:
            connection.send(bytes([byte]))
        assert connection.read_answer().json() == [1, 2, 3]
        connection.send(b"]")
        assert connection.read_answer().json() == [1, 2, 3]


def test_a_chunked_body_is_an_event(node):
    answer = curl(node, "/run/echo", "-H", "Transfer-Encoding: chunked", data={"chunked": "y" * 200_000})
    assert (answer.status, len(answer.json()["chunked"])) == (200, 200_000)


def test_chunks_of_all_sizes_with_extensions_and_trailers(node):
    with Connection(node) as connection:
        connection.send(b"POST /run/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"1\r\n[\r\n3;ext=1\r\n1,2\r\nA\r\n,3,4,5,6,7\r\n1\r\n]\r\n0\r\nX-Trailer: t\r\n\r\n")
        assert connection.read_answer().json() == [1, 2, 3, 4, 5, 6, 7]


def test_a_client_that_expects_100_continue_gets_it(node):
    with Connection(node) as connection:
        connection.send(b"POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_head()[0] == 100
        connection.send(b"42")
        assert connection.read_answer().json() == 42


def test_connection_close_is_kept(node):
    with Connection(node) as connection:
        connection.post("/run/echo", b"1", "Connection: close")
        assert connection.read_answer().json() == 1
        assert connection.is_closed()


def test_http_1_0_is_answered_and_closed(node):
    with Connection(node) as connection:
        connection.send(b"POST /run/echo HTTP/1.0\r\nContent-Length: 1\r\n\r\n7")
        assert connection.read_answer().json() == 7
        assert connection.is_closed()


def test_invocations_of_one_function_run_side_by_side(node):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: curl(node, "/run/nap", data=0.3), range(8)))
    assert [answer.status for answer in answers] == [200] * 8


def test_a_client_that_leaves_costs_only_its_own_answer(node):
    with Connection(node) as connection:
        connection.post("/run/nap", b"0.2")
    assert curl(node, "/run/echo", data=1).json() == 1

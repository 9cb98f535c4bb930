"""What a client gets for a request that is wrong: a status, a reason, and a node that goes on."""

import pytest

from clients import Connection, curl, deploy, reason_of

MIB = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def functions(node):
    deploy(node, "echo", "def f(event):\n    return event\n")


@pytest.fixture(autouse=True)
def the_node_goes_on(node, functions):
    yield
    assert curl(node, "/run/echo", data={"still": "there"}).json() == {"still": "there"}


@pytest.mark.parametrize("path", ["/run/nobody", "/runLambda/nobody", "/nowhere", "/run/", "/run",
                                  "/2015-03-31/functions/nobody", "/2015-03-31/nowhere", "/v1/nowhere", "/run/../etc"])
def test_404_for_what_is_not_there(node, path):
    answer = curl(node, path)
    assert answer.status == 404
    reason_of(answer)


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/run/echo", {"GET", "POST", "OPTIONS"}),
    ("PATCH", "/runLambda/echo", {"GET", "POST", "OPTIONS"}),
    ("POST", "/healthz", {"GET"}),
    ("PUT", "/metrics", {"GET"}),
    ("DELETE", "/2015-03-31/functions", {"GET", "POST"}),
    ("GET", "/2015-03-31/functions/echo/invocations", {"POST"}),
    ("POST", "/2015-03-31/functions/echo/code", {"PUT"}),
])
def test_405_says_what_is_allowed(node, method, path, allowed):
    answer = curl(node, path, "-X", method)
    assert answer.status == 405
    assert allowed <= set(answer.headers["allow"].replace(" ", "").split(","))
    reason_of(answer)


@pytest.mark.parametrize("event", ["{", "nope", "{'a': 1}", "{} {}", '"\\ud800', "[1,]", b"\xff\xfe", "NaN x"])
@pytest.mark.parametrize("path", ["/run/echo", "/2015-03-31/functions/echo/invocations"])
def test_400_for_an_event_that_is_not_json(node, path, event):
    answer = curl(node, path, data=event)
    assert answer.status == 400
    reason_of(answer)


def test_boto3_knows_the_error_for_such_an_event(node, aws):
    with pytest.raises(aws.exceptions.InvalidRequestContentException):
        aws.invoke(FunctionName="echo", Payload=b"{")


@pytest.mark.parametrize("body", ["", "{", "[]", "1", '{"FunctionName": 1}', '{"FunctionName": "x"}',
                                  '{"FunctionName":"x","Role":"r","Handler":"f.f","Runtime":"python3","Code":{"ZipFile":"?"}}'])
def test_400_for_a_create_request_that_makes_no_sense(node, body):
    answer = curl(node, "/2015-03-31/functions", data=body)
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"].endswith("Exception")
    reason_of(answer)


def test_413_for_a_body_over_six_mebibytes(node):
    answer = curl(node, "/run/echo", "-H", "Expect:", data=b'"' + b"x" * (6 * MIB) + b'"')
    assert answer.status == 413
    reason_of(answer)


def test_413_before_the_body_is_sent(node):
    with Connection(node) as connection:
        connection.send(b"POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 7000000\r\n"
                        b"Expect: 100-continue\r\n\r\n")
        assert connection.read_answer().status == 413


def test_413_for_chunks_that_add_up(node):
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    with Connection(node) as connection:
        connection.send(b"POST /run/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(8):
                connection.send(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The node need not read on; its answer is there all the same.
        assert connection.read_answer().status == 413


def test_413_for_an_answer_that_is_too_large_is_the_functions_error(node):
    deploy(node, "flood", "def f(event):\n    return 'x' * (7 * 1024 * 1024)\n", MemorySize=256)
    answer = curl(node, "/run/flood", data={})
    assert answer.status in (413, 500, 502)
    reason_of(answer)


def test_431_for_headers_over_their_limit(node):
    answer = curl(node, "/run/echo", "-H", "X-Long: " + "y" * 20_000, data={})
    assert answer.status == 431
    reason_of(answer)


def test_431_for_a_request_line_over_the_limit(node):
    with Connection(node) as connection:
        connection.send(b"GET /run/" + b"e" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.read_answer().status in (414, 431)


@pytest.mark.parametrize("request_bytes", [
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n[1]",
    b"POST /run/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /run/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"GET /run/ec%ZZho HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /run/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
])
def test_what_is_no_proper_request_is_refused(node, request_bytes):
    with Connection(node) as connection:
        connection.send(request_bytes)
        connection.fill()
        assert not connection.buffer or connection.read_head()[0] in (400, 404)


def test_errors_hold_nothing_of_the_node(node):
    texts = [curl(node, path, data=body).body.decode() for path, body in
             [("/run/nobody", "{}"), ("/run/echo", "{"), ("/2015-03-31/functions", "{")]]
    for text in texts:
        assert str(node.data) not in text and str(node.pid) not in text

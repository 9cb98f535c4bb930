"""Events in, answers out."""
import json
import math
import threading

import pytest

from sandbox import INVALID_EVENT, NONE, REQUEST_ID, invoke_frame

ECHO = "def f(event): return event"


@pytest.mark.parametrize("event", [
    None, True, 0, -1, 1.5, 10**30, "", "text", "é中😀\u0000", [], {}, [[[]]], {"a": [1, {"b": None}]}, "x" * 1_000_000,
])
def test_echo(serve, event):
    assert serve(ECHO).call(event) == event


@pytest.mark.parametrize("payload", [b"", b" \t\r\n{} \n", b"{}"])
def test_no_payload_is_an_empty_object(serve, payload):
    assert serve(ECHO).call(payload) == {}


@pytest.mark.parametrize("payload", [
    b" ", b"{", b"}", b"[1,]", b"{} x", b"1 2", b"nul", b"'a'", b'"a', b'"\x01"', b"\xff", b'"\xc3"', b'"\xed\xa0\x80"',
    b"\xef\xbb\xbf{}", b"{}\0", b"[" * 100_000, b"9" * 5000, b'{"a" 1}',
])
def test_what_is_not_json_is_told_apart(serve, payload):
    sandbox = serve("def f(event): print('ran'); return event")
    sandbox.send(payload)
    flag, reason = sandbox.result()
    assert flag == INVALID_EVENT
    assert reason and b"\n" not in reason
    assert sandbox.call(7) == 7
    assert sandbox.log() == "ran\n"


def test_nan_is_taken_as_python_takes_it_but_never_given(serve):
    sandbox = serve("def f(event): return repr(event) if isinstance(event, float) else float(event)")
    assert sandbox.call(b"NaN") == "nan"
    assert sandbox.call(b"-Infinity") == "-inf"
    for number in ("nan", "inf", "-inf"):
        assert sandbox.error(number)["errorType"] == "Runtime.MarshalError"


@pytest.mark.parametrize("expression", [
    "{1, 2}", "object()", "b'x'", "lambda: 0", "{(1, 2): 3}", "{float('nan'): 1}", "circle()", "deep()", "Angry()",
])
def test_answers_without_a_json_form(serve, expression):
    sandbox = serve(f"""
        def circle():
            x = []; x.append(x); return x
        def deep():
            x = []
            for _ in range(100_000): x = [x]
            return x
        class Angry(dict):
            def __init__(self): super().__init__(a=1)
            def items(self): raise KeyError("no")
        def f(event): return event if event else {expression}
        """)
    document = sandbox.error(0)
    assert document["errorType"] == "Runtime.MarshalError"
    assert document["errorMessage"].startswith("Unable to marshal response: ")
    assert document["requestId"] == REQUEST_ID
    assert sandbox.call([[1]]) == [[1]]


def test_decimal_as_on_aws(serve):
    sandbox = serve("from decimal import Decimal\ndef f(event): return [Decimal('1.5'), Decimal(event)]")
    assert sandbox.call("2") == [1.5, 2.0]
    assert sandbox.error("NaN")["errorType"] == "Runtime.MarshalError"


def test_text_outside_unicode_stays_valid_json(serve):
    sandbox = serve(r"def f(event): return '\ud800' + event")
    sandbox.send("é")
    assert sandbox.result() == (NONE, b'"\\ud800\\u00e9"')


def test_largest_answer(serve):
    sandbox = serve("def f(event): return 'x' * event")
    limit = 6 * 1024 * 1024
    assert len(sandbox.call(limit - 2)) == limit - 2
    document = sandbox.error(limit - 1)
    assert document["errorType"] == "Function.ResponseSizeTooLarge"
    assert str(limit) in document["errorMessage"]
    assert sandbox.call(3) == "xxx"


def test_largest_event_and_small_ones_after_it(serve):
    sandbox = serve("def f(event): return len(event)")
    size = 6 * 1024 * 1024 - 2
    for length in (size, 5, 100_000, 70_000, 0, size, 1):
        assert sandbox.call("y" * length) == length


def test_frames_in_pieces_and_in_a_row(serve):
    sandbox = serve(ECHO)
    frames = b"".join(invoke_frame(n) for n in range(500)) + invoke_frame("z" * 200_000)

    def send():
        for at in range(0, 3500, 7):
            sandbox.channel.sendall(frames[at:at + 7])
        sandbox.channel.sendall(frames[3500:])

    sender = threading.Thread(target=send)
    sender.start()
    for n in range(500):
        assert sandbox.result() == (NONE, str(n).encode())
    assert sandbox.result() == (NONE, json.dumps("z" * 200_000).encode())
    sender.join()


def test_a_large_answer_to_a_slow_reader(serve):
    sandbox = serve("def f(event): return ['word'] * 500_000")
    for _ in range(3):
        sandbox.send(None)
    for _ in range(3):
        assert len(json.loads(sandbox.result()[1])) == 500_000


@pytest.mark.parametrize("garbage", [
    b"\0" * 16, b"\xff" * 16, b"\x03\0\0\0\0\0\0\0\x92\x04\0", b"\x01\0\0\0\0\0\0\0\xc1", b"\0\0\x02\0\0\0\0\0",
    b"\x01\0\0\0\x01\0\x60\0",
])
def test_what_is_no_frame_ends_the_process(serve, garbage):
    sandbox = serve(ECHO)
    sandbox.channel.sendall(garbage)
    assert sandbox.group.statuses() == [0]


def test_results_keep_numbers(serve):
    sandbox = serve("def f(event): return event")
    for number in (0.1, 1e300, 5e-324, -0.0, 2**53 + 1):
        answer = sandbox.call(number)
        assert answer == number and math.copysign(1, answer) == math.copysign(1, number)

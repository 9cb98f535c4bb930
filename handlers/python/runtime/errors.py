"""Error documents as AWS Lambda writes them, bounded in size and without the runtime's own frames."""
import importlib
import json
import linecache
import os
import sys
import traceback

from troupe_host import error_text_chars_max, stack_frames_max, stack_line_chars_max

# Held here, so that a handler that changes the json module does not change what we write.
_encode = json.JSONEncoder().encode

# The log, whatever the handler does to sys.stderr.
_stderr = sys.stderr

# Leading frames in these files are the way into the handler's code, not part of it.
_own_files = ("<troupe>", "<frozen ", importlib.__file__, os.path.dirname(os.__file__) + "/asyncio/")


def _cut(text, chars_max):
    return text if len(text) <= chars_max else text[:chars_max] + "..."


def _message_of(exception):
    try:
        return _cut(str(exception), error_text_chars_max)
    except Exception:  # the handler's own __str__ may raise anything
        return f"<unprintable {type(exception).__name__} object>"


def _line_of(frame, line_number):
    code = frame.f_code
    text = f'  File "{code.co_filename}", line {line_number}, in {code.co_name}\n'
    source = linecache.getline(code.co_filename, line_number, frame.f_globals).strip()
    return _cut(text + f"    {source}" if source else text.rstrip("\n"), stack_line_chars_max) + "\n"


def stack_of(exception):
    """The lines of its traceback; those in the middle are left out when there are too many."""
    frames = list(traceback.walk_tb(exception.__traceback__))
    own = 0
    while own < len(frames) and frames[own][0].f_code.co_filename.startswith(_own_files):
        own += 1
    frames = frames[own:]
    left_out = len(frames) - stack_frames_max
    if left_out <= 0:
        return [_line_of(*entry) for entry in frames]
    half = stack_frames_max // 2
    return [
        *(_line_of(*entry) for entry in frames[:half]),
        f"  ... {left_out} frames ...\n",
        *(_line_of(*entry) for entry in frames[-half:]),
    ]


def _log(kind, message, stack):
    """What AWS writes to the function's log: the same as in the document, for people."""
    try:
        body = "Traceback (most recent call last):\n" + "".join(stack) if stack else ""
        _stderr.write(f"[ERROR] {kind}: {message}\n{body}")
    except (OSError, ValueError):  # the handler closed its stderr; the document still tells
        pass


def make(kind, message, request_id, stack=()):
    """The document with these fields."""
    kind, message = _cut(kind, stack_line_chars_max), _cut(message, error_text_chars_max)
    _log(kind, message, stack)
    return _encode({"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": list(stack)})


def document(exception, request_id):
    """The document of an exception that came out of the handler's code."""
    return make(type(exception).__name__, _message_of(exception), request_id, stack_of(exception))


def document_as(kind, prefix, exception, request_id):
    """The document of an exception to which AWS gives a type and words of its own."""
    return make(kind, prefix + _message_of(exception), request_id, stack_of(exception))


def reason(exception):
    """Why an event is not JSON: one line for whoever sent it."""
    if isinstance(exception, StopIteration):
        return f"Expecting value (char {exception.value})"
    if isinstance(exception, UnicodeDecodeError):
        return f"invalid UTF-8: {exception.reason} (byte {exception.start})"
    return " ".join(_message_of(exception).split())

"""Counts the words of a text that the caller sends, as text or as base64 of UTF-8.

Event: {"text": "..."} or {"base64": "..."}, and how many of the most frequent words to list: {"top": 10}.
"""

import base64
import collections
import re

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
TOP_DEFAULT = 10


def text_of(event):
    if isinstance(event.get("text"), str):
        return event["text"]
    if isinstance(event.get("base64"), str):
        return base64.b64decode(event["base64"], validate=True).decode("utf-8")
    raise ValueError("the event needs a 'text', or a 'base64' of UTF-8 text")


def f(event):
    text = text_of(event)
    words = collections.Counter(match.group().lower() for match in WORD.finditer(text))
    return {
        "bytes": len(text.encode("utf-8")),
        "lines": len(text.splitlines()),
        "words": words.total(),
        "distinct": len(words),
        "top": words.most_common(int(event.get("top", TOP_DEFAULT))),
    }

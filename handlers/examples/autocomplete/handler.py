"""Completes a prefix from the system's word list.

The list is read and sorted once a sandbox, at module level; an invocation is two binary searches.
Events: {"prefix": "ab", "limit": 10}, or as OpenLambda's demonstration has it: {"op": "keystroke", "pref": "ab"}.
"""

import bisect

# The first is Debian's name for whichever list is chosen; it may be a link by way of /etc, where a sandbox cannot look.
WORD_LISTS = ("/usr/share/dict/words", "/usr/share/dict/american-english")
LIMIT_DEFAULT = 10
LIMIT_MAX = 100


def load_words(paths):
    """The words of the first list that is there, lower-case, sorted, each once; None when none is."""
    for path in paths:
        try:
            with open(path, encoding="utf-8") as lines:
                return sorted({line.strip().lower() for line in lines} - {""})
        except FileNotFoundError:
            continue
    return None


WORDS = load_words(WORD_LISTS)


def complete(words, prefix, limit):
    """The first `limit` words that begin with `prefix`, and how many there are."""
    begin = bisect.bisect_left(words, prefix)
    # Behind every word with the prefix, and before all that are greater: the prefix with the last code point.
    end = bisect.bisect_left(words, prefix + "\U0010ffff", begin)
    return words[begin : min(end, begin + limit)], end - begin


def handler(event, context):
    if WORDS is None:
        raise RuntimeError(f"there is no word list at {WORD_LISTS[0]}: install the package wamerican on the node")
    if event.get("op", "keystroke") != "keystroke":
        return {"error": "bad op"}
    prefix = event.get("prefix", event.get("pref", ""))
    limit = event.get("limit", LIMIT_DEFAULT)
    if not isinstance(prefix, str):
        raise ValueError("'prefix' has to be a string")
    if not isinstance(limit, int) or not 0 < limit <= LIMIT_MAX:
        raise ValueError(f"'limit' has to be a number from 1 to {LIMIT_MAX}")
    words, total = complete(WORDS, prefix.lower(), limit)
    return {"prefix": prefix, "words": words, "total": total}

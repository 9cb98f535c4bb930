"""The functions in handlers/examples, deployed as a user would and asked as their README says."""

import base64
import json
import pathlib
import struct
import zlib

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "handlers" / "examples"


@pytest.fixture(scope="module", autouse=True)
def functions(node):
    for directory in sorted(path for path in EXAMPLES.iterdir() if path.is_dir()):
        result = node.run("deploy", directory.name, directory)
        assert result.returncode == 0, result.stderr


def ask(node, name, event):
    result = node.run("invoke", name, "-d", json.dumps(event))
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def refusal(node, name, event):
    result = node.run("invoke", name, "-d", json.dumps(event))
    assert result.returncode != 0
    return result.stdout + result.stderr


def test_hello(node):
    assert ask(node, "hello", {"name": "world"}) == {"message": "Hello, world!"}
    assert ask(node, "hello", {}) == {"message": "Hello, world!"}


def test_echo(node):
    assert ask(node, "echo", {"any": ["JSON", 1, None]}) == {"any": ["JSON", 1, None]}


def test_autocomplete(node):
    answer = ask(node, "autocomplete", {"prefix": "serv", "limit": 5})
    assert len(answer["words"]) == 5 and answer["total"] > 5
    assert answer["words"] == sorted(answer["words"]) and all(word.startswith("serv") for word in answer["words"])
    assert ask(node, "autocomplete", {"op": "keystroke", "pref": "serv"})["words"][:5] == answer["words"]
    assert ask(node, "autocomplete", {"prefix": "zzzz"})["words"] == []
    assert ask(node, "autocomplete", {"op": "bad"}) == {"error": "bad op"}
    assert "limit" in refusal(node, "autocomplete", {"prefix": "a", "limit": 0})


def test_wordcount(node):
    answer = ask(node, "wordcount", {"text": "to be or not\nto be", "top": 2})
    assert answer == {"bytes": 18, "lines": 2, "words": 6, "distinct": 4, "top": [["to", 2], ["be", 2]]}
    text = ("Ein Gelüst, " * 7000).encode()
    answer = ask(node, "wordcount", {"base64": base64.b64encode(text).decode(), "top": 1})
    assert answer == {"bytes": 91_000, "lines": 1, "words": 14_000, "distinct": 2, "top": [["ein", 7000]]}
    assert "text" in refusal(node, "wordcount", {})


def png(width, height, channels, pixel):
    """A PNG whose pixel at (x, y) is pixel(x, y), made with each of the five row filters in turn."""
    rows, above, packed = [], bytes(width * channels), b""
    for y in range(height):
        row = b"".join(bytes(pixel(x, y)) for x in range(width))
        kind = y % 5
        packed += bytes([kind]) + bytes(
            (value - predicted(kind, row, above, i, channels)) & 0xFF for i, value in enumerate(row))
        rows.append(row)
        above = row
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(packed)) + chunk(b"IEND", b""))


def predicted(kind, row, above, i, step):
    """What PNG's filter `kind` expects at byte i, from the specification's table."""
    left = row[i - step] if i >= step else 0
    up, corner = above[i], above[i - step] if i >= step else 0
    estimate = left + up - corner
    nearest = min((abs(estimate - left), 0, left), (abs(estimate - up), 1, up), (abs(estimate - corner), 2, corner))[2]
    return [0, left, up, (left + up) // 2, nearest][kind]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_thumbnail_shrinks_every_kind_of_png(node, channels):
    # Left half dark, right half bright: so is the thumbnail.
    image = png(90, 60, channels, lambda x, y: [20 + channel if x < 45 else 220 for channel in range(channels)])
    answer = ask(node, "thumbnail", {"image": base64.b64encode(image).decode(), "size": 30})
    assert (answer["width"], answer["height"], answer["was"]) == (30, 20, [90, 60])
    small = base64.b64decode(answer["image"])
    at = small.index(b"IDAT")
    length = struct.unpack_from(">I", small, at - 4)[0]
    rows = zlib.decompress(small[at + 4 : at + 4 + length])
    stride = 30 * channels + 1
    assert len(rows) == stride * 20
    for y in range(20):
        row = rows[y * stride + 1 : (y + 1) * stride]
        assert list(row[:channels]) == [20 + channel for channel in range(channels)]
        assert list(row[-channels:]) == [220] * channels


def test_thumbnail_says_what_is_wrong(node):
    image = png(8, 8, 3, lambda x, y: (x, y, 0))
    for broken, word in ((image[:40], "cut off"), (image[:50] + b"\0\0" + image[52:], "damaged"), (b"GIF89a", "PNG")):
        assert word in refusal(node, "thumbnail", {"image": base64.b64encode(broken).decode()})
    assert "size" in refusal(node, "thumbnail", {"image": "", "size": 0})

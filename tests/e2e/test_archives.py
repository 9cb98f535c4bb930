"""Archives that must not be unpacked: 400 with the reason, and nothing left behind."""

import base64
import io
import json
import stat
import struct
import warnings
import zipfile

import pytest

from clients import ROLE, curl, reason_of, zip_of

MIB = 1024 * 1024
SOURCE = "def f(event):\n    return 'deployed'\n"


def with_entry(name, content=b"", mode=stat.S_IFREG | 0o644, times=1):
    """A good bundle and one entry more."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f.py", SOURCE)
        for _ in range(times):
            info = zipfile.ZipInfo(name)
            info.create_system = 3  # Unix: the mode is in the upper half of the attributes.
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            with warnings.catch_warnings(action="ignore"):  # of a name that is there twice: that is the point
                archive.writestr(info, content)
    return data.getvalue()


def encrypted():
    """The same bundle with the flag that says its entries are encrypted."""
    data = bytearray(zip_of({"f.py": SOURCE}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        flags = struct.unpack_from("<H", data, at)[0]
        struct.pack_into("<H", data, at, flags | 1)
    return bytes(data)


def damaged():
    data = bytearray(zip_of({"f.py": SOURCE * 100}))
    at = data.index(b"f.py") + 10
    data[at : at + 8] = b"\xff" * 8
    return bytes(data)


BAD = {
    "not a zip": b"this is not a zip archive",
    "empty": b"",
    "cut off": zip_of({"f.py": SOURCE * 100})[:-30],
    "damaged": damaged(),
    "encrypted": encrypted(),
    "no files": zip_of({}),
    "an absolute path": with_entry("/etc/troupe-was-here"),
    "a parent path": with_entry("../troupe-was-here"),
    "a parent path inside": with_entry("a/../../troupe-was-here"),
    "a backslash parent path": with_entry("..\\..\\troupe-was-here"),
    "a link out": with_entry("link", b"../../../etc", stat.S_IFLNK | 0o777),
    "an absolute link": with_entry("link", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "a device": with_entry("null", b"", stat.S_IFCHR | 0o666),
    "a block device": with_entry("disk", b"", stat.S_IFBLK | 0o666),
    "a fifo": with_entry("pipe", b"", stat.S_IFIFO | 0o666),
    "a name twice": with_entry("twice.py", b"x = 1", times=2),
    "a name too long": with_entry("n" * 2000),
    "a bomb": zip_of({"f.py": SOURCE, "zeros": bytes(64 * MIB)}),
    "too much unpacked": zip_of({"f.py": SOURCE, **{f"zeros{i}": bytes(8 * MIB) for i in range(33)}}),
    "too many entries": zip_of({"f.py": SOURCE, **{f"e/{i}": "" for i in range(20_001)}}),
}


def create(node, name, archive):
    body = {"FunctionName": name, "Runtime": "python3", "Role": ROLE, "Handler": "f.f",
            "Code": {"ZipFile": base64.b64encode(archive).decode()}}
    return curl(node, "/2015-03-31/functions", "-H", "Content-Type: application/json", data=json.dumps(body))


def left_behind(node):
    """Everything below the data directory except the database's own files, and what must not be beside it."""
    inside = {path.relative_to(node.data).as_posix() for path in node.data.rglob("*")}
    outside = {path.as_posix() for path in node.directory.rglob("*troupe-was-here*")}
    return {path for path in inside if not path.startswith("db")} | outside


@pytest.mark.parametrize("archive", [pytest.param(archive, id=name) for name, archive in BAD.items()])
def test_a_bad_archive_is_refused_with_the_reason_and_leaves_nothing(node, archive):
    before = left_behind(node)
    answer = create(node, "bad", archive)
    assert answer.status == 400, answer.body
    assert answer.headers["x-amzn-errortype"].startswith("InvalidParameterValueException")
    assert str(node.data) not in reason_of(answer)
    assert left_behind(node) == before
    assert curl(node, "/2015-03-31/functions/bad").status == 404


def test_an_archive_over_fifty_mebibytes_is_refused(node):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("f.py", SOURCE)
        archive.writestr("filler", bytes(50 * MIB))
    assert create(node, "large", data.getvalue()).status in (400, 413)


def test_a_good_archive_with_folders_links_inside_and_modes_is_taken(node):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("package/__init__.py", "WORD = 'deployed'\n")
        archive.writestr("f.py", "import os, package\ndef f(event):\n"
                                 "    return [package.WORD, os.access('tool', os.X_OK), open('alias.txt').read()]\n")
        archive.writestr("real.txt", "content")
        for name, content, mode in (("tool", "#!/bin/sh\n", stat.S_IFREG | 0o755),
                                    ("alias.txt", "real.txt", stat.S_IFLNK | 0o777)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)
    assert create(node, "good", data.getvalue()).status == 201
    assert curl(node, "/run/good", data={}).json() == ["deployed", True, "content"]


def test_a_refused_update_changes_nothing(node):
    assert create(node, "kept", zip_of({"f.py": SOURCE})).status == 201
    body = {"ZipFile": base64.b64encode(BAD["a link out"]).decode()}
    answer = curl(node, "/2015-03-31/functions/kept/code", "-X", "PUT", data=body)
    assert answer.status == 400
    assert curl(node, "/run/kept", data={}).json() == "deployed"

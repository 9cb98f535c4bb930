"""Bundles that are attacks themselves: links that lead out, bits that give rights."""

import base64
import io
import pathlib
import stat
import zipfile

import pytest

from clients import ROLE, curl

LINK, FILE = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644

SOURCE = "def f(event):\n    return 1\n"

# Entries beside f.py, {outside} standing for a directory of the node's machine that holds secret.txt.
OUT_OF_THE_BUNDLE = {
    "an absolute link": [("link", "{outside}/secret.txt", LINK)],
    "a relative link": [("link", "../../../../../../../../../..{outside}/secret.txt", LINK)],
    "a link to a folder, and a file through it": [("link", "{outside}", LINK), ("link/planted.txt", "planted", FILE)],
    "a link to the bundle, and out through it": [("a", ".", LINK), ("a/b", "../../../../../../../../..{outside}", LINK),
                                                 ("a/b/planted.txt", "planted", FILE)],
    "a link in a folder": [("sub/link", "../../../../../../../../../..{outside}", LINK),
                           ("sub/link/planted.txt", "planted", FILE)],
    "a link that another replaces": [("x", "f.py", LINK), ("x", "{outside}/secret.txt", LINK)],
    "a file in place of a link": [("x", "{outside}/secret.txt", LINK), ("x", "overwritten", FILE)],
    "links in a chain": [("one", "two", LINK), ("two", "three/..", LINK), ("three", "{outside}", LINK)],
    "a path that climbs": [("../../../../../../../../../..{outside}/planted.txt", "planted", FILE)],
    "an absolute path": [("{outside}/planted.txt", "planted", FILE)],
}


def archive_of(entries):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("f.py", SOURCE)
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)
    return data.getvalue()


def create(node, name, archive):
    body = {"FunctionName": name, "Runtime": "python3", "Role": ROLE, "Handler": "f.f",
            "Code": {"ZipFile": base64.b64encode(archive).decode()}}
    return curl(node, "/2015-03-31/functions", "-H", "Content-Type: application/json", data=body)


@pytest.fixture
def outside(tmp_path):
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "secret.txt").write_text("the machine's secret")
    return directory


def changed(outside):
    """What was planted there or overwritten."""
    files = {path.name: path.read_text() for path in outside.iterdir()}
    return {name: text for name, text in files.items() if (name, text) != ("secret.txt", "the machine's secret")}


def entries_of(name, outside):
    return [(path.format(outside=outside), content.format(outside=outside), mode)
            for path, content, mode in OUT_OF_THE_BUNDLE[name]]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", OUT_OF_THE_BUNDLE)
def test_nothing_leads_out_of_a_bundle(world, outside, name):
    answer = create(world.node, "links", archive_of(entries_of(name, outside)))
    try:
        assert answer.status == 400, "such a bundle was taken"
    finally:
        if answer.status == 201:
            curl(world.node, "/2015-03-31/functions/links", "-X", "DELETE")
    assert changed(outside) == {}
    world.check_unharmed()


def unpack_blindly(data, directory):
    """As an unpacker does that believes what an archive says."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            path = pathlib.Path(f"{directory}/{info.filename}" if info.filename[0] != "/" else info.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(info.external_attr >> 16):
                path.unlink(missing_ok=True)
                path.symlink_to(archive.read(info).decode())
            else:
                path.write_bytes(archive.read(info))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", OUT_OF_THE_BUNDLE)
def test_unpacked_blindly_each_leads_out(tmp_path, outside, name):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    unpack_blindly(archive_of(entries_of(name, outside)), bundle)
    leads_out = [path for path in bundle.rglob("*") if not path.resolve().is_relative_to(bundle)]
    assert changed(outside) or leads_out


def test_a_bundle_has_no_bits_that_give_rights(world):
    """The hostile one brought a file with a setuid bit, which belongs to the machine's root once it is unpacked."""
    files = [path for path in world.node.data.rglob("*") if path.is_file()]
    assert [path for path in files if path.name == "setuid-id"], "the file with the bit was not unpacked"
    assert [path for path in files if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)] == []

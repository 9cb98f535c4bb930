"""`troupe cluster certs`: what it makes, what it keeps, and what it does not do."""

import fcntl
import json
import os
import pathlib
import shutil
import ssl
import stat
import subprocess
import time

import pytest

import ordinary_user
from node import PROGRAM, command_environment


class Certs:
    """Runs the command for one directory."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, *arguments, become=lambda *command: command):
        command = become(PROGRAM, "cluster", "certs", "--directory", self.directory, *arguments)
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60,
                              env=command_environment())

    def make(self, *arguments):
        """What was done, by name."""
        result = self.run(*arguments, "--format", "json")
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return {row["name"]: row for row in json.loads(result.stdout)}

    def refused(self, *arguments, **how):
        """The one line that says why; nothing may have changed."""
        before = self.contents()
        result = self.run(*arguments, **how)
        assert result.returncode > 0 and result.stdout == ""
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert self.contents() == before
        return result.stderr

    def contents(self):
        if not self.directory.is_dir():
            return None
        return {file.name: file.read_bytes() for file in self.directory.iterdir()}

    def mode(self, name=""):
        return stat.S_IMODE((self.directory / name).stat().st_mode)


@pytest.fixture
def certs(tmp_path):
    return Certs(tmp_path / "tls")


def until(row):
    """Seconds since the epoch."""
    return ssl.cert_time_to_seconds(ssl._ssl._test_decode_cert(row["certificate"])["notAfter"])


def test_all_files_are_there_with_their_modes_and_no_others(certs):
    done = certs.make("store", "worker-1")
    assert {name: row["done"] for name, row in done.items()} == {"ca": "made", "store": "made", "worker-1": "made"}
    assert certs.mode() == 0o700
    assert sorted(certs.contents()) == sorted(f"{name}.{kind}" for name in done for kind in ("pem", "key"))
    for name, row in done.items():
        assert certs.mode(f"{name}.key") == 0o600 and certs.mode(f"{name}.pem") == 0o644
        assert row["certificate"] == str(certs.directory / f"{name}.pem")
        assert row["key"] == str(certs.directory / f"{name}.key")


@pytest.mark.parametrize("umask", [0, 0o177])
def test_modes_do_not_depend_on_the_umask(certs, umask):
    def with_umask(*command):
        return ["sh", "-c", f'umask {umask:o} && exec "$@"', "sh", *command]
    certs.directory.mkdir(mode=0o700)
    assert certs.run("n1", become=with_umask).returncode == 0
    assert certs.mode("n1.key") == certs.mode("ca.key") == 0o600
    assert certs.mode("n1.pem") == certs.mode("ca.pem") == 0o644


def test_what_is_there_stays_and_the_authority_is_used_again(certs):
    certs.make("n1")
    before = certs.contents()
    done = certs.make("n1", "n2")
    assert {name: row["done"] for name, row in done.items()} == {"ca": "kept", "n1": "kept", "n2": "made"}
    after = certs.contents()
    assert {name: after[name] for name in before} == before and set(after) - set(before) == {"n2.pem", "n2.key"}


def test_renewing_is_for_the_nodes_that_are_named_alone(certs):
    certs.make("n1", "n2")
    before = certs.contents()
    done = certs.make("--renew", "n1", "n3")
    assert {name: row["done"] for name, row in done.items()} == {"ca": "kept", "n1": "renewed", "n3": "made"}
    after = certs.contents()
    assert {name for name in before if before[name] != after[name]} == {"n1.pem", "n1.key"}
    assert set(after) - set(before) == {"n3.pem", "n3.key"}
    assert certs.mode("n1.key") == 0o600


def test_certificates_hold_for_as_many_days_as_were_asked_for(certs):
    now = time.time()
    done = {**certs.make("standard"), **certs.make("--days", 3, "short"), **certs.make("--days", 3650, "long")}
    for name, days in {"standard": 365, "short": 3, "long": 3650, "ca": 3650}.items():
        assert abs(until(done[name]) - now - days * 86400) < 60, name
    assert until(done["long"]) <= until(done["ca"])
    expected = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(until(done["short"])))
    assert done["short"]["valid_until"] == expected


def test_the_table_says_what_to_write_into_the_configuration(certs):
    result = certs.run("n1", "n2")
    assert result.returncode == 0
    title, *rows = result.stdout.split("\n\n")[0].splitlines()
    assert title.split() == ["NAME", "DONE", "CERTIFICATE", "KEY", "VALID", "UNTIL"]
    assert [row.split()[:2] for row in rows] == [["ca", "made"], ["n1", "made"], ["n2", "made"]]
    configuration = certs.directory / "n2.conf"
    configuration.write_text('[node]\nname = "n2"\n' + result.stdout[result.stdout.index("  [cluster]"):])
    shown = subprocess.run([PROGRAM, "config", "show", "--config", configuration, "--format", "json"], check=True,
                           capture_output=True, env=command_environment())
    values = {row["name"]: row["value"] for row in json.loads(shown.stdout)}
    assert values["cluster.tls-certificate"] == str(certs.directory / "n2.pem")
    assert values["cluster.tls-key"] == str(certs.directory / "n2.key")
    assert values["cluster.tls-ca"] == str(certs.directory / "ca.pem")


@pytest.mark.parametrize("arguments, words", [
    ((), "NODE is required"),
    (("N_1",), '"N_1" is no name of a node'),
    (("../n1",), '"../n1" is no name of a node'),
    (("n1", ""), '"" is no name of a node'),
    (("n" * 64,), "is no name of a node"),
    (("n1\nn2",), '"n1\\nn2" is no name of a node'),
    (("n1", "n2", "n1"), "n1 is named twice"),
    (("ca",), "the files of the authority"),
    (tuple(f"n{i}" for i in range(1025)), "at most 1024 nodes"),
    (("--days", "0", "n1"), "--days"),
    (("--days", "3651", "n1"), "--days"),
    (("--days", "soon", "n1"), "--days"),
    (("--format", "xml", "n1"), "--format"),
])
def test_a_command_line_that_makes_no_sense_makes_nothing(certs, arguments, words):
    assert words in certs.refused(*arguments)
    assert not certs.directory.exists()


def test_a_place_where_no_directory_can_be_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("text")
    assert f"{file}: Not a directory" in Certs(file).refused("n1")
    assert file.read_text() == "text"
    nowhere = Certs(tmp_path / "nowhere" / "tls")
    assert nowhere.refused("n1") == f"troupe: {nowhere.directory}: No such file or directory\n"
    unnamed = subprocess.run([PROGRAM, "cluster", "certs", "--directory", "", "n1"], capture_output=True, text=True,
                             cwd=tmp_path, env=command_environment())
    assert unnamed.returncode == 2 and unnamed.stderr == "troupe: a directory needs a name\n"


def test_a_directory_that_cannot_be_written_to_is_named():
    ordinary_user.skip_without(PROGRAM)
    home = ordinary_user.make_directory()
    try:
        certs = Certs(home / "tls")
        os.chown(home, 0, 0)
        line = certs.refused("n1", become=ordinary_user.become_user)
        assert line == f"troupe: {certs.directory}: Permission denied\n"
        certs.directory.mkdir(mode=0o755)
        line = certs.refused("n1", become=ordinary_user.become_user)
        assert line == f"troupe: {certs.directory}/ca.key: Permission denied\n"
    finally:
        shutil.rmtree(home)


def test_a_full_disk_leaves_whole_files_only(certs):
    # Three pages: both files of the authority fit, and one of the two of the node.
    def on_small_disk(*command):
        script = 'mount -t tmpfs -o size=12k none "$0" && "$@"; echo "$?" >&2; ls -A "$0" >&2'
        return ["unshare", "--mount", "sh", "-c", script, certs.directory, *command]
    certs.directory.mkdir()
    result = certs.run("n1", become=on_small_disk)
    line, code, *files = result.stderr.splitlines()
    assert line == f"troupe: {certs.directory}/n1.pem: No space left on device" and code == "9" and result.stdout == ""
    assert files == ["ca.key", "ca.pem"]


def test_a_second_process_has_to_wait_its_turn(certs):
    certs.directory.mkdir()
    held = os.open(certs.directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another process makes certificates there" in certs.refused("n1")
    finally:
        os.close(held)
    assert certs.make("n1")["n1"]["done"] == "made"


def spoil(directory, what):
    """Makes something of n1, or of the authority, unfit."""
    other = Certs(directory.parent / "other")
    other.make("n1")
    own = {"no PEM": ("n1.pem", b"text"), "no key": ("n1.key", b""), "other key": ("n1.key", "n2.key"),
           "other name": ("n1", "n2"), "other authority": ("n1", other.directory / "n1"),
           "ca no PEM": ("ca.pem", b"text"), "ca other key": ("ca.key", "n1.key"), "ca no authority": ("ca", "n1"),
           "too large": ("n1.pem", b"x" * 70_000)}
    target, source = own[what]
    if isinstance(source, bytes):
        (directory / target).write_bytes(source)
        return
    for kind in [""] if "." in target else [".pem", ".key"]:
        (directory / f"{target}{kind}").write_bytes(pathlib.Path(directory, f"{source}{kind}").read_bytes())


@pytest.mark.parametrize("what, words", [
    ("no PEM", "its certificate is none in PEM"),
    ("no key", "its key is no private key in PEM without a password"),
    ("other key", "its key does not belong to its certificate"),
    ("other name", "its certificate is for 'n2'"),
    ("other authority", "its certificate is of another authority"),
    ("too large", "larger than 65536 bytes"),
])
def test_a_node_whose_files_are_unfit_is_named_and_can_be_renewed(certs, what, words):
    certs.make("n1", "n2")
    spoil(certs.directory, what)
    line = certs.refused("n3", "n1")
    assert words in line and "n1" in line and "--renew" in line
    assert certs.make("--renew", "n1")["n1"]["done"] == "renewed"
    assert certs.make("n1")["n1"]["done"] == "kept"


@pytest.mark.parametrize("what, words", [
    ("ca no PEM", "its certificate is none in PEM"),
    ("ca other key", "its key does not belong to its certificate"),
    ("ca no authority", "its certificate is not one that signs others"),
])
def test_an_authority_that_is_unfit_is_never_replaced(certs, what, words):
    certs.make("n1")
    spoil(certs.directory, what)
    for renew in [], ["--renew"]:
        line = certs.refused("n1", *renew)
        assert words in line and f"the authority in {certs.directory}" in line


@pytest.mark.parametrize("gone, left", [("pem", "key"), ("key", "pem")])
def test_half_of_a_pair_is_not_taken_for_nothing(certs, gone, left):
    certs.make("n1")
    (certs.directory / f"n1.{gone}").unlink()
    assert f"{certs.directory}/n1.{left}: is there without n1.{gone}; --renew" in certs.refused("n1")
    assert certs.make("--renew", "n1")["n1"]["done"] == "renewed"
    (certs.directory / f"ca.{gone}").unlink()
    assert f"{certs.directory}/ca.{left}: is there without ca.{gone}" in certs.refused("--renew", "n1")


@pytest.mark.parametrize("name", ["ca", "n1"])
def test_a_key_that_everybody_can_read_is_not_used(certs, name):
    certs.make("n1")
    (certs.directory / f"{name}.key").chmod(0o644)
    assert f"{certs.directory}/{name}.key: everybody on this machine can read the key" in certs.refused("n1")
    (certs.directory / f"{name}.key").chmod(0o640)
    assert certs.make("n1")["n1"]["done"] == "kept"


def test_what_is_no_file_is_not_read(certs):
    certs.make("n1")
    (certs.directory / "n1.pem").unlink()
    os.mkfifo(certs.directory / "n1.pem")
    result = certs.run("n1")
    assert result.returncode == 2 and "n1.pem: is no file" in result.stderr
    assert certs.make("--renew", "n1")["n1"]["done"] == "renewed"

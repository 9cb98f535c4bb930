"""`troupe doctor`: what the machine offers, in a table and in JSON, with a sandbox made to try."""

import json
import os
import pathlib
import subprocess

import pytest

PROGRAM = os.environ["TROUPE_PROGRAM"]
PARTS = ["privileges", "user ids", "processes", "namespaces", "system calls", "system call filter",
         "cgroup memory", "cgroup pids", "cgroup cpu", "cgroup freezer", "network egress", "a sandbox"]


def doctor(*arguments, wrapper=()):
    return subprocess.run([*wrapper, PROGRAM, "doctor", *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def test_a_machine_that_runs_these_tests_is_well():
    result = doctor("--format", "json")
    assert result.returncode == 0, result.stderr
    parts = json.loads(result.stdout)
    assert [part["part"] for part in parts] == PARTS
    assert all(part["state"] == "ok" or part["remedy"] for part in parts)
    assert parts[-1]["state"] == "ok"


def test_the_table_names_the_same_parts():
    result = doctor()
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["PART", "STATE", "FOUND", "WHAT", "TO", "DO"]
    assert [line.split("  ")[0] for line in lines[1:]] == PARTS


def test_it_leaves_nothing_behind():
    before = set(pathlib.Path("/tmp").glob("troupe-doctor-*"))
    doctor()
    assert set(pathlib.Path("/tmp").glob("troupe-doctor-*")) == before
    assert not list(pathlib.Path("/sys/fs/cgroup").glob("**/troupe-doctor-*"))


def test_it_does_without_a_missing_limit():
    """In a mount namespace where the pids controller is not mounted."""
    hide = "umount -l /sys/fs/cgroup/pids 2>/dev/null; exec \"$@\""
    if not pathlib.Path("/sys/fs/cgroup/pids/tasks").exists():
        pytest.skip("the pids controller is not a hierarchy of its own here")
    result = doctor("--format", "json", wrapper=("unshare", "-m", "sh", "-c", hide, "sh"))
    parts = {part["part"]: part for part in json.loads(result.stdout)}
    assert result.returncode == 0, result.stderr
    assert parts["cgroup pids"]["state"] == "relaxed only"
    assert parts["a sandbox"]["state"] == "ok"

"""An ordinary user for nodes that root has not started: who that is, and which places are that user's."""

import functools
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

import pytest

UID = 59_999  # of nobody on a Debian machine, and with no entry anywhere

CONTROLLERS = {"memory", "pids", "cpu", "freezer"}


def become_user(*command):
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *map(str, command)]


@functools.cache
def missing(program):
    """Why no node can be tried as this user; empty when one can."""
    if subprocess.run(become_user("test", "-x", program), check=False).returncode != 0:
        return f"an ordinary user cannot reach {program}"
    if subprocess.run(become_user("unshare", "--user", "--map-root-user", "--mount", "true"), check=False,
                      capture_output=True).returncode != 0:
        return "user namespaces are switched off for ordinary users"
    return ""


def make_directory():
    """Like a temporary directory of pytest, which only root can enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="troupe-user-", dir="/tmp"))
    path.chmod(0o755)
    os.chown(path, UID, UID)
    return path


def hierarchies():
    """The mount points of those with a controller that sandboxes are limited by, and of version 2."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, (kind, _, options) = line.split(), line.split(" - ")[1].split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and CONTROLLERS & set(options.split(","))):
            yield kind, pathlib.Path(fields[4])


class Delegation:
    """A group in each hierarchy that is the user's, as a service manager would hand it over."""

    def __init__(self):
        self.groups = []
        for kind, root in hierarchies():
            group = root / f"troupe-test-{secrets.token_hex(4)}"
            group.mkdir()
            self.groups.append(group)
            if kind == "cgroup2":
                there = CONTROLLERS & set((root / "cgroup.controllers").read_text().split())
                (root / "cgroup.subtree_control").write_text(" ".join("+" + name for name in sorted(there)))
            for path in (group, *map(group.joinpath, ("cgroup.procs", "tasks", "cgroup.subtree_control",
                                                      "cgroup.threads"))):
                if path.exists():
                    os.chown(path, UID, UID)

    def inside(self, command):
        """The command, started by root and run by the user, in these groups."""
        join = " ".join(f"echo 0 > {group}/cgroup.procs;" for group in self.groups)
        return ["sh", "-c", f'set -e; {join} exec "$@"', "sh", *become_user(*command)]

    def left(self):
        """The groups that somebody has made below and not removed; the innermost first."""
        return sorted((below for group in self.groups for below in group.rglob("*") if below.is_dir()), reverse=True)

    def remove(self):
        for group in self.left() + self.groups:
            group.rmdir()


class User:
    """Runs commands as the user, with the places that the user needs; `remove` takes those away."""

    def __init__(self, *, delegated=True):
        self.directory = make_directory()
        self.delegation = Delegation() if delegated else None

    def command(self, command):
        return self.delegation.inside(command) if self.delegation else become_user(*command)

    def groups_left(self):
        return self.delegation.left() if self.delegation else []

    def remove(self):
        if self.delegation:
            self.delegation.remove()
        shutil.rmtree(self.directory)


def skip_without(program):
    """Skips the file or the test of whoever calls it, where no such node can be."""
    if reason := missing(program):
        pytest.skip(reason, allow_module_level=True)

"""What a node could leave behind, as /proc and the cgroup file systems tell it."""

import ctypes
import os
import pathlib
import subprocess

# What a node leaves running becomes a child of the test, which can then see it.
PR_SET_CHILD_SUBREAPER = 36
if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
    raise OSError("the test cannot become a subreaper")

# Processes that are meant to run: everything else below the test is a stray.
expected_children = set()


def processes():
    """{pid: (state, parent)} of all processes."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue  # It ended meanwhile.
            found[int(entry.name)] = (state, int(parent))
    return found


def descendants(pid):
    """The process and all below it."""
    table, found, fresh = processes(), [], [pid]
    while fresh:
        found += fresh
        fresh = [child for child, (_, parent) in table.items() if parent in fresh]
    return found


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def stray_children():
    """{pid: command} of the test's living children that are no node; reaps those that have ended."""
    strays = {}
    for pid, (state, parent) in processes().items():
        if parent != os.getpid() or pid in expected_children:
            continue
        if state == "Z":
            os.waitpid(pid, os.WNOHANG)
        else:
            strays[pid] = command_of(pid)
    return strays


def run_expected(command, input=None, timeout=None, **how):
    """subprocess.run for a thread beside which another one looks for strays, and would reap the command."""
    with subprocess.Popen(command, stdin=subprocess.PIPE if input is not None else None, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **how) as process:
        expected_children.add(process.pid)
        try:
            output, errors = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            expected_children.discard(process.pid)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def mounts_below(directory):
    return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]


def sockets_below(directory, pid="self"):
    """Those in the network of that process."""
    return [line for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines() if str(directory) in line]


def cgroups_of(pids):
    """The paths, below any hierarchy's root, of the cgroups in which these processes are."""
    found = set()
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            continue
        found |= {line.split(":", 2)[2] for line in lines}
    return found - {"/"}


def existing_cgroups(paths):
    """Of these cgroups and of the directories that hold them, those that are there, in any hierarchy."""
    roots = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
             if " - cgroup" in line]
    tops = {"/" + path.strip("/").split("/")[0] for path in paths}
    return sorted(root + path for root in roots for path in tops if os.path.isdir(root + path))

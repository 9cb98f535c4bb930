"""What a process tree holds, as /proc and the cgroup file systems tell it, and a process that looks every so often."""

import collections
import multiprocessing
import os
import pathlib
import re
import signal
import time

import measuring

MIB = 1024 * 1024
FIELD = re.compile(r"^(\w+):\s+(\d+) kB$", re.M)
SMAPS_HEAD = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \d+\s*(.*)$")


def text_of(path):
    """A file's text; empty when it is not there any more."""
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def links_in(directory):
    """The links in /proc/PID/fd or /proc/PID/ns, by name."""
    try:
        names = os.listdir(directory)
    except OSError:
        return {}
    return {name: target for name in names if (target := link_of(f"{directory}/{name}"))}


def rollup(pid):
    """A process's memory in bytes: {"Pss", "Rss", "Private_Clean", "Private_Dirty", ...}; empty when it has ended."""
    return {name: int(kib) * 1024 for name, kib in FIELD.findall(text_of(f"/proc/{pid}/smaps_rollup"))}


def private(fields):
    return fields.get("Private_Clean", 0) + fields.get("Private_Dirty", 0)


def status_bytes(pid, *names):
    fields = dict(FIELD.findall(text_of(f"/proc/{pid}/status")))
    return [int(fields.get(name, 0)) * 1024 for name in names]


def sandboxes(root):
    """The processes of the node's sandboxes that have a function: these stand in its bundle, blank ones do not."""
    return [pid for pid in measuring.tree(root) if link_of(f"/proc/{pid}/cwd") == "/var/task"]


def kind_of(permissions, name):
    if name.startswith("[heap"):
        return "heap (malloc)"
    if name.startswith("["):
        return "stack" if name == "[stack]" else "kernel's own ([vdso] and the like)"
    if not name or name.startswith("/dev/zero") or "memfd" in name:
        return "anonymous (mmap: objects, arenas)"
    base = re.sub(r"[-.]?[0-9.]*\.so[.0-9]*$", ".so", name.rsplit("/", 1)[-1])
    what = base if base.startswith(("libpython", "troupe-python3")) else "other libraries and files"
    return f"{what}, {'data' if 'w' in permissions or permissions.startswith('r--') else 'code'}"


def by_mapping(pid):
    """{kind of mapping: {"private", "pss"} in bytes} of one process, from its smaps."""
    found = collections.defaultdict(lambda: collections.Counter(private=0, pss=0))
    kind = None
    for line in text_of(f"/proc/{pid}/smaps").splitlines():
        if head := SMAPS_HEAD.match(line):
            kind = kind_of(*head.groups())
        elif line.startswith(("Private_Clean:", "Private_Dirty:")):
            found[kind]["private"] += int(line.split()[1]) * 1024
        elif line.startswith("Pss:"):
            found[kind]["pss"] += int(line.split()[1]) * 1024
    return found


def cgroup_roots():
    """{controller: (version, mount point)} of memory and pids."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, super_options = tail.split(" ", 2)
        point = fields.split()[4]
        names = super_options.split(",") if kind == "cgroup" else []
        if kind == "cgroup2":
            names = text_of(f"{point}/cgroup.controllers").split()
        for name in {"memory", "pids"} & set(names):
            found.setdefault(name, (1 if kind == "cgroup" else 2, pathlib.Path(point)))
    return found


def cgroup_of(pid, controller):
    """The directory of a process's group, or None."""
    version, root = cgroup_roots()[controller]
    for line in text_of(f"/proc/{pid}/cgroup").splitlines():
        number, names, path = line.split(":", 2)
        if (version == 2 and number == "0") or (version == 1 and controller in names.split(",")):
            return root / path.lstrip("/")
    return None


def node_cgroups(root):
    """The directories, one a hierarchy, below which the node has its sandboxes' groups."""
    found = set()
    for pid in measuring.tree(root):
        for controller, (_, top) in cgroup_roots().items():
            group = cgroup_of(pid, controller)
            if group and group.is_relative_to(top) and group.relative_to(top).parts[:1]:
                first = group.relative_to(top).parts[0]
                if first.startswith("troupe-"):
                    found.add(top / first)
    return sorted(found)


def charge(group):
    """What a group (and all below it) is charged for, in bytes: all, and the kernel's own part of it."""
    old, new = text_of(group / "memory.usage_in_bytes"), text_of(group / "memory.current")
    kernel = text_of(group / "memory.kmem.usage_in_bytes") or (
        re.search(r"^kernel (\d+)$", text_of(group / "memory.stat"), re.M) or ["", "0"])[1]
    return {"usage": int(old or new or 0), "kernel": int(kernel)}


def node_charge(root):
    groups = [group for group in node_cgroups(root) if (group / "memory.stat").exists()]
    return sum(charge(group)["usage"] for group in groups)


def pss_of(pids):
    return sum(rollup(pid).get("Pss", 0) for pid in pids)


class Sampler:
    """Calls probes, each every so many seconds, in a process of its own that gives way to others: looking takes nothing
    of the load generator's time. Afterwards `samples` has (time, value) pairs by the probe's name."""

    def __init__(self, **probes):
        self.probes, self.samples = probes, {name: [] for name in probes}

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=self.look, args=(theirs, self.pipe), daemon=True)
        self.process.start()
        theirs.close()
        return self

    def look(self, pipe, other):
        other.close()  # Or the end of the tool would not be seen.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(5)  # Lower still, and it would never look while everything spins.
        due = {name: time.perf_counter() for name in self.probes}
        while not pipe.poll(max(0, min(due.values()) - time.perf_counter())):
            for name, (probe, seconds) in self.probes.items():
                if (now := time.perf_counter()) >= due[name]:
                    self.samples[name].append((now, probe()))
                    due[name] = max(now, due[name] + seconds)
        pipe.send(self.samples)

    def __exit__(self, kind, *_):
        if kind is None:
            self.pipe.send("enough")
            self.samples = self.pipe.recv()
        else:
            self.process.terminate()
        self.process.join()

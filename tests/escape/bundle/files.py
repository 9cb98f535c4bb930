"""Out of the root, into mounts, devices and the kernel's files."""

import fcntl
import os
import re
import signal
import stat

from calls import call, checked, error_of, libc, outcome


def root_identity():
    status = os.stat("/")
    return status.st_dev, status.st_ino


def leave_root(held):
    """The classic way: below a root that was changed twice, `..` of what was held leads past it."""
    os.makedirs("/tmp/jail", exist_ok=True)
    os.chroot("/tmp/jail")
    os.fchdir(held)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")


def chroot(event):
    return outcome({"chroot": error_of(leave_root, os.open("/", os.O_RDONLY | os.O_DIRECTORY))})


def pivot_root(event):
    def pivot():
        os.chdir("/tmp")
        call("pivot_root", b".", b".")
    return outcome({"pivot_root": error_of(pivot)})


def climb(event):
    """`..` from every directory that a descriptor leads to, without changing the root first."""
    found = {}
    for number in range(4097):
        try:
            if stat.S_ISDIR(os.fstat(number).st_mode):
                os.fchdir(number)
                found[number] = sorted(os.listdir("../../../.."))
        except OSError:
            continue
    return bool(found), found


def mount_old(event):
    return outcome({"mount": error_of(lambda: checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)))})


def mount_new(event):
    def mount():
        fs = call("fsopen", b"tmpfs", 0)
        call("fsconfig", fs, 6, None, None, 0)
        mounted = call("fsmount", fs, 0, 0)
        call("move_mount", mounted, b"", -100, b"/tmp", 4)
    return outcome({"fsopen": error_of(mount),
                    "open_tree": error_of(lambda: call("open_tree", -100, b"/tmp", 1))})


def unmount(event):
    return outcome({path: error_of(lambda: checked(libc.umount2(path.encode(), 2))) for path in ("/tmp", "/var/task")})


def remount(event):
    """Makes writable what is mounted read-only."""
    read_only = [path for path in event["mounts"] if os.statvfs(path).f_flag & os.ST_RDONLY]
    assert read_only, "nothing is mounted read-only"
    return outcome({path: error_of(lambda: checked(libc.mount(None, path.encode(), None, 0x1020, None)))
                    for path in read_only})


def write(event):
    """New files, and new content for those there are, where all functions or the node would see them."""
    def create(path):
        os.close(os.open(path + "/troupe-was-here", os.O_CREAT | os.O_WRONLY))
    return outcome({path: error_of(create, path) for path in event["shared"]})


def device(event):
    """A device node that leads to the machine: here the harmless one, whose driver is the same."""
    def make(mode, major, minor):
        os.mknod(event["scratch"] + "/node", mode | 0o666, os.makedev(major, minor))
        os.close(os.open(event["scratch"] + "/node", os.O_RDONLY))
    return outcome({"null": error_of(make, stat.S_IFCHR, 1, 3)})


# Anybody may open these for writing: the one is its PID namespace's and checks at the write, the others take a
# question about the machine's load, which is no secret (/proc/stat).
OPEN_TO_ALL = {"/proc/sys/kernel/ns_last_pid", "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
               "/proc/pressure/irq"}


def kernel_files(event):
    """Whatever in /proc belongs to no process and takes writes; and memory. Nothing is written."""
    found = []
    for folder, folders, files in os.walk("/proc"):
        if folder == "/proc":
            folders[:] = [name for name in folders if not name.isdigit() and name not in ("self", "thread-self")]
        for name in files:
            path = os.path.join(folder, name)
            if path in OPEN_TO_ALL or os.path.islink(path):
                continue
            if error_of(lambda: os.close(os.open(path, os.O_WRONLY))) is None:
                found.append(path)
    found += [path for path in ("/proc/kcore", "/proc/kmsg", "/dev/mem", "/dev/kmsg")
              if error_of(lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))) is None]
    return bool(found), found[:20]


def host_program(event):
    """The program that serves the handler is a file of the machine, and /proc leads to it. Nothing is written."""
    return os.access("/proc/self/exe", os.W_OK), os.readlink("/proc/self/exe")


def sync_all(event):
    """Has the machine write out all that its file system holds, which others then wait for."""
    folder = os.open(event["system"], os.O_RDONLY)
    return outcome({"syncfs": error_of(lambda: checked(libc.syncfs(folder)))})


def sys_tree(event):
    return os.path.exists("/sys/kernel") or os.path.exists("/sys/fs/cgroup"), os.listdir("/")


def host_files(event):
    """What the node has on disk, by the paths that it has there, from every root in reach."""
    roots = ["", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/../..", "/.."]
    found = [root + path for root in roots for path in event["paths"] if os.path.exists(root + path)]
    return bool(found), found


def readable_memory(pid):
    """Pieces of a process's memory, overlapping a little."""
    piece, overlap = 1 << 20, 64
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or first >= 1 << 47:
                continue
            for start in range(first, last, piece):
                try:
                    memory.seek(start)
                    yield f"/proc/{pid}/mem", memory.read(min(piece + overlap, last - start))
                except OSError:
                    continue


def readable_files(roots):
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        with open(path, "rb") as file:
                            yield path, file.read(64 << 20)
                except OSError:
                    continue


def all_in_reach(roots):
    yield from readable_files(roots)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline", "cwd/secret.txt", "root/tmp/secret.txt"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    yield f"/proc/{pid}/{name}", file.read()
            except OSError:
                continue
        try:
            yield from readable_memory(pid)
        except OSError:
            continue


def search(event):
    """Another function's secret, wherever it may lie. The event holds only how secrets begin, in two parts, so that
    what is found is not the search itself."""
    pattern = re.compile("".join(event["secret_begins"]).encode() + rb"[0-9a-f]{32}")
    looked, found = 0, {}
    for place, content in all_in_reach(event["search"]):
        looked += len(content)
        for secret in pattern.findall(content):
            found.setdefault(place, secret.decode())
    return bool(found), {"found": found, "bytes": looked}


def watches(event):
    def inotify():
        os.close(checked(libc.inotify_init1(0)))
    return outcome({"inotify": error_of(inotify), "fanotify": error_of(lambda: call("fanotify_init", 0x200, 0))})


def directory_notes(event):
    """dnotify, older than inotify: a signal when somebody reads in a directory that all share."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    folder = os.open("/usr/lib", os.O_RDONLY)
    return outcome({"F_NOTIFY": error_of(fcntl.fcntl, folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)})


notes = [0]


def count_notes(event):
    """How often such signals have come. The first call asks for them."""
    def take_note(*_):
        notes[0] += 1

    def watch():
        folder = os.open(event["folder"], os.O_RDONLY)
        fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)
    if signal.getsignal(signal.SIGIO) == signal.SIG_DFL:
        signal.signal(signal.SIGIO, take_note)
        return False, error_of(watch)
    return notes[0] > 0, notes[0]


def read_shared(event):
    with open(event["file"], "rb") as file:
        return True, len(file.read())


def lease(event):
    """A lease on a file that all share holds up whoever opens it for writing, and tells of it."""
    file = os.open("/usr/bin/env", os.O_RDONLY)
    return outcome({"F_SETLEASE": error_of(fcntl.fcntl, file, fcntl.F_SETLEASE, fcntl.F_RDLCK)})


held_locks = []


def hold_lock(event):
    """Locks a file that all share, for as long as this sandbox lives."""
    held_locks.append(os.open(event["file"], os.O_RDONLY))
    return outcome({"flock": error_of(fcntl.flock, held_locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)})

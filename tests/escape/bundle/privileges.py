"""More rights than were given."""

import ctypes
import os
import resource
import signal
import subprocess

from calls import NAMESPACES, call, checked, error_of, libc, native, outcome

PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_GET_NO_NEW_PRIVS = 23, 27, 39
KEYCTL_READ, KEYCTL_SEARCH, SESSION_KEYRING = 11, 10, -3


def effective_capabilities(text):
    line = [line for line in text.splitlines() if line.startswith("CapEff:")][0]
    return int(line.split()[1], 16)


def own_capabilities():
    with open("/proc/self/status") as file:
        return effective_capabilities(file.read())


def become_root(event):
    errors = {"setuid": error_of(os.setuid, 0), "setgid": error_of(os.setgid, 0),
              "setgroups": error_of(os.setgroups, [0]), "setresuid": error_of(os.setresuid, 0, 0, 0)}
    return outcome(errors)


def capabilities(event):
    """Takes all that there are, and keeps those it has."""
    header = (ctypes.c_uint * 2)(0x20080522, 0)
    everything = (ctypes.c_uint * 6)(*[0xFFFFFFFF] * 6)
    error = error_of(lambda: call("capset", header, everything))
    return own_capabilities() != 0, {"capset": error, "effective": hex(own_capabilities())}


def exec_as_root(event):
    """A program that root executes gets capabilities back, unless somebody has seen to it."""
    error_of(os.setuid, 0)
    text = subprocess.run(["/usr/bin/cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    return effective_capabilities(text) != 0, hex(effective_capabilities(text))


def file_capabilities(event):
    path = "/tmp/capable"
    with open(path, "w"):
        pass
    everything = b"\x01\x00\x00\x02" + b"\xff" * 16  # VFS_CAP_REVISION_2, effective
    return outcome({"setxattr": error_of(os.setxattr, path, "security.capability", everything)})


def setuid_file(event):
    """Executes files with a setuid bit: one of the bundle, and one of its own making."""
    own = event["scratch"] + "/id"
    with open(event["setuid"], "rb") as file, open(own, "wb") as copy:
        copy.write(file.read())
    os.chmod(own, 0o755)
    errors = {"chown": error_of(os.chown, own, 0, 0), "chmod": error_of(os.chmod, own, 0o6755)}
    users = {path: subprocess.run([path, "-u"], capture_output=True, text=True).stdout.strip()
             for path in (event["setuid"], own)}
    return "0" in users.values(), {**errors, **users}


def new_user_namespace(event):
    def clone3():
        arguments = (ctypes.c_uint64 * 8)(NAMESPACES["user"], 0, 0, 0, 17, 0, 0, 0)
        if call("clone3", arguments, ctypes.sizeof(arguments)) == 0:
            os._exit(0)

    def clone():
        if (result := native.clone_into(NAMESPACES["user"])) < 0:
            raise OSError(-result, "")
    return outcome({"clone": error_of(clone), "clone3": error_of(clone3),
                    "unshare": error_of(lambda: checked(libc.unshare(NAMESPACES["user"])))})


def new_namespaces(event):
    return outcome({name: error_of(lambda: checked(libc.unshare(flag)))
                    for name, flag in NAMESPACES.items() if name != "user"})


def join_namespaces(event):
    """Those of the first process, and all behind a descriptor."""
    def join(path):
        call("setns", os.open(path, os.O_RDONLY), 0)
    paths = [f"/proc/1/ns/{name}" for name in NAMESPACES if name != "time"]
    paths += [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd") if int(number) > 4]
    return outcome({path: error_of(join, path) for path in paths})


def no_new_privileges(event):
    return libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)


def securebits(event):
    return libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == 0, libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0)


def bounding_set(event):
    held = [number for number in range(64) if libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1]
    return bool(held), held


def host_name(event):
    return outcome({"sethostname": error_of(lambda: checked(libc.sethostname(b"owned", 5)))})


def name_of_the_machine(event):
    return os.uname().nodename == event["machine"], os.uname().nodename


def keys(event):
    """A key of whoever started the node."""
    def read():
        key = call("keyctl", KEYCTL_SEARCH, SESSION_KEYRING, b"user", event["key"].encode(), 0)
        buffer = ctypes.create_string_buffer(64)
        call("keyctl", KEYCTL_READ, key, buffer, len(buffer))
    return outcome({"search and read": error_of(read)})


# Input, output, and the channel to the node, which the runtime has moved to these two.
GIVEN = {0, 1, 2, 62, 63}


def descriptors(event):
    """What was inherited, and not given: every number is tried."""
    found = {}
    for number in set(range(4097)) - GIVEN - set(event["report_fds"]):
        try:
            os.fstat(number)
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
    return bool(found), found


def priority(event):
    """Before everybody else."""
    return outcome({"nice": error_of(os.setpriority, os.PRIO_PROCESS, 0, -10),
                    "real time": error_of(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))})


def resources(event):
    """Above the limits: core files, open files, and timers, which are counted for the node's user, too."""
    def open_many():
        for _ in range(1100):
            os.dup(0)
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    core = resource.getrlimit(resource.RLIMIT_CORE)[1]
    errors = {"open 1100 files": error_of(open_many), "core files": None if core != 0 else "none",
              "500 timers": error_of(lambda: [checked(libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())))
                                              for _ in range(500)])}
    return outcome(errors)


def file_size(event):
    """A file far larger than /tmp, which takes no space."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(event["scratch"] + "/large", "wb") as file:
        return outcome({"ftruncate": error_of(os.ftruncate, file.fileno(), 1 << 40)})


def cgroup_names(event):
    """Where the node keeps this sandbox is nobody's business."""
    with open("/proc/self/cgroup") as file:
        names = sorted({line.strip().split(":", 2)[2] for line in file})
    return names != ["/"], names

"""Runs an attack without a cage, in the namespaces in which it was started, which end with it.

Usage: plain.py BUNDLE NATIVE SCRATCH ATTACK EVENT. Here is what the attacks look for: a neighbour with a secret, a port
and a socket that listen, files of a node. All of it lies in SCRATCH or in the namespaces.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import secrets
import shutil
import socket
import struct
import subprocess
import sys

UNPRIVILEGED = 1000
ANSWERS = 63  # where a handler has the pipe of its answers
SECRET_BEGINS = ["troupe-se", "cret-"]


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0x41)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(control, 0x8914, request)
        with open("/proc/self/net/dev") as devices:
            assert "lo:" in devices.read()


def add_interface():
    """A second one with an address and a route, as a machine has; its other end leads nowhere."""
    for arguments in ("link add troupe0 type veth peer name troupe1", "address add 192.0.2.2/24 dev troupe0",
                      "link set troupe0 up", "link set troupe1 up"):
        subprocess.run(["ip", *arguments.split()], check=True)


def start_neighbour(secret):
    """A process of another user function, as it were, that has started."""
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    process = subprocess.Popen(["/usr/bin/python3", "-c", code], env={"SECRET": secret}, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"here\n"
    return process


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def main():
    bundle, native, scratch, attack, more = sys.argv[1:]
    mount("-t", "tmpfs", "-o", "mode=777", "scratch", scratch)
    scratch = pathlib.Path(scratch)
    sys.dont_write_bytecode = True
    shutil.copytree(bundle, scratch / "bundle", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(native, scratch / "bundle")
    sys.path.insert(0, str(scratch / "bundle"))
    setuid = scratch / "setuid-id"
    shutil.copy("/usr/bin/id", setuid)
    setuid.chmod(0o4755)
    (scratch / "read-only").mkdir()
    mount("--bind", scratch / "read-only", scratch / "read-only")
    mount("-o", "remount,bind,ro", scratch / "read-only")
    secret = "".join(SECRET_BEGINS) + secrets.token_hex(16)
    raise_loopback()
    add_interface()
    neighbour = start_neighbour(secret)
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0troupe-plain")
    abstract.listen()
    shared_memory_key = 4711
    assert ctypes.CDLL(None).shmget(shared_memory_key, 4096, 0o1600) >= 0
    event = {"attack": attack, "own": [1], "pids": [neighbour.pid], "paths": [str(setuid)],
             "ports": [listener.getsockname()[1]], "addresses": ["127.0.0.1"], "abstract": ["troupe-plain"], "scratch": str(scratch),
             "shared": [str(scratch)], "mounts": [str(scratch / "read-only")], "setuid": str(setuid),
             "search": [str(scratch)], "system": str(scratch), "shared_memory": shared_memory_key,
             "secret_begins": SECRET_BEGINS, **json.loads(more)}
    drain = subprocess.Popen(["/usr/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    os.dup2(drain.stdin.fileno(), ANSWERS)
    import f

    if event.get("unprivileged"):
        os.setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
        os.setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
    report = f.f(event)
    report["left"] = [path.parent.name for path in pathlib.Path("/proc").glob("[0-9]*/comm")
                      if path.read_text().strip() == event.get("mark")]
    print(json.dumps(report))


main()

"""What the hostile handlers run in: nodes, nodes with a weak cage, and namespaces that are thrown away."""

import ctypes
import functools
import io
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import zipfile

import traces
from clients import ROLE, boto3_client, curl, invoke
from node import PROGRAM, wait_until

HERE = pathlib.Path(__file__).parent
WEAK_HOST = pathlib.Path(os.environ.get("WEAK_HOST", PROGRAM.parent / "tests/escape/weak-python3")).resolve()
NATIVE = pathlib.Path(os.environ.get("ESCAPE_NATIVE", PROGRAM.parent / "tests/escape/escape-native.so")).resolve()

libc = ctypes.CDLL(None)

# How a secret begins, in two parts: a search for it must not find itself.
SECRET_BEGINS = ["troupe-se", "cret-"]

NEIGHBOUR = """
import os
BORN = os.urandom(8).hex()
with open("/var/task/secret.txt") as file:
    SECRET = file.read()
with open("/tmp/secret.txt", "w") as file:
    file.write(SECRET)
def f(event):
    return [BORN, event, open("/tmp/secret.txt").read() == SECRET == os.environ["SECRET"]]
"""


@functools.cache
def steps():
    """The cage's list, as it was compiled."""
    return subprocess.run([WEAK_HOST, "steps"], capture_output=True, text=True, check=True).stdout.splitlines()


def hostile_bundle():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((HERE / "bundle").glob("*.py")):
            archive.write(path, path.name)
        archive.write(NATIVE, NATIVE.name)
        setuid = zipfile.ZipInfo("setuid-id")
        setuid.create_system, setuid.external_attr = 3, 0o104755 << 16
        archive.writestr(setuid, pathlib.Path("/usr/bin/id").read_bytes())
    return data.getvalue()


def deploy_bundle(node, name, archive, **configuration):
    boto3_client(node.endpoint).create_function(
        FunctionName=name, Runtime="python3", Role=ROLE, Handler="f.f", Code={"ZipFile": archive},
        **{"MemorySize": 128, "Timeout": 30, **configuration})


class World:
    """A node with a hostile function and its neighbour, which has a secret in all places where one can have it."""

    def __init__(self, node):
        self.node = node
        self.secret = "".join(SECRET_BEGINS) + secrets.token_hex(16)
        self.hostile_bundle = hostile_bundle()
        deploy_bundle(node, "hostile", self.hostile_bundle)
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("f.py", NEIGHBOUR)
            archive.writestr("secret.txt", self.secret)
        deploy_bundle(node, "neighbour", data.getvalue(), Environment={"Variables": {"SECRET": self.secret}})
        # It runs before any hostile sandbox is, and stays: a zygote that knew of it would pass that on.
        self.born = invoke(node, "neighbour", 0)[0][0]
        self.shared_memory_key = secrets.randbelow(1 << 30) + 1
        self.shared_memory = libc.shmget(self.shared_memory_key, 4096, 0o1666)  # IPC_CREAT, for everybody
        assert self.shared_memory >= 0
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0troupe-escape-" + secrets.token_hex(8))
        self.abstract.listen()

    def close(self):
        libc.shmctl(self.shared_memory, 0, None)  # IPC_RMID
        self.abstract.close()

    def event(self, attack, **more):
        """What an attacker could know at best: the machine's process numbers, ports and paths."""
        processes = traces.descendants(self.node.pid)
        return {"attack": attack, "own": [1], "pids": processes, "paths": [str(self.node.data), str(HERE), "/etc/shadow", "/root"],
                "ports": listening_ports(), "addresses": addresses(), "search": ["/bin/../tmp", "/var", "/etc", "/dev"],
                "abstract": [self.abstract.getsockname()[1:].decode(), *abstract_names()], "scratch": "/tmp",
                "shared": ["", "/usr", "/usr/lib", "/etc", "/dev", "/var", "/var/task"],
                "mounts": ["/usr", "/var/task", "/"], "setuid": "/var/task/setuid-id", "key": "troupe-escape",
                "system": "/usr", "shared_memory": self.shared_memory_key,
                "machine": os.uname().nodename, "secret_begins": SECRET_BEGINS, **more}

    def run(self, attack, **more):
        """The attack's report. A sandbox that did not survive it has not succeeded."""
        report, answer = invoke(self.node, "hostile", self.event(attack, **more))
        if "FunctionError" in answer:
            return {"attack": attack, "succeeded": False, "detail": report}
        if "fault" in report:
            raise RuntimeError(report["fault"])  # of the attack, which has shown nothing
        assert report["attack"] == attack
        return report

    def renew(self):
        """The next attack finds a fresh sandbox: one that succeeds may leave nothing as it was."""
        boto3_client(self.node.endpoint).delete_function(FunctionName="hostile")
        deploy_bundle(self.node, "hostile", self.hostile_bundle)

    def processes_left(self):
        """Those in sandboxes beside each one's first, which is the node's own child."""
        table = traces.processes()
        return [pid for pid in traces.descendants(self.node.pid)[1:] if pid in table and table[pid][1] != self.node.pid]

    def check_unharmed(self):
        """The node answers, the neighbour is the same sandbox as before, and no process is left of the attack."""
        wait_until(lambda: not self.processes_left(), "the attack's processes have ended")
        assert curl(self.node, "/healthz").status == 200
        mark = secrets.token_hex(4)
        assert invoke(self.node, "neighbour", mark)[0] == [self.born, mark, True]


def weak_program(directory, omitted):
    """A `troupe` beside a host program whose cage lacks these steps."""
    directory.mkdir()
    for source, name in ((PROGRAM, "troupe"), (WEAK_HOST, "troupe-python3")):
        try:
            os.link(source, directory / name)
        except OSError:  # another file system
            shutil.copy2(source, directory / name)
    (directory / "omitted-steps").write_text("".join(step + "\n" for step in omitted))
    return directory / "troupe"


def run_plain(attack, **more):
    """The attack as a process without a cage, in a world of its own: see plain.py."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)  # for an attacker who is not root
        return run_in_scratch(scratch, attack, more)


def run_in_scratch(scratch, attack, more):
    command = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
               "/usr/bin/python3", HERE / "plain.py", HERE / "bundle", NATIVE, scratch, attack, json.dumps(more)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    if "fault" in report:
        raise RuntimeError(report["fault"])
    return report


def listening_ports():
    """Every TCP port on which the machine listens."""
    lines = [line.split() for name in ("tcp", "tcp6")
             for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]]
    return sorted({int(fields[1].rpartition(":")[2], 16) for fields in lines if fields[3] == "0A"})


def addresses():
    """The machine's, as far as names and routes tell them."""
    found = {"127.0.0.1", "::1"}
    for line in pathlib.Path("/proc/net/fib_trie").read_text().split("Local:")[1].splitlines():
        if "|--" in line or "+--" in line:
            found.add(line.split("-- ")[1].split("/")[0])
    return sorted(address for address in found if not address.endswith((".0", ".255")))


def abstract_names():
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]
    return sorted({fields[7][1:] for fields in map(str.split, lines) if len(fields) > 7 and fields[7].startswith("@")})

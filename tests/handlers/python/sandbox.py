"""A node's end of the frames, for tests: starts `driver` on a bundle and speaks with the processes that it forks."""
import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import time

INVOKE, READY, FAILED, RESULT = 1, 2, 3, 4
NONE, RAISED, INVALID_EVENT = 0, 1, 2

REQUEST_ID = "0190a000-1111-7222-8333-444455556666"
PATIENCE_S = 60


def text(value):
    data = value.encode()
    return b"\xda" + struct.pack(">H", len(data)) + data


def invoke_frame(event, request_id=REQUEST_ID, deadline_ms=None, client_context=""):
    if deadline_ms is None:
        deadline_ms = int(time.time() * 1000) + 3000
    header = b"\x94\x01" + text(request_id) + b"\xd3" + struct.pack(">q", deadline_ms) + text(client_context)
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    return struct.pack("<II", len(header), len(payload)) + header + payload


def no_json(name):
    raise AssertionError(f"{name} is not JSON")


class Closed(Exception):
    """The process ended its channel."""


class Channel:
    """The node's ends of a process's two pipes."""

    def __init__(self):
        self.theirs = [None, None]  # what the process reads events from, and writes answers to
        self.theirs[0], self.events = os.pipe()
        self.answers, self.theirs[1] = os.pipe()

    def release_theirs(self):
        for end in self.theirs:
            os.close(end)

    def recv(self, size):
        """At most `size` bytes; none when the process has closed its end."""
        if not select.select([self.answers], [], [], PATIENCE_S)[0]:
            raise TimeoutError("the process does not answer")
        return os.read(self.answers, size)

    def sendall(self, data):
        while data:
            data = data[os.write(self.events, data):]

    def close(self):
        for name in ("events", "answers"):
            end, closed = getattr(self, name), -1
            setattr(self, name, closed)
            if end != closed:
                os.close(end)


class Sandbox:
    """One process; `log()` is what it wrote to descriptors 1 and 2 so far."""

    def __init__(self, channel, group):
        self.channel, self.group = channel, group

    def receive(self):
        prefix = self._exactly(8)
        header_size, payload_size = struct.unpack("<II", prefix)
        header = self._exactly(header_size)
        assert header_size == 3 and header[0] == 0x92, header
        return header[1], header[2], self._exactly(payload_size)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.channel.recv(size - len(data))
            if not piece:
                assert not data, "the channel closed in the middle of a frame"
                raise Closed
            data += piece
        return data

    def ready(self):
        kind, flag, payload = self.receive()
        assert (kind, flag, payload) == (READY, 0, b""), payload
        return self

    def failed(self):
        kind, flag, payload = self.receive()
        assert (kind, flag) == (FAILED, 0)
        return json.loads(payload)

    def send(self, event, **header):
        self.channel.sendall(invoke_frame(event, **header))

    def result(self):
        kind, flag, payload = self.receive()
        assert kind == RESULT
        return flag, payload

    def call(self, event, **header):
        """The answer of an invocation that must succeed."""
        self.send(event, **header)
        flag, payload = self.result()
        assert flag == NONE, payload
        return json.loads(payload, parse_constant=no_json)

    def error(self, event, **header):
        """The error document of one that must raise."""
        self.send(event, **header)
        flag, payload = self.result()
        assert flag == RAISED, payload
        return json.loads(payload)

    def log(self):
        return self.group.log()


class Group:
    """The processes of one `driver`, forked from one interpreter."""

    def __init__(self, root, handler, count=1, memory_mb=128, variables=(), outer_environment=None):
        channels = [Channel() for _ in range(count)]
        numbers = [end for channel in channels for end in channel.theirs]
        command = [os.environ["TROUPE_PYTHON_DRIVER"], str(root), handler, str(memory_mb), ",".join(map(str, numbers))]
        command += [f"{name}={value}" for name, value in variables]
        self.log_read, log_write = os.pipe()
        os.set_blocking(self.log_read, False)
        self.driver = subprocess.Popen(command, pass_fds=numbers, stdin=subprocess.DEVNULL, stdout=log_write,
                                       stderr=log_write, env=outer_environment, start_new_session=True)
        os.close(log_write)
        self.sandboxes, self.whole_log = [], b""
        for channel in channels:
            channel.release_theirs()
            self.sandboxes.append(Sandbox(channel, self))

    def log(self):
        """What was written since the last call."""
        data = b""
        while True:
            try:
                piece = os.read(self.log_read, 65536)
            except BlockingIOError:
                piece = b""
            if not piece:
                break
            data += piece
        self.whole_log += data
        return data.decode()

    def statuses(self):
        """Exit codes (negative: signals) of the processes, once all have ended; closes the channels."""
        for sandbox in self.sandboxes:
            sandbox.channel.close()
        self.driver.wait(PATIENCE_S)
        self.log()
        lines = self.whole_log.decode().splitlines()[-len(self.sandboxes):]
        return [os.waitstatus_to_exitcode(int(line.split()[1])) for line in lines]

    def close(self):
        for sandbox in self.sandboxes:
            sandbox.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait(PATIENCE_S)
        os.close(self.log_read)

"""A client that counts. Asks at a steady rate, however long answers take, and says what became of every request.

Usage: load.py JSON, an object of
  targets   [[network namespace's path, HTTP port] ...], asked one after another
  path      of the function
  rate      requests a second
  seconds   how long, at most
  sleep     what each event asks the function for, in seconds
  patience  after which a request is given up, in seconds
  elsewhere whether a request goes to the next target when nobody has it: its connection was refused, or one that was
            kept open was closed before an answer began

Each event has a number of its own, and its answer has to be the event. Prints how many have been answered well while it
runs, a line each, and ends when its standard input does; the last line is the report, [[when asked, when answered (both
of the monotonic clock), status or what went wrong, the invocation's id, how often it went elsewhere, the body unless it
is the right one] ...]."""

import asyncio
import ctypes
import itertools
import json
import socket
import sys
import time

CLONE_NEWNET = 0x40000000
PROGRESS_SECONDS = 0.1
BODY_BYTES_MAX = 200  # of one that is reported


class Target:
    """A node, and the connections to it that are open and idle."""

    def __init__(self, namespace, port):
        self.namespace = open(namespace, "rb")
        self.port = port
        self.idle = []

    async def connection(self):
        """(socket, whether it was used before)."""
        if self.idle:
            return self.idle.pop(), True
        # A socket belongs to the network that its thread is in when it makes it.
        if ctypes.CDLL(None, use_errno=True).setns(self.namespace.fileno(), CLONE_NEWNET) != 0:
            raise SystemExit(f"cannot enter {self.namespace.name}: error {ctypes.get_errno()}")
        made = socket.socket()
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self.port))
        except BaseException:
            made.close()
            raise
        return made, False


def is_right(answer, event):
    try:
        return json.loads(answer) == event
    except ValueError:
        return False


class Nobody(Exception):
    """Nobody has the request: another target may get it."""


class Broken(Exception):
    """The request may have been run, and there is no answer."""


async def receive(peer, request):
    """(head, body) of the answer to a request."""
    loop = asyncio.get_running_loop()
    data = b""
    try:
        await loop.sock_sendall(peer, request)
        while True:
            head, end, body = data.partition(b"\r\n\r\n")
            if end:
                length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                               if line.startswith(b"content-length:")), 0)
                if len(body) >= length:
                    return head, body
            more = await loop.sock_recv(peer, 65536)
            if not more:
                raise Nobody("closed") if not data else Broken("closed within an answer")
            data += more
    except OSError as problem:
        raise Nobody(type(problem).__name__) if not data else Broken(type(problem).__name__) from None


async def exchange(target, path, event):
    """(status or what is wrong with the answer, the invocation's id, the body unless it is the right one)."""
    body = json.dumps(event).encode()
    try:
        peer, used = await target.connection()
    except OSError as problem:
        raise Nobody(type(problem).__name__) from None
    kept = False
    try:
        head, answer = await receive(peer, b"POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (
            path.encode(), len(body), body))
        lines = head.decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        kept = fields.get("connection") != "close"
    except Nobody as problem:
        if not used:
            raise Broken(f"{problem} without an answer") from None
        raise
    finally:
        if kept:
            target.idle.append(peer)
        else:
            peer.close()
    status = int(lines[0].split()[1])
    name = fields.get("x-amzn-requestid")
    if status == 200 and is_right(answer, event):
        return status, name, None
    return "wrong body" if status == 200 else status, name, answer.decode(errors="replace")[:BODY_BYTES_MAX]


class Load:
    def __init__(self, settings):
        self.settings = settings
        self.targets = [Target(*each) for each in settings["targets"]]
        self.rows = []
        self.good = 0

    async def ask(self, number):
        began, moved = time.monotonic(), 0
        event = {"n": number, "sleep": self.settings["sleep"]}
        end, name, body = "nobody", None, None
        while True:
            target = self.targets[(number + moved) % len(self.targets)]
            try:
                end, name, body = await asyncio.wait_for(exchange(target, self.settings["path"], event),
                                                         self.settings["patience"])
            except Nobody as problem:
                end = f"nobody: {problem}"
                # One that was closed while it was idle says nothing of others: each target may be asked twice.
                if self.settings["elsewhere"] and moved < 2 * len(self.targets):
                    moved += 1
                    continue
            except Broken as problem:
                end = str(problem)
            except asyncio.TimeoutError:
                end = "no answer in time"
            break
        self.good += end == 200
        self.rows.append([began, time.monotonic(), end, name, moved, body])

    async def run(self):
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        loop.add_reader(sys.stdin, stopped.set)
        began, asked, told = time.monotonic(), [], 0
        for number in itertools.count():
            due = began + number / self.settings["rate"]
            if stopped.is_set() or due > began + self.settings["seconds"]:
                break
            await asyncio.sleep(max(0, due - time.monotonic()))
            asked.append(loop.create_task(self.ask(number)))
            if time.monotonic() > told + PROGRESS_SECONDS:
                told = time.monotonic()
                print(self.good, flush=True)
        await asyncio.gather(*asked)  # and ends here if one of them has not been counted
        print(json.dumps(self.rows), flush=True)


if __name__ == "__main__":
    asyncio.run(Load(json.loads(sys.argv[1])).run())

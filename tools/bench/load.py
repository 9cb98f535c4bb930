"""Clients: kept connections that ask one thing at a time, closed loops of many of them, and of processes.

One thread waits for all of them, so that a thousand requests a second take a few percent of a core; what the client has
used is told beside what it has measured. Times are those of time.perf_counter.
"""

import collections
import os
import selectors
import socket
import subprocess
import time

# status: of HTTP, or 0 for a connection that ended and for a process that failed
Answer = collections.namedtuple("Answer", "begin end status body")

DRAIN_SECONDS_MAX = 120  # for answers that are still to come when a loop's time is over


class Connection:
    """A connection that is open before any clock starts; `headers` come with each request."""

    def __init__(self, port, headers=()):
        self.port, self.headers = port, ["Host: bench", "Content-Type: application/json", *headers]
        self.open()

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=DRAIN_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def send(self, path, body):
        head = "\r\n".join([f"POST {path} HTTP/1.1", *self.headers, f"Content-Length: {len(body)}"])
        self.begin = time.perf_counter()
        self.socket.sendall(head.encode() + b"\r\n\r\n" + body)

    def receive(self):
        """Reads what is there; the answer once it is whole, None before."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.close()
            self.open()
            return Answer(self.begin, time.perf_counter(), 0, b"the connection ended")
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < self.length_in(head):
            return None
        self.buffer = b""
        return Answer(self.begin, time.perf_counter(), int(head.split(b" ", 2)[1]), body)

    @staticmethod
    def length_in(head):
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return int(value)
        return 0

    def ask(self, path, body):
        """Sends and waits for the answer."""
        self.send(path, body)
        while (answer := self.receive()) is None:
            pass
        return answer


def all_at_once(port, requests):
    """Sends each (path, body) on a connection of its own at the same time; the answers in the order of the requests."""
    connections = [Connection(port) for _ in requests]
    answers = [None] * len(requests)
    with selectors.DefaultSelector() as selector:
        for at, connection in enumerate(connections):
            selector.register(connection.socket, selectors.EVENT_READ, at)
        for connection, request in zip(connections, requests):
            connection.send(*request)
        while None in answers:
            ready = selector.select(DRAIN_SECONDS_MAX)
            if not ready:
                raise SystemExit(f"{answers.count(None)} of {len(answers)} requests were not answered")
            for key, _ in ready:
                if answers[key.data] is None and (answer := connections[key.data].receive()) is not None:
                    answers[key.data] = answer
                    selector.unregister(key.fileobj)
    for connection in connections:
        connection.close()
    return answers


def closed_loop(port, next_request, clients, seconds, headers=()):
    """So many clients, each of which asks again as soon as it has its answer, until the time is over; all answers."""
    connections = [Connection(port, headers) for _ in range(clients)]
    answers, busy = [], clients
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        deadline = time.perf_counter() + seconds
        for connection in connections:
            connection.send(*next_request())
        while busy and time.perf_counter() < deadline + DRAIN_SECONDS_MAX:
            for key, _ in selector.select(1):
                connection, old = key.data, key.fileobj
                if (answer := connection.receive()) is None:
                    continue
                answers.append(answer)
                if connection.socket is not old:
                    selector.unregister(old)
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                if answer.end < deadline:
                    connection.send(*next_request())
                else:
                    busy -= 1
    for connection in connections:
        connection.close()
    # Those that never came are errors, too.
    answers += [Answer(connection.begin, time.perf_counter(), 0, b"no answer") for connection in connections[:busy]]
    return answers


def process_loop(command, clients, seconds):
    """The same with a process for each request, which is its own answer: its status is 200 when it ends well."""
    answers, running = [], {}
    with selectors.DefaultSelector() as selector:
        def start():
            begin = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            watch = os.pidfd_open(process.pid)
            running[watch] = (process, begin)
            selector.register(watch, selectors.EVENT_READ)

        try:
            deadline = time.perf_counter() + seconds
            for _ in range(clients):
                start()
            while running:
                for key, _ in selector.select(1):
                    process, begin = running.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    answers.append(Answer(begin, time.perf_counter(), 200 if process.wait() == 0 else 0, b""))
                    if answers[-1].end < deadline:
                        start()
        finally:
            for watch, (process, _) in running.items():
                process.kill()
                process.wait()
                os.close(watch)
    return answers

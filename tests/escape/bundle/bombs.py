"""Too much of everything. Each has an end, for the case that nothing stops it."""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import stat

from calls import libc, native

MIB = 1 << 20


def processes(event):
    """More than a sandbox may have."""
    made = native.fork_bomb(event.get("count", 400))
    return made >= event.get("count", 400), made


def memory(event):
    """More than the function has. Where that is stopped, there is no answer."""
    had = native.memory_bomb(event["mib"])
    return had >= event["mib"], had


def files(event):
    """Fills /tmp, in files that stay below the limit of one file."""
    written = 0
    try:
        for number in range(event["mib"] // 64 + 1):
            with open(f"{event['scratch']}/fill{number}", "wb", buffering=0) as file:
                for _ in range(64):
                    written += file.write(bytes(MIB))
    except OSError as error:
        return False, [errno.errorcode[error.errno], written // MIB]
    return True, written // MIB


def inodes(event):
    """Files without content."""
    made = 0
    try:
        while made < event["count"]:
            libc.mknod(f"{event['scratch']}/n{made}".encode(), 0o100644, ctypes.c_ulong(0)) == 0 or raise_last()
            made += 1
    except OSError as error:
        return False, [errno.errorcode[error.errno], made]
    return True, made


def raise_last():
    if (code := ctypes.get_errno()) != errno.EEXIST:
        raise OSError(code, os.strerror(code))


def connected(kind):
    """Two sockets of one's own loopback, the sending one first."""
    if kind == "unix":
        return socket.socketpair()
    sending, receiving = (socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
                          for _ in range(2))
    receiving.bind(("127.0.0.1", 0))
    if kind == "udp":
        sending.connect(receiving.getsockname())
        return sending, receiving
    receiving.listen()
    sending.connect(receiving.getsockname())
    with receiving:
        return sending, receiving.accept()[0]


def fill(sending, kind):
    """Sends until nothing more is taken; UDP forgets what its receiver has no room for."""
    sent = 0
    sending.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(8 if kind == "udp" else 1 << 20):
            sent += sending.send(bytes(20_000 if kind == "udp" else 65536))
    return sent


def sockets(event):
    """Memory of the kernel: data that was sent and that nobody reads."""
    held, sent = [], 0
    with contextlib.suppress(OSError):
        while sent < event["mib"] * MIB:
            held += connected(event["kind"])
            sent += fill(held[-2], event["kind"])
    return sent >= event["mib"] * MIB, [len(held), sent // MIB]


def log(event):
    """Pours into the log for as long as it is let."""
    line = b"flood " * 10 + b"\n"
    written = native.pour(1, line * 1000, len(line) * 1000, event["mib"] * MIB)
    return True, written // MIB


def answers_pipe():
    """The highest descriptor that is a pipe and can be written to: the runtime keeps it out of the way."""
    for number in range(1023, 2, -1):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode) and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_WRONLY:
                return number
        except OSError:
            continue
    raise AssertionError("there is no such pipe")


def frames(event):
    """Pours what is no frame into the pipe of the answers, for ever."""
    garbage = bytes.fromhex(event["garbage"]) * 1000
    written = native.pour(answers_pipe(), garbage, len(garbage), event["mib"] * MIB)
    return written >= event["mib"] * MIB, written // MIB


def answer(event):
    """A result that is far too large."""
    return True, "x" * (event["mib"] * MIB)

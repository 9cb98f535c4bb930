"""Everything that listens, and every kind of socket."""

import os
import socket
import struct

from calls import error_of, libc, outcome

# What a handler may have: sockets between its own processes, and its own loopback.
ORDINARY = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        client.connect(address)


def ports(event):
    """The node's own port, and every other on which the machine listens, by each of its addresses."""
    reached = []
    for address in event["addresses"]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in event["ports"]:
            if error_of(connect, family, (address, port)) is None:
                reached.append(f"{address} {port}")
    return bool(reached), reached


def abstract(event):
    """Unix sockets that have no file, which a root of one's own does not hide."""
    reached = [name for name in event["abstract"] if error_of(connect, socket.AF_UNIX, "\0" + name) is None]
    return bool(reached), reached


def raw(event):
    def make(*kind):
        socket.socket(*kind).close()
    return outcome({"ICMP": error_of(make, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                    "TCP": error_of(make, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP),
                    "packet": error_of(make, socket.AF_PACKET, socket.SOCK_RAW, 0x300)})


def vsock(event):
    """Sockets between virtual machine and host, which know no namespaces."""
    def make():
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    return outcome({"vsock": error_of(make)})


def families(event):
    """Kinds of sockets that hardly anybody needs and in which most faults were found."""
    found = {}
    for family in set(range(1, 46)) - ORDINARY:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
            descriptor = libc.socket(family, kind, 0)
            if descriptor >= 0:
                os.close(descriptor)
                found.setdefault(family, []).append(int(kind))
    return bool(found), found


def netlink(event):
    """Takes the loopback interface down, as whoever administers a network can."""
    def take_down():
        header = struct.pack("=IHHII", 32, 16, 5, 1, 0)  # RTM_NEWLINK, a request that wants an answer
        change = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex("lo"), 0, 1)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
            link.send(header + change)
            code = -struct.unpack_from("=i", link.recv(4096), 16)[0]
        if code:
            raise OSError(code, os.strerror(code))
    return outcome({"RTM_NEWLINK": error_of(take_down)})


def interfaces(event):
    with open("/proc/self/net/dev") as devices:
        found = [line.split(":")[0].strip() for line in devices if ":" in line]
    found.remove("lo")
    return bool(found), found


def outside(event):
    """An address that is no machine's: who has any route at all waits there for an answer."""
    error = error_of(connect, socket.AF_INET, ("192.0.2.1", 80))
    return error != "ENETUNREACH", error

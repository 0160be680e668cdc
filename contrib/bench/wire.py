"""As much of DNS messages as the benchmark needs to know: a question, and what is in its answer."""

import socket
import struct

OPT, RRSIG, NSEC = 41, 46, 47
DO = 0x8000
NXDOMAIN = 3


def query_wire(name, dnssec=False):
    """An A question; with DO in an OPT if so wished."""
    labels = [label.encode() for label in name.rstrip(".").split(".")]
    wire = struct.pack("!6H", 4711, 0, 1, 0, 0, int(dnssec)) + b"".join(bytes([len(label)]) + label for label in labels)
    return wire + b"\0\0\1\0\1" + (b"\0" + struct.pack("!HHIH", OPT, 1232, DO, 0) if dnssec else b"")


def exchange(port, wire, stream, timeout):
    """The reply to one query, None when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(("127.0.0.1", port))
            sock.sendall(struct.pack("!H", len(wire)) + wire if stream else wire)
            reply = sock.recv(4096)[2 if stream else 0:]
        except OSError:
            return None
    return reply if len(reply) > 12 else None


def ask(port, name, stream=False, timeout=0.2):
    """One A question; True when it was answered with NOERROR."""
    reply = exchange(port, query_wire(name), stream, timeout)
    return reply is not None and reply[3] & 15 == 0


def skip_name(wire, at):
    while 0 < wire[at] < 0xc0:
        at += 1 + wire[at]
    return at + (2 if wire[at] else 1)


def types_of(reply):
    """The types of all records of a reply."""
    types, at = set(), skip_name(reply, 12) + 4
    for _ in range(sum(struct.unpack("!3H", reply[6:12]))):
        at = skip_name(reply, at)
        kind, _, _, length = struct.unpack("!HHIH", reply[at:at + 10])
        types.add(kind)
        at += 10 + length
    return types

"""Clients that mean harm: hundreds of connections that idle, drip and never read, and thousands of streams of any shape.
What they get is of no interest; that all others are served as before is."""

import contextlib
import itertools
import random
import resource
import socket
import statistics
import struct
import subprocess
import time

import dns.message
import dns.rcode
import pytest

from rondo import DEFAULT_ZONE, addresses, binary, closed_by_peer, frame, make_query, read_frame, sanitized, until

ZONE = DEFAULT_ZONE + "".join(f'big IN TXT "{i:0250d}"\n' for i in range(200))
HOGS = {"idle": 200, "drip": 200, "deaf": 50}


@pytest.fixture(scope="module", autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def status(server):
    return server.ctl_json("status")


def round_ms(server, number):
    """A client's wait for its answer, by turns over UDP and over a TCP connection of its own; it must come."""
    tcp = number % 2
    start = time.monotonic()
    assert len(addresses(server.query("www.example.com.", tcp=bool(tcp), timeout=5))) == 2
    return (time.monotonic() - start) * 1000


# ---- many connections


class Hogs:
    """Connections that use no more of the server than it lets them: `idle` say nothing, `drip` send a byte now and then
    of a message that never ends, `deaf` ask for megabytes and read none."""

    def __init__(self, stack, server, sources):
        self.socks = {kind: [] for kind in HOGS}
        source = itertools.cycle(sources)
        for kind, count in HOGS.items():
            for _ in range(count):
                sock = stack.enter_context(socket.socket())
                if kind == "deaf":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.bind((next(source), 0))
                sock.connect((server.address, server.port))
                sock.setblocking(False)
                self.socks[kind].append(sock)
        for sock in self.socks["drip"]:
            sock.send(struct.pack("!H", 4000))
        questions = frame(make_query("big.example.com.", "TXT").to_wire()) * 1000
        for sock in self.socks["deaf"]:
            with contextlib.suppress(BlockingIOError):
                sock.send(questions)

    def drip(self):
        for sock in self.socks["drip"]:
            sock.send(b"x")


@pytest.mark.parametrize("sources,limits", [
    (["127.0.0.9"], "tcp_max_per_client = 1000;"),
    ([f"127.0.1.{i}" for i in range(1, 51)], ""),
], ids=["one client", "many clients"])
def test_hogs_leave_service_untouched(rondo, sources, limits):
    server = rondo(zones={"example.com": ZONE}, server=f'tcp_idle = "60s"; {limits}')
    before = [round_ms(server, i) for i in range(100)]
    rss = server.rss_bytes()
    with contextlib.ExitStack() as stack:
        hogs = Hogs(stack, server, sources)
        until(lambda: status(server)["tcp_open"] == sum(HOGS.values()), "all are let in")
        during = []
        for i in range(100):
            if i % 4 == 0:
                hogs.drip()
            during.append(round_ms(server, i))
        assert status(server)["tcp_open"] == sum(HOGS.values()), "none of them had to go"
        grown = server.rss_bytes() - rss
    # Medians, as the machine has other things to do too.
    for over in (0, 1):
        usual, now = statistics.median(before[over::2]), statistics.median(during[over::2])
        print(f"{'TCP' if over else 'UDP'}: {usual:.2f} ms alone, {now:.2f} ms among them, {grown >> 20} MiB more")
        assert now < 3 * usual + 5
    assert grown < 50 * 200 * 1024 + (64 << 20 if sanitized() else 8 << 20)
    until(lambda: status(server)["tcp_open"] == 0, "all are closed")


def test_one_client_has_its_share(rondo):
    """300 connections of one client, the default share being 100; others notice nothing, at the limit of all neither."""
    server = rondo(server='tcp_max = 150; tcp_idle = "60s";')
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(server.tcp_socket(source="127.0.0.7"))
        for i in range(300):
            stack.enter_context(server.tcp_socket(source="127.0.0.8"))
            if i % 20 == 0:
                other.sendall(frame(make_query("www.example.com.").to_wire()))
                assert len(read_frame(other)) > 12
                round_ms(server, 1)
                assert status(server)["tcp_open"] <= 102
        until(lambda: 100 <= status(server)["tcp_open"] <= 102, "the share is used up")


def test_deaf_clients_are_closed_and_forgotten(rondo):
    """What they asked for is held by nobody when their time is over, not by the kernel either."""
    server = rondo(zones={"example.com": ZONE}, server='tcp_idle = "1s"; tcp_max_per_client = 1000;')
    with contextlib.ExitStack() as stack:
        hogs = Hogs(stack, server, ["127.0.0.9"])
        until(lambda: status(server)["tcp_open"] == 0, "all are closed")
        ends = [ending(sock) for sock in hogs.socks["deaf"]]
        assert set(ends) == {"reset"}, "answers held back end with a reset"
        assert all(closed_by_peer(sock) for sock in hogs.socks["idle"] + hogs.socks["drip"])
    server.assert_serving()


def ending(sock):
    """How the connection ends when all that is left of it is read."""
    sock.settimeout(5)
    try:
        while sock.recv(65536):
            pass
        return "closed"
    except ConnectionResetError:
        return "reset"


# ---- requests of every kind


def hostile_requests():
    """(protocol, RCODE or "" for silence, bytes, what it is) of each kind, from the program that has them."""
    program = binary("rondod").parent / "tests" / "helpers" / "hostile-loop"
    if not program.exists():
        pytest.skip("tests/helpers/hostile-loop is not built")
    listed = subprocess.run([str(program), "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        proto, answer, data, what = line.split("\t")
        yield proto, answer.lstrip("?"), bytes.fromhex(data), what


def first_answer(server, sock, data, tcp):
    """What comes first when this request, and an honest one behind it, are sent."""
    honest = make_query("www.example.com.")
    honest.id = 1
    for wire in (data, honest.to_wire()):
        sock.sendall(frame(wire) if tcp else wire)
    return read_frame(sock) if tcp else sock.recv(65535)


def test_every_kind_gets_its_answer(rondo):
    """Those of tests/unit/answer/test_hostile.c, over the network, one worker answering in order."""
    server = rondo(server="workers = 1;")
    mark, kinds = server.log_mark(), list(hostile_requests())
    assert len(kinds) > 80
    for proto, answer, data, what in kinds:
        for tcp in {proto == "tcp", True} if len(data) >= 12 and "over UDP" not in what else {False}:
            with server.tcp_socket() if tcp else server.udp_socket() as sock:
                got = first_answer(server, sock, data, tcp)
            silent = got[:2] == b"\0\1"
            # Read as a query's: dnspython knows no more opcodes than there are.
            reply = dns.message.from_wire(got[:2] + bytes([got[2] & 0x87]) + got[3:])
            rcode = "" if silent else dns.rcode.to_text(reply.rcode()).lower()
            assert rcode == answer, (what, tcp, got.hex())
    assert server.log_since(mark) == ""


# ---- streams of any shape


def messages():
    """Honest ones, large and small, and the classics among others."""
    www = make_query("www.example.com.").to_wire()
    header = struct.pack("!6H", 7, 0, 1, 0, 0, 0)
    return [
        www, make_query("big.example.com.", "TXT", use_edns=0).to_wire(), make_query("no.example.com.", "A").to_wire(),
        www[:11], b"", header, header + b"\xc0\x0c\0\1\0\1", header + b"\x40" * 65 + b"\0\0\1\0\1",
        header + b"\1a" * 128 + b"\0\0\1\0\1", www[:2] + b"\x80" + www[3:], www + b"x" * 60000,
        www[:6] + b"\xff\xff" + www[8:] + b"\0\0\1\0\1\0\0\0\0\0\0" * 5000,
    ]


def stream(rng, wires):
    """Up to eight messages with their lengths, then some bytes changed, cut out or put in."""
    data = bytearray(b"".join(frame(rng.choice(wires)) for _ in range(rng.randrange(1, 9))))
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at:at + rng.randrange(1, 40)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        else:
            del data[at:]
        data = data or bytearray(1)
    return bytes(data)


def play(server, rng, data):
    """Sends it in pieces, and then goes in one way or another."""
    with contextlib.suppress(OSError), server.tcp_socket() as sock:
        at = 0
        while at < len(data):
            size = rng.choice((1, 2, 3, 40, 1000, 70000))
            sock.sendall(data[at:at + size])
            at += size
            if at > 400:
                size = 70000
        how = rng.randrange(4)
        if how == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == 1:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


def test_streams_of_any_shape(rondo):
    """Some thousand of them, an honest client in between; nothing is written about any, and nothing of them stays."""
    server = rondo(zones={"example.com": ZONE}, server="workers = 1;")
    rng = random.Random(20260301)
    wires = messages()
    files, mark, rss = server.open_files(), server.log_mark(), None
    for i in range(3000):
        play(server, rng, stream(rng, wires))
        if i % 100 == 99:
            server.assert_serving()
        if i == 1000:
            rss = server.rss_bytes()
    until(lambda: server.open_files() <= files, "all descriptors are closed")
    assert server.log_since(mark) == ""
    if not sanitized():  # whose freed memory lies in quarantine
        assert server.rss_bytes() - rss < 1 << 20
    server.assert_serving()

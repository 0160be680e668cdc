"""TCP as RFC 7766 and the real world have it: pieces, pipelines, idlers, hogs."""

import contextlib
import resource
import select
import socket
import struct
import time

import dns.message
import pytest

from rondo import (Load, addresses, closed_by_peer, frame, has_ipv6, make_query, rcode, read_exact, read_frame,
                   until)

NAME = "www.example.com."


@pytest.fixture(scope="module", autouse=True)
def many_files():
    """The tests open hundreds of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.fixture(scope="module")
def server(rondo_module):
    return rondo_module()


def query_wire(number=0, name=NAME, rdtype="A"):
    request = make_query(name, rdtype)
    request.id = number
    return request.to_wire()


def assert_answered(sock, number=0):
    reply = dns.message.from_wire(read_frame(sock))
    assert (reply.id, rcode(reply), len(addresses(reply))) == (number, "NOERROR", 2)


def open_many(stack, server, count, **kwargs):
    return [stack.enter_context(server.tcp_socket(**kwargs)) for _ in range(count)]


def is_closed(sock):
    """Has the other side closed, without waiting?"""
    readable, _, _ = select.select([sock], [], [], 0)
    if not readable:
        return False
    try:
        return sock.recv(65536) == b""
    except OSError:
        return True


# ---- framing


def test_byte_by_byte(server):
    data = frame(query_wire(7))
    with server.tcp_socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
        assert_answered(sock, 7)


def test_one_and_a_half_messages(server):
    first, second = frame(query_wire(1)), frame(query_wire(2))
    with server.tcp_socket() as sock:
        sock.sendall(first + second[:9])
        assert_answered(sock, 1)
        sock.sendall(second[9:])
        assert_answered(sock, 2)


def test_connection_is_reused(server):
    with server.tcp_socket() as sock:
        for number in range(50):
            sock.sendall(frame(query_wire(number)))
            assert_answered(sock, number)


def test_pipeline_of_100_in_one_write(server):
    with server.tcp_socket() as sock:
        sock.sendall(b"".join(frame(query_wire(number)) for number in range(100)))
        seen = sorted(struct.unpack("!H", read_frame(sock)[:2])[0] for _ in range(100))
    assert seen == list(range(100))


def test_pipeline_larger_than_any_buffer(server):
    """3,000 questions whose answers exceed socket buffers on both sides, written before anything is read."""
    count = 3000
    data = b"".join(frame(query_wire(number)) for number in range(count))
    with server.tcp_socket() as sock:
        sock.setblocking(False)
        sent, received = 0, b""
        deadline = time.monotonic() + 20
        need = None
        while need is None or len(received) < need:
            assert time.monotonic() < deadline, f"{sent} of {len(data)} bytes sent, {len(received)} received"
            readable, writable, _ = select.select([sock], [sock] if sent < len(data) else [], [], 5)
            if writable:
                sent += sock.send(data[sent:sent + 65536])
            if readable:
                more = sock.recv(65536)
                assert more, "closed in the middle"
                received += more
            if need is None and len(received) >= 2:
                need = count * (2 + struct.unpack("!H", received[:2])[0])  # all answers are of one length
    ids = set()
    while received:
        length = struct.unpack("!H", received[:2])[0]
        ids.add(struct.unpack("!H", received[2:4])[0])
        received = received[2 + length:]
    assert ids == set(range(count))


def test_half_close(server):
    """The client shuts its sending side; what it asked before is answered, then the connection ends."""
    with server.tcp_socket() as sock:
        sock.sendall(frame(query_wire(1)) + frame(query_wire(2)))
        sock.shutdown(socket.SHUT_WR)
        assert_answered(sock, 1)
        assert_answered(sock, 2)
        assert closed_by_peer(sock)


@pytest.mark.parametrize("data", [
    frame(b""), frame(b"\x00"), frame(b"\x00" * 11), struct.pack("!H", 65535) + b"\xff" * 65535,
    b"GET / HTTP/1.1\r\n\r\n" * 4000, frame(b"\x80" * 64),
])
def test_garbage(server, data):
    """Answered with FORMERR or closed, whatever; the server and other connections stay."""
    with server.tcp_socket() as other, server.tcp_socket() as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
        other.sendall(frame(query_wire(3)))
        assert_answered(other, 3)
    server.assert_serving()


def test_reset_in_the_middle(server):
    for _ in range(50):
        sock = server.tcp_socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(frame(query_wire()) + b"\x00")
        sock.close()
    server.assert_serving()


def test_no_delay(server):
    """Ten round trips on one connection: with Nagle and delayed ACK each would cost 40 ms."""
    with server.tcp_socket() as sock:
        best = min(timed_round(sock, number) for number in range(10))
    assert best < 0.03


def timed_round(sock, number):
    start = time.monotonic()
    sock.sendall(frame(query_wire(number)))
    assert_answered(sock, number)
    return time.monotonic() - start


def test_ipv6(rondo):
    if not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    server = rondo(listen=("::1",))
    with server.tcp_socket() as sock:
        sock.sendall(frame(query_wire(5)))
        assert_answered(sock, 5)


# ---- idlers and hogs


def test_idle_and_dripping_connections_leave_service_untouched(rondo):
    """200 connections that say nothing and 200 that send a byte now and then, while others ask in peace."""
    server = rondo(server='tcp_max = 1000; tcp_max_per_client = 1000; tcp_idle = "60s";')
    data = frame(query_wire(9))
    with contextlib.ExitStack() as stack:
        open_many(stack, server, 200)
        dripping = open_many(stack, server, 200)
        with Load(server, NAME) as load:
            for i in range(len(data) - 1):
                for sock in dripping:
                    sock.send(data[i:i + 1])
                start = time.monotonic()
                server.assert_serving()
                assert time.monotonic() - start < 1.0
            load.wait_sent(50)
        assert (load.lost, load.wrong) == (0, 0), load.first_wrong
        for sock in dripping:
            sock.send(data[-1:])
        for sock in dripping:
            assert_answered(sock, 9)


def test_idle_timeout(rondo):
    server = rondo(server='tcp_idle = "1s";')
    with server.tcp_socket() as idle, server.tcp_socket() as busy:
        start = time.monotonic()
        # A connection in use outlives the timeout …
        while not is_closed(idle):
            assert time.monotonic() - start < 10, "never closed"
            busy.sendall(frame(query_wire(1)))
            assert_answered(busy, 1)
            select.select([idle], [], [], 0.1)
        # … and the idle one lived about that long.
        assert 0.8 <= time.monotonic() - start <= 4
        assert closed_by_peer(busy, timeout=10)


def test_half_a_message_does_not_keep_a_connection(rondo):
    """Dripping bytes without ever completing a message is idling too."""
    server = rondo(server='tcp_idle = "1s";')
    data = frame(query_wire(1))
    with server.tcp_socket() as sock:
        start = time.monotonic()
        sock.sendall(data[:5])
        assert closed_by_peer(sock, timeout=10)
        assert time.monotonic() - start >= 0.8


def test_tcp_max_evicts_the_idle(rondo):
    """With tcp_max reached, a newcomer is served and some idle connection goes."""
    server = rondo(server='workers = 1; tcp_max = 10; tcp_max_per_client = 10; tcp_idle = "60s";')
    with contextlib.ExitStack() as stack:
        idle = open_many(stack, server, 10)
        for sock in idle:  # all of them accepted and answered once, hence idle
            sock.sendall(frame(query_wire(1)))
            assert_answered(sock, 1)
        newcomer = stack.enter_context(server.tcp_socket(source="127.0.0.2"))
        newcomer.sendall(frame(query_wire(2)))
        assert_answered(newcomer, 2)
        until(lambda: any(is_closed(sock) for sock in idle), "an idle connection is closed")


def test_per_client_limit(rondo):
    server = rondo(server='workers = 1; tcp_max = 100; tcp_max_per_client = 5; tcp_idle = "60s";')
    with contextlib.ExitStack() as stack:
        kept = open_many(stack, server, 5)
        for sock in kept:
            sock.sendall(frame(query_wire(1)))
            assert_answered(sock, 1)
        # One more takes the place of that which has been idle longest, also when another's has been for longer.
        surplus = stack.enter_context(server.tcp_socket())
        surplus.sendall(frame(query_wire(2)))
        assert_answered(surplus, 2)
        assert closed_by_peer(kept[0], timeout=5)
        other = stack.enter_context(server.tcp_socket(source="127.0.0.3"))
        other.sendall(frame(query_wire(2)))
        assert_answered(other, 2)
        for sock in [*kept[1:], surplus]:
            sock.sendall(frame(query_wire(3)))
            assert_answered(sock, 3)
        until(lambda: server.ctl_json("status")["tcp_open"] == 6, "five and one are open")
        # Room again once one has left.
        kept[1].close()
        until(lambda: server.ctl_json("status")["tcp_open"] == 5, "one has left")
        with server.tcp_socket() as sock:
            sock.sendall(frame(query_wire(4)))
            assert_answered(sock, 4)
        for sock in [*kept[2:], surplus]:
            sock.sendall(frame(query_wire(5)))
            assert_answered(sock, 5)


def test_client_that_never_reads(rondo):
    """It writes questions and reads no answer: its own connection stalls and is closed in the end, nothing else."""
    server = rondo(server='tcp_idle = "2s";')
    chunk = b"".join(frame(query_wire(number)) for number in range(500))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", server.port))
    sock.setblocking(False)
    before = server.rss_bytes()

    def stalled():
        try:
            while True:
                sock.send(chunk)
        except BlockingIOError:
            return not select.select([], [sock], [], 0.3)[1]
        except OSError:
            return True

    with sock:
        until(stalled, "the connection stalls")
        server.assert_serving()
        assert server.rss_bytes() - before < 32 * 1024 * 1024, "answers pile up in memory"

        def gone():
            try:
                sock.send(b"\x00")
                return False
            except BlockingIOError:
                return False
            except OSError:
                return True

        until(gone, "the connection is closed", timeout=15)
    server.assert_serving()


def test_descriptors_come_back(rondo):
    server = rondo(server='tcp_idle = "1s";')
    server.query(NAME, tcp=True)
    before = server.open_files()
    for _ in range(300):
        with server.tcp_socket() as sock:
            sock.sendall(frame(query_wire(1)))
            read_exact(sock, 2)
    until(lambda: server.open_files() <= before, "all descriptors are closed")


def test_stop_with_open_connections(rondo):
    server = rondo()
    with contextlib.ExitStack() as stack:
        socks = open_many(stack, server, 20)
        socks[0].sendall(frame(query_wire(1)))
        assert_answered(socks[0], 1)
        socks[1].sendall(frame(query_wire(1))[:5])
        server.stop()
        assert all(closed_by_peer(sock, timeout=5) for sock in socks)

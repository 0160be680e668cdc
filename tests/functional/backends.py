"""Servers for rondo to check: real sockets on loopback addresses, each with threads of its own, and with all the ways
in which a server can be dead or strange.

    def test_story(rondo, backends):
        web = backends(3)                  # 127.0.0.11, .12, .13, all on web.port
        web[0].stop()                      # connections are refused from now on, those that stand are closed
        web[0].start()                     # the same address and port again
        web[1].manner = status(500)        # what the next checks get
        assert web[2].visits[-1].path == "/healthz"

A manner is a function of (connection, request bytes, backend) that answers and
returns; the connection is closed after it.
"""

import socket
import threading
import time

from rondo import free_port

FIRST = 11
END = b"\r\n\r\n"


# manners


def status(code, body=b"ok\n", headers=()):
    """An HTTP response with that status."""
    lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    message = "\r\n".join(lines).encode() + END + body

    def answer(connection, _request, _backend):
        connection.sendall(message)

    return answer


def raw(message, hold=False):
    """These bytes; then the end, or with `hold` nothing more."""

    def answer(connection, request, backend):
        connection.sendall(message)
        if hold:
            hang(connection, request, backend)

    return answer


def slow(seconds, then):
    """Another manner, later."""

    def answer(connection, request, backend):
        if not backend.halt.wait(seconds):
            then(connection, request, backend)

    return answer


def drip(message, pause):
    """A byte at a time."""

    def answer(connection, _request, backend):
        for i in range(len(message)):
            connection.sendall(message[i:i + 1])
            if backend.halt.wait(pause):
                return

    return answer


def endless(start, piece):
    """`start`, then `piece` for ever."""

    def answer(connection, _request, backend):
        connection.sendall(start)
        while not backend.halt.is_set():
            connection.sendall(piece)

    return answer


def hang(connection, _request, _backend):
    """No answer, until the other side gives up."""
    connection.settimeout(None)
    while connection.recv(65536):
        pass


def hang_up(_connection, _request, _backend):
    """The connection is closed without a word."""


OK = status(200)
ENDLESS_HEADERS = endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"m" * 1000 + b"\r\n")
ENDLESS_HEADER_LINE = endless(b"HTTP/1.1 200 OK\r\nX-More: ", b"m" * 1000)
ENDLESS_BODY = endless(b"HTTP/1.1 200 OK\r\n\r\nok\n", b"m" * 1000)
ENDLESS_CHUNKS = endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"m" * 1000 + b"\r\n")
# What OpenSSL says to somebody who speaks HTTP with it: alert, fatal, unexpected message.
TLS_ALERT = raw(b"\x15\x03\x03\x00\x02\x02\x0a")


# servers


class Visit:
    """One connection: when it came, what it asked for, and when all of the answer was
    handed to the kernel. All by time.monotonic()."""

    def __init__(self):
        self.began = time.monotonic()
        self.answered = None
        self.request = b""
        self.manner = None

    @property
    def path(self):
        return self.request.split(b" ")[1].decode()

    @property
    def host(self):
        (host,) = [line[5:].strip() for line in self.request.split(b"\r\n") if line.lower().startswith(b"host:")]
        return host.decode()


class Backend:
    def __init__(self, address, port, manner=OK):
        self.address, self.port, self.manner = address, port, manner
        self.visits = []
        self.halt = threading.Event()
        self.listener = None
        self.threads = []
        self.open = set()
        self.fillers = []
        self.lock = threading.Lock()

    def listen(self, backlog):
        listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, self.port))
        listener.listen(backlog)
        return listener

    def start(self):
        assert self.listener is None
        self.halt = threading.Event()
        self.listener = self.listen(128)
        self.spawn(self.accept, self.listener)
        return self

    def stop(self):
        """Dead, as if the process had been killed; returns when."""
        self.halt.set()
        if self.listener is not None:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which a close does not
            except OSError:
                pass
            self.listener.close()
            self.listener = None
        died = time.monotonic()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self.threads:
            thread.join(10)
        self.threads = []
        for filler in self.fillers:
            filler.close()
        self.fillers = []
        return died

    def vanish(self):
        """Connections are neither made nor refused: the queue of those that nobody accepts is full."""
        died = self.stop()
        self.listener = self.listen(0)
        for _ in range(4):
            filler = socket.socket(self.listener.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex((self.address, self.port))
            self.fillers.append(filler)
        return died

    def spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads = [other for other in self.threads if other.is_alive()] + [thread]
        thread.start()

    def accept(self, listener):
        while not self.halt.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            visit = Visit()
            with self.lock:
                self.open.add(connection)
            self.visits.append(visit)
            self.spawn(self.serve, connection, visit)

    def serve(self, connection, visit):
        try:
            connection.settimeout(10)
            while END not in visit.request:
                more = connection.recv(65536)
                if not more:
                    return
                visit.request += more
            visit.manner = self.manner
            visit.manner(connection, visit.request, self)
            visit.answered = time.monotonic()
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def gaps(self, first=0):
        """Seconds between the starts of visits, from visit `first` on."""
        began = [visit.began for visit in self.visits[first:]]
        return [b - a for a, b in zip(began, began[1:])]


class Fleet:
    """Backends on consecutive loopback addresses and one port, all started."""

    def __init__(self, count=1, first=FIRST, manner=OK, addresses=None):
        self.addresses = addresses or [f"127.0.0.{first + i}" for i in range(count)]
        self.port = free_port(self.addresses)
        self.backends = [Backend(address, self.port, manner).start() for address in self.addresses]

    def __getitem__(self, index):
        return self.backends[index]

    def __iter__(self):
        return iter(self.backends)

    def __len__(self):
        return len(self.backends)

    def at(self, address):
        return self.backends[self.addresses.index(address)]

    def close(self):
        for backend in self.backends:
            backend.stop()

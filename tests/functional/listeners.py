"""Servers for rondo to check that speak something else than HTTP: lines over TCP, and DNS.

    with Talker("127.0.0.11", says(b"220 mail\\r\\n")) as mail: …        # mail.port, mail.heard
    with NameServer(["127.0.0.12"], refuse) as names: …                  # names.port, names.asked

What a Talker or a NameServer does can be changed at any time: its `manner`.
"""

import socket
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from rondo import free_port

# talkers: functions of (connection, talker)


def says(message, hold=False):
    """These bytes at once, whatever is heard; then the end, or with `hold` the other side's."""

    def talk(connection, talker):
        connection.sendall(message)
        if hold:
            talker.hear(connection)

    return talk


def replies(message):
    """Waits for a line, which is kept in `heard`, and answers it."""

    def talk(connection, talker):
        if talker.hear(connection, b"\n"):
            connection.sendall(message)

    return talk


def silent(connection, talker):
    talker.hear(connection)


class Talker:
    def __init__(self, address, manner, port=None):
        self.address, self.manner = address, manner
        self.port = port or free_port([address])
        self.heard = []
        self.visits = []
        self.listener = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        if self.listener is None:
            return
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.listener = None

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.visits.append(time.monotonic())
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                connection.settimeout(10)
                self.manner(connection, self)
        except OSError:
            pass

    def hear(self, connection, end=None):
        """Everything up to `end`, or the other side's end."""
        heard = b""
        while not end or end not in heard:
            more = connection.recv(4096)
            if not more:
                break
            heard += more
        self.heard.append(heard)
        return heard


# name servers: functions of (query, the times that this very query has come) that give messages or bytes


def answer(query, rcode=dns.rcode.NOERROR, flags=0, records=()):
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    reply.flags |= flags
    for record in records:
        reply.answer.append(dns.rrset.from_text(*record))
    return reply


class NameServer:
    """On several addresses and one port; `manners` by address."""

    def __init__(self, manners):
        self.manners = dict(manners)
        self.addresses = list(self.manners)
        self.port = free_port(self.addresses)
        self.asked = {address: [] for address in self.addresses}
        self.socks = []

    def __enter__(self):
        for address in self.addresses:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, self.port))
            self.socks.append(sock)
            threading.Thread(target=self.serve, args=(sock, address), daemon=True).start()
        return self

    def __exit__(self, *_):
        for sock in self.socks:
            sock.close()

    def serve(self, sock, address):
        while True:
            try:
                wire, client = sock.recvfrom(65535)
                query = dns.message.from_wire(wire)
            except OSError:
                return
            except dns.exception.DNSException:
                continue
            self.asked[address].append((client, query.id))
            for reply in self.manners[address](query, self.asked[address].count((client, query.id))) or []:
                try:
                    sock.sendto(reply if isinstance(reply, bytes) else reply.to_wire(), client)
                except OSError:
                    return

"""A resolver for rondo to ask, on loopback, that says what a test wants: over UDP and TCP, with threads of its own.

    names = resolver()
    names.set("app.example.net", a=["192.0.2.1"], ttl=5)
    server = rondo.prepare(extra=names.config(), …)
    names.fail("app.example.net", "SERVFAIL")      # or NXDOMAIN, REFUSED, "silence"; of one type: rdtype="AAAA"
"""

import collections
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from rondo import free_port, read_exact

TYPES = {"A": dns.rdatatype.A, "AAAA": dns.rdatatype.AAAA}


class Resolver:
    def __init__(self, address="127.0.0.1"):
        self.address = address
        self.port = free_port((address,))
        self.records = {}  # (name, type) → (addresses, ttl, aliases), or the word for what goes wrong
        self.asked = collections.Counter()  # (name, type)
        self.transports = collections.Counter()
        self.lock = threading.Lock()
        self.halt = False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, self.port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, self.port))
        self.tcp.listen(16)
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def config(self, **more):
        keys = " ".join(f"{key} = {value};" for key, value in more.items())
        return f'health: {{ resolvers = [ "{self.address}@{self.port}" ]; {keys} }};\n'

    def set(self, name, a=(), aaaa=(), ttl=5, aliases=()):
        """The name has these addresses; `aliases`: (name, ttl) pairs that lead there."""
        with self.lock:
            self.records[name, "A"] = (list(a), ttl, list(aliases))
            self.records[name, "AAAA"] = (list(aaaa), ttl, list(aliases))

    def fail(self, name, how, rdtype=None):
        with self.lock:
            for one in [rdtype] if rdtype else TYPES:
                self.records[name, one] = how

    def answer(self, wire, transport):
        """The bytes to send; None: not a word."""
        request = dns.message.from_wire(wire)
        question = request.question[0]
        name, rdtype = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        with self.lock:
            self.asked[name, rdtype] += 1
            self.transports[transport] += 1
            found = self.records.get((name, rdtype), "NXDOMAIN")
        reply = dns.message.make_response(request, recursion_available=True)
        if found == "silence":
            return None
        if isinstance(found, str):
            reply.set_rcode(dns.rcode.from_text(found))
            return reply.to_wire()
        addresses, ttl, aliases = found
        owner = question.name
        for alias, alias_ttl in aliases:
            reply.answer.append(dns.rrset.from_text(owner, alias_ttl, "IN", "CNAME", alias + "."))
            owner = dns.name.from_text(alias)
        if addresses:
            reply.answer.append(dns.rrset.from_text(owner, ttl, "IN", rdtype, *addresses))
        if transport == "tcp":
            return reply.to_wire()
        try:
            return reply.to_wire(max_size=max(request.payload, 512))
        except dns.exception.TooBig:
            cut = dns.message.make_response(request, recursion_available=True)
            cut.flags |= dns.flags.TC
            return cut.to_wire()

    def serve_udp(self):
        while not self.halt:
            try:
                wire, peer = self.udp.recvfrom(65535)
                reply = self.answer(wire, "udp") if not self.halt else None
                if reply:
                    self.udp.sendto(reply, peer)
            except OSError:
                if self.halt:
                    return

    def serve_tcp(self):
        while not self.halt:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                try:
                    length, = struct.unpack("!H", read_exact(connection, 2))
                    reply = self.answer(read_exact(connection, length), "tcp")
                    if reply:
                        connection.sendall(struct.pack("!H", len(reply)) + reply)
                except (EOFError, OSError):
                    continue

    def close(self):
        self.halt = True
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.udp.sendto(b"", (self.address, self.port))
        for thread in self.threads:
            thread.join(10)
        self.udp.close()
        self.tcp.close()

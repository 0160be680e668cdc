"""A primary that costs its secondaries nothing to wait for: a process of its own that has the messages of its zone ready
and changes one record of it when told to.

    with Primary({"example.com": 1000000}) as primary:
        primary.change("example.com")      # the address of "changing" and the serial are another
        primary.port, primary.serial("example.com")

The zone has `records` A records h000000 …, one "changing", the NS and its address. IXFR gives each change as a step, or the
whole zone when `whole` was said last. `opens`: before the first change
it answers with SERVFAIL.
"""

import multiprocessing
import os
import signal
import socket
import struct
import threading

SOA, AXFR, IXFR = 6, 252, 251
MESSAGE_MOST = 16384 - 64  # pointers reach all of it
TIMERS = struct.pack("!4I", 3600, 600, 86400, 60)


def wire_name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def a_record(label, address):
    """Its owner a label before the question's name, which is at 12."""
    return bytes([len(label)]) + label.encode() + struct.pack("!HHHIH4s", 0xc00c, 1, 1, 300, 4, address)


def address_of(number):
    return struct.pack("!I", 0x0a000000 | number & 0xffffff)


class Zone:
    def __init__(self, name, records, opens):
        self.name, self.records, self.opens = name, records, opens
        self.question = wire_name(name)
        self.serial = 1
        self.whole = False
        self.body = []  # (records, bytes) of each message

    def make(self):
        """Lazily: the process that measures has no use for it."""
        self.first = b"\xc0\x0c" + struct.pack("!HHIH", 2, 1, 300, 6) + b"\3ns1\xc0\x0c" + \
            a_record("ns1", address_of(53))
        part, count, size = [], 0, 0
        for number in range(self.records):
            record = a_record(f"h{number:06d}", address_of(number))
            if size + len(record) > MESSAGE_MOST - len(self.question) - 64:
                self.body.append((count, b"".join(part)))
                part, count, size = [], 0, 0
            part.append(record)
            count += 1
            size += len(record)
        self.body.append((count, b"".join(part)))

    def soa(self, serial):
        rdata = b"\3ns1\xc0\x0c\1h\xc0\x0c" + struct.pack("!I", serial) + TIMERS
        return b"\xc0\x0c" + struct.pack("!HHIH", SOA, 1, 300, len(rdata)) + rdata

    def changing(self, serial):
        return a_record("changing", address_of(serial))

    def header(self, query_id, kind, count):
        return struct.pack("!6H", query_id, 0x8400, 1, count, 0, 0) + self.question + struct.pack("!HH", kind, 1)

    def whole_zone(self, query_id, kind):
        serial = self.serial
        parts = [(4, self.soa(serial) + self.changing(serial) + self.first), *self.body, (1, self.soa(serial))]
        out = []
        for count, body in parts:
            message = self.header(query_id, kind, count) + body
            out += [struct.pack("!H", len(message)), message]
        return b"".join(out)

    def steps(self, query_id, since):
        serial = self.serial
        parts = [self.soa(serial)]
        for step in range(since, serial):
            parts += [self.soa(step), self.changing(step), self.soa(step + 1), self.changing(step + 1)]
        parts.append(self.soa(serial))
        out, few = [], 400
        for first in range(0, len(parts), few):
            message = self.header(query_id, IXFR, len(parts[first:first + few])) + b"".join(parts[first:first + few])
            out += [struct.pack("!H", len(message)), message]
        return b"".join(out)

    def answer(self, query, kind, stream):
        """Framed messages to a question over TCP; without a frame over UDP, where only the SOA is told."""
        query_id = struct.unpack_from("!H", query)[0]
        if self.opens and self.serial == 1:
            message = struct.pack("!6H", query_id, 0x8402, 1, 0, 0, 0) + self.question + struct.pack("!HH", kind, 1)
            return struct.pack("!H", len(message)) + message if stream else message
        if kind == SOA or not stream:
            message = self.header(query_id, kind, 1) + self.soa(self.serial)
            return struct.pack("!H", len(message)) + message if stream else message
        if kind == IXFR and not self.whole:
            since = struct.unpack_from("!I", query, query.index(TIMERS) - 4)[0]  # its SOA is one of ours
            if since < self.serial:
                return self.steps(query_id, since)
            return self.answer(query, SOA, True)
        return self.whole_zone(query_id, kind)


class Primary:
    """`change` and `serial` are for the process that made it."""

    def __init__(self, zones, opens=False):
        self.zones = {wire_name(name): Zone(name, records, opens) for name, records in zones.items()}
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        while True:
            self.tcp.bind(("127.0.0.1", 0))
            self.port = self.tcp.getsockname()[1]
            try:
                self.udp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.tcp.close()
                self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.listen(1000)
        self.orders, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=self.run, args=(theirs,), daemon=True)

    def __enter__(self):
        self.process.start()
        assert self.orders.recv() == "ready"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()

    def change(self, name, whole=False):
        """One more change; `whole`: who asks for changes is given the whole zone from now on. Returns the serial."""
        zone = self.zones[wire_name(name)]
        zone.serial += 1
        self.orders.send((wire_name(name), zone.serial, whole))
        assert self.orders.recv() == "done"
        return zone.serial

    def serial(self, name):
        return self.zones[wire_name(name)].serial

    # what the process does

    def run(self, orders):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for zone in self.zones.values():
            zone.make()
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()
        orders.send("ready")
        while True:
            try:
                name, serial, whole = orders.recv()
            except EOFError:
                os._exit(0)
            self.zones[name].serial, self.zones[name].whole = serial, whole
            orders.send("done")

    def find(self, query):
        """The zone and the type of a question; None: not ours."""
        end = query.index(b"\0", 12) + 1
        zone = self.zones.get(query[12:end].lower())
        return zone, struct.unpack_from("!H", query, end)[0]

    def serve_udp(self):
        while True:
            query, client = self.udp.recvfrom(4096)
            zone, kind = self.find(query)
            if zone and not query[2] & 0x80:
                self.udp.sendto(zone.answer(query, kind, False), client)

    def serve_tcp(self):
        while True:
            sock, _ = self.tcp.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as file:
            try:
                while True:
                    length = file.read(2)
                    if len(length) < 2:
                        return
                    query = file.read(struct.unpack("!H", length)[0])
                    zone, kind = self.find(query)
                    if zone:
                        sock.sendall(zone.answer(query, kind, True))
            except OSError:
                pass

"""A primary that says whatever a test wants it to say, by UDP and TCP.

    with Primary("127.0.0.5") as primary:
        zone = primary.add("example.com")            # a good one, so far
        zone.axfr = cut_off(3)                       # what comes of the next requests
        zone.step()
        notify(server, "example.com", zone.serial, primary.address)

What a zone does is its manners, `soa`, `axfr` and `ixfr`: functions of a Request that send messages, well-formed or not.
When one returns, the next request of the connection is awaited; one that raises Hangup closes it.
"""

import socket
import threading
from unittest import mock

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from rondo import PATIENCE_SEC, frame, free_port, read_frame
from transferring import Changing

FOREVER = 10**9


class Hangup(Exception):
    pass


class Zone:
    def __init__(self, name, changing=None, key=None):
        self.name, self.key = name, key
        self.changing = changing or Changing()
        self.history = []  # of (serial before, lines removed, serial after, lines added)
        self.asked = []    # of (transport, type, serial of an IXFR)
        self.soa, self.axfr, self.ixfr = say_soa, whole, changes

    @property
    def serial(self):
        return self.changing.serial

    def text(self):
        return self.changing.text()

    def step(self):
        before = self.serial
        removed, added = self.changing.step()
        self.history.append((before, removed, self.serial, added))

    def behave(self):
        self.soa, self.axfr, self.ixfr = say_soa, whole, changes

    def misbehave(self, manner):
        """In transfers of both kinds."""
        self.axfr = self.ixfr = manner

    def rr(self, line):
        owner, ttl, rdtype, rest = line.split(" ", 3)
        name = self.origin if owner == "@" else dns.name.from_text(owner, self.origin)
        rdata = dns.rdata.from_text("IN", rdtype, rest, self.origin, relativize=False)
        return dns.rrset.from_rdata(name, int(ttl), rdata)

    @property
    def origin(self):
        return dns.name.from_text(self.name)

    def soa_rr(self, serial=None):
        serial = self.serial if serial is None else serial
        return self.rr(f"@ 300 SOA ns1 hostmaster {serial} {self.changing.timers}")

    def rrs(self):
        """All of the zone but its SOA."""
        return [self.rr("@ 300 NS ns1"), self.rr("ns1 300 A 192.0.2.53"), *map(self.rr, self.changing.lines)]

    def stream(self):
        return [self.soa_rr(), *self.rrs(), self.soa_rr()]

    def count(self, rdtype):
        return sum(kind == rdtype for _, kind, _ in self.asked)


class Request:
    """`query`, of which `zone`; `serial` of an IXFR. Messages go out as they are sent."""

    def __init__(self, primary, zone, query, give, is_tcp):
        self.primary, self.zone, self.query, self.give, self.is_tcp = primary, zone, query, give, is_tcp
        self.rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        soas = [rrset for rrset in query.authority if rrset.rdtype == dns.rdatatype.SOA]
        self.serial = soas[0][0].serial if soas else None
        self.sent = 0
        self.context = None

    @property
    def halted(self):
        return self.primary.halt.is_set()

    def message(self, rrs=(), **changes):
        """The next message with these records in its answer section, and other attributes as told."""
        message = dns.message.make_response(self.query)
        message.flags |= dns.flags.AA
        message.answer = list(rrs)
        if self.sent:
            message.question, message.opt = [], None
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def wire(self, message, signed=True, when=None, key=None):
        """Its bytes, with the next signature of the stream where the query had one."""
        if not self.query.had_tsig:
            return message.to_wire(max_size=65535)
        if not signed:
            message.tsig = None
            wire = message.to_wire(max_size=65535)
            if self.context:
                self.context.update(wire)
            return wire
        if key:
            message.use_tsig(key.of_dnspython())
            message.request_mac = self.query.mac
        if when:
            with mock.patch("time.time", when):
                wire = message.to_wire(max_size=65535, multi=self.is_tcp, tsig_ctx=self.context)
        else:
            wire = message.to_wire(max_size=65535, multi=self.is_tcp, tsig_ctx=self.context)
        self.context = message.tsig_ctx
        return wire

    def send(self, rrs=(), signed=True, when=None, key=None, **changes):
        self.raw(self.wire(self.message(rrs, **changes), signed, when, key))

    def raw(self, wire):
        """These bytes as a message."""
        self.give(frame(wire) if self.is_tcp else wire)
        self.sent += 1


class Primary:
    """On an address and a free port; `zones` by name. Everything else is REFUSED. Can stand for its Place, too."""

    def __init__(self, address="127.0.0.5", port=None):
        self.address, self.port, self.key = address, port or free_port([address]), None
        self.zones = {}
        self.halt = threading.Event()
        self.lock = threading.Lock()
        self.open = set()
        self.threads = []
        self.udp = self.tcp = None

    def add(self, name, *args, **kwargs):
        self.zones[name] = Zone(name, *args, **kwargs)
        return self.zones[name]

    def __enter__(self):
        self.halt = threading.Event()  # threads of an earlier life keep theirs
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, self.port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((self.address, self.port))
        self.tcp.listen(64)
        self.threads = [threading.Thread(target=target, args=(self.udp, self.tcp, self.halt), daemon=True)
                        for target in (self.serve_udp, self.accept)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """Gone, as if the process had been killed."""
        self.halt.set()
        with self.lock:
            socks = [self.udp, self.tcp, *self.open]
        for sock in socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes its thread, which a close does not
            except OSError:
                pass
        for thread in self.threads:
            thread.join(PATIENCE_SEC)  # as long as it waits there, the port is taken
        self.udp.close()
        self.tcp.close()

    start = __enter__

    def stop(self):
        if not self.halt.is_set():
            self.__exit__()

    def handle(self, wire, give, is_tcp):
        keys = [zone.key.of_dnspython() for zone in self.zones.values() if zone.key]
        query = dns.message.from_wire(wire, keyring={key.name: key for key in keys})
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        zone = self.zones.get(name)
        request = Request(self, zone, query, give, is_tcp)
        if zone is None:
            return refuse(dns.rcode.REFUSED)(request)
        with self.lock:
            zone.asked.append(("tcp" if is_tcp else "udp", request.rdtype, request.serial))
        manner = {"SOA": zone.soa, "AXFR": zone.axfr, "IXFR": zone.ixfr}[request.rdtype]
        return manner(request)

    def serve_udp(self, udp, _, halt):
        while not halt.is_set():
            try:
                wire, client = udp.recvfrom(65535)
                self.handle(wire, lambda out, client=client: udp.sendto(out, client), False)
            except (OSError, Hangup, dns.exception.DNSException):
                continue

    def accept(self, _, tcp, halt):
        while not halt.is_set():
            try:
                connection, _ = tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_tcp, args=(connection,), daemon=True).start()

    def serve_tcp(self, connection):
        with self.lock:
            self.open.add(connection)
        try:
            connection.settimeout(PATIENCE_SEC)
            while True:
                self.handle(read_frame(connection), connection.sendall, True)
        except (OSError, EOFError, Hangup, dns.exception.DNSException):
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()


# good manners


def parts(rrs, size):
    return [rrs[at:at + size] for at in range(0, len(rrs), size)]


def say_soa(request):
    request.send([request.zone.soa_rr()])


def whole(request, size=5, signed=lambda number, last: True):
    """The zone, `size` records a message; `signed` tells which messages are, of number (from 0) and whether the last."""
    if not request.is_tcp:
        return say_soa(request)
    pieces = parts(request.zone.stream(), size)
    for number, piece in enumerate(pieces):
        request.send(piece, signed=signed(number, number == len(pieces) - 1))
    return None


def changes(request):
    """What came since the serial that is asked; the zone when it is unknown; by UDP that there is something new."""
    zone = request.zone
    if not request.is_tcp or request.serial == zone.serial:
        return say_soa(request)
    known = [at for at, step in enumerate(zone.history) if step[0] == request.serial]
    if not known:
        return whole(request)
    rrs = [zone.soa_rr()]
    for before, removed, after, added in zone.history[known[-1]:]:
        rrs += [zone.soa_rr(before), *map(zone.rr, removed), zone.soa_rr(after), *map(zone.rr, added)]
    for piece in parts([*rrs, zone.soa_rr()], 5):
        request.send(piece)
    return None


# bad ones


def refuse(rcode):
    def manner(request):
        message = request.message()
        message.set_rcode(rcode)
        request.raw(request.wire(message))
    return manner


def without_edns(manner):
    """Does not know EDNS, and says so as servers did that knew nothing of it."""
    def old(request):
        if request.query.edns < 0:
            return manner(request)
        message = request.message(opt=None)
        message.set_rcode(dns.rcode.FORMERR)
        return request.raw(request.wire(message))
    return old


def only_tcp(manner):
    """By UDP silent where it would matter."""
    def shy(request):
        return manner(request) if request.is_tcp else None
    return shy


def tcp_or_soa(manner):
    """Of bad streams: by UDP it says that there is something new."""
    def bad(request):
        return manner(request) if request.is_tcp else say_soa(request)
    return bad


def changed(**attributes):
    """The zone with other attributes of its messages: `id`, `question`, …"""
    @tcp_or_soa
    def manner(request):
        for piece in parts(request.zone.stream(), 5):
            request.send(piece, **{name: value(request) for name, value in attributes.items()})
    return manner


def stream_of(make):
    """These records, made of the Zone, in messages of five."""
    @tcp_or_soa
    def manner(request):
        for piece in parts(make(request.zone), 5):
            request.send(piece)
    return manner


def edited(edit):
    """The bytes of the first message are changed: `edit` gives others for them."""
    @tcp_or_soa
    def manner(request):
        request.raw(edit(request.wire(request.message(request.zone.stream()))))
    return manner


def cut_off(count, half=False):
    """The connection ends after `count` messages, or in the midst of the one behind them."""
    @tcp_or_soa
    def manner(request):
        for piece in parts(request.zone.stream(), 5)[:count]:
            request.send(piece)
        if half:
            request.give(frame(bytes(100))[:50])
        raise Hangup
    return manner


@tcp_or_soa
def endless(request):
    """Always one record more, each another."""
    zone = request.zone
    request.send([zone.soa_rr()])
    for number in range(FOREVER):
        if request.halted:
            return
        request.send([zone.rr(f'x{number}-{part} 300 TXT "{"x" * 200}"') for part in range(100)])


def drip(pause):
    """The zone, a byte at a time."""
    @tcp_or_soa
    def manner(request):
        for piece in parts(request.zone.stream(), 5):
            for byte in frame(request.wire(request.message(piece))):
                request.give(bytes([byte]))
                if request.primary.halt.wait(pause):
                    raise Hangup
            request.sent += 1
    return manner


@tcp_or_soa
def silent(request):
    request.primary.halt.wait(PATIENCE_SEC)
    raise Hangup


def signed_badly(**how):
    """The zone with signatures of another key, or of another time."""
    @tcp_or_soa
    def manner(request):
        for piece in parts(request.zone.stream(), 5):
            request.send(piece, **how)
    return manner


def signed_as(signed, size=5):
    return tcp_or_soa(lambda request: whole(request, size, signed))

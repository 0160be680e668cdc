"""Zones and their changes as any server gives them, by AXFR and IXFR, to be compared record by record.

    done = transfer(server, "example.com", serial=3)
    assert done.kind == "changes" and done.applied_to(records_of(old, "example.com")) == records_at(server, "example.com")

A server is anything with `address` and `port`; a key anything with of_dnspython().
"""

import socket

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.zone

from rondo import PATIENCE_SEC, frame, make_query, read_frame


def record(owner, ttl, rdata):
    """A record as a line; case says nothing."""
    wire = rdata.to_digestable()
    plain = dns.rdata.from_wire(rdata.rdclass, rdata.rdtype, wire, 0, len(wire))
    return f"{owner.to_text().lower()} {ttl} {dns.rdatatype.to_text(rdata.rdtype)} {plain.to_text()}"


def records_of(text, name):
    """The records of a zone's text."""
    zone = dns.zone.from_text(text, dns.name.from_text(name), relativize=False, check_origin=False)
    return {record(owner, ttl, rdata) for owner, ttl, rdata in zone.iterate_rdatas()}


class Transfer:
    """What came of asking for a zone, or its changes since `serial`: `rcode`; `messages`, their `sizes` in bytes, and
    their records in order as dnspython has them, `rrs`; and then `kind`:

    whole      the zone, its records in `records`
    changes    `changes`: of each step (serial before, serial after, lines removed, lines added), both with their SOA
    current    one SOA: nothing newer
    too large  the same, by UDP and with a newer serial: the changes don't fit
    """

    def __init__(self, asked_serial, udp):
        self.asked_serial, self.udp = asked_serial, udp
        self.messages, self.sizes, self.rrs = [], [], []
        self.kind = None
        self.changes = []

    @property
    def rcode(self):
        return dns.rcode.to_text(self.messages[0].rcode())

    @property
    def serial(self):
        return self.rrs[0][0].serial

    @property
    def records(self):
        assert self.kind == "whole", self.kind
        return {record(rrset.name, rrset.ttl, rrset[0]) for rrset in self.rrs}

    def take(self, message):
        """True when it was the last."""
        self.messages.append(message)
        self.rrs += message.answer
        return message.rcode() != dns.rcode.NOERROR or not self.rrs or self.is_whole() or self.is_changes()

    def soas(self):
        return [i for i, rrset in enumerate(self.rrs) if rrset.rdtype == dns.rdatatype.SOA]

    def is_single(self):
        newer = 0 < (self.serial - self.asked_serial) % 2**32 < 2**31
        if newer and not self.udp:
            return False
        self.kind = "too large" if newer else "current"
        return True

    def is_whole(self):
        if len(self.rrs) == 1:
            return self.asked_serial is not None and self.is_single()
        if self.asked_serial is not None and self.soas()[:2] == [0, 1] and self.rrs[1][0].serial != self.serial:
            return False
        if len(self.soas()) < 2:
            return False
        assert self.soas() == [0, len(self.rrs) - 1] and self.rrs[0] == self.rrs[-1], self.rrs
        self.kind = "whole"
        return True

    def is_changes(self):
        soas = self.soas()
        if soas[:2] != [0, 1]:
            return False
        ends = [at for at in soas[3::2] if self.rrs[at][0].serial == self.serial]
        if not ends:
            return False
        assert ends == [len(self.rrs) - 1], self.rrs
        for old, new, end in zip(soas[1::2], soas[2::2], soas[3::2]):
            removed, added = ([record(rrset.name, rrset.ttl, rrset[0]) for rrset in self.rrs[a:b]]
                              for a, b in ((old, new), (new, end)))
            self.changes.append((self.rrs[old][0].serial, self.rrs[new][0].serial, removed, added))
        self.kind = "changes"
        return True

    def applied_to(self, before):
        """The records after these changes to `before`, each of which must be one."""
        now = set(before)
        for old, new, removed, added in self.changes:
            assert set(removed) <= now, (old, set(removed) - now)
            now -= set(removed)
            assert not set(added) & now, (new, set(added) & now)
            now |= set(added)
        return now


def ask_for_transfer(name, serial=None, key=None, **kwargs):
    question = make_query(name, "AXFR" if serial is None else "IXFR", **kwargs)
    if serial is not None:
        question.authority.append(dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    if key:
        question.use_tsig(key.of_dnspython())
    return question


def transfer(server, name, serial=None, key=None, udp=False, **kwargs):
    """Asks for the zone, or with `serial` for its changes, and returns a Transfer."""
    question = ask_for_transfer(name, serial, key, **kwargs)
    wire = question.to_wire()
    done = Transfer(serial, udp)
    context = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_SEC)
        sock.connect((server.address, server.port))
        sock.sendall(wire if udp else frame(wire))
        while True:
            got = sock.recv(65535) if udp else read_frame(sock)
            done.sizes.append(len(got))
            reply = dns.message.from_wire(got, xfr=True, multi=True, keyring=key and key.of_dnspython(),
                                          request_mac=question.mac, tsig_ctx=context, one_rr_per_rrset=True)
            assert reply.id == question.id
            assert not key or reply.had_tsig or reply.rcode() == dns.rcode.NOTAUTH or not udp
            context = reply.tsig_ctx
            if done.take(reply) or udp:
                assert not key or reply.had_tsig
                return done


def records_at(server, name, key=None):
    """The whole zone as a set of lines."""
    done = transfer(server, name, key=key)
    assert done.rcode == "NOERROR", done.messages[0]
    return done.records

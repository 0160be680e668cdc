"""Questions and answers as bytes, for tests that compare very many of them: only what a comparison needs is read."""

import collections
import struct

import dns.exception
import dns.rdata
import dns.rdatatype

import zonegen

TYPE_NS, TYPE_CNAME, TYPE_OPT, TYPE_RRSIG, TYPE_NSEC = 2, 5, 41, 46, 47
UDP_LEAST, UDP_MOST = 512, 1232  # octets of an answer without EDNS, and what all servers are told
# Types whose rdata has names to be compared without case, pointers allowed, with what stands before the names.
NAMES = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
         15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 26: (2, 2), 33: (6, 1), 36: (2, 1), 39: (0, 1), 46: (18, 1),
         47: (0, 1)}
FOLDED = (35, 58, 64, 65, 107)  # names without pointers somewhere in the rdata: all of it is compared without case


class Question(collections.namedtuple("Question", "name rdtype flags edns tcp")):
    """edns: None, or (payload, version, flags, options as bytes)."""

    def wire(self, ident):
        body = zonegen.wire_of(self.name) + struct.pack(">HH", self.rdtype, 1)
        opt = b""
        if self.edns:
            payload, version, flags, options = self.edns
            opt = struct.pack(">BHHBBHH", 0, TYPE_OPT, payload, 0, version, flags, len(options)) + options
        return struct.pack(">HHHHHH", ident, self.flags, 1, 0, 0, 1 if opt else 0) + body + opt

    def most_octets(self):
        """What an answer may have."""
        if self.tcp:
            return 65535
        return max(UDP_LEAST, min(self.edns[0], UDP_MOST)) if self.edns else UDP_LEAST

    def __str__(self):
        how = "tcp" if self.tcp else "udp"
        edns = ""
        if self.edns:
            size, version, flags, options = self.edns
            edns = f", EDNS size {size}, version {version}, flags {flags:#x}, options {options.hex() or 'none'}"
        return f"{zonegen.text_of(self.name)} {dns.rdatatype.to_text(self.rdtype)} {how}, flags {self.flags:#06x}{edns}"


class Broken(ValueError):
    """An answer that cannot be read."""


def read_name(wire, at):
    """The name at `at`, lower-cased and without pointers, and where it ends."""
    out, end, before = [], None, at
    while True:
        length = wire[at]
        if length >= 0xc0:
            end = end or at + 2
            at = (length & 0x3f) << 8 | wire[at + 1]
            if at >= before:
                raise Broken("a pointer forward")
            before = at
            continue
        if length > 63:
            raise Broken("a label of a kind unknown")
        out.append(wire[at : at + length + 1])
        at += length + 1
        if not length:
            return b"".join(out).lower(), end or at


def read_rdata(wire, at, length, rdtype):
    end = at + length
    if rdtype in FOLDED:
        return wire[at:end].lower()
    if rdtype not in NAMES:
        return wire[at:end]
    skip, count = NAMES[rdtype]
    out, at = wire[at : at + skip], at + skip
    for _ in range(count):
        name, at = read_name(wire, at)
        out += name
    return out + wire[at:end]


class Reply:
    """An answer taken apart. Sections are lists of (owner, type, class, TTL, rdata)."""

    def __init__(self, wire):
        self.wire = wire
        try:
            self._read(wire)
        except (IndexError, struct.error) as problem:
            raise Broken(f"{problem}: {wire.hex()}") from None

    def _read(self, wire):
        _, self.flags, qdcount, *counts = struct.unpack_from(">6H", wire)
        at = 12
        for _ in range(qdcount):
            _, at = read_name(wire, at)
            at += 4
        self.question = (qdcount, wire[12:at])
        self.opt = None
        sections = []
        for count in counts:
            section = []
            for _ in range(count):
                owner, at = read_name(wire, at)
                rdtype, rdclass, ttl, length = struct.unpack_from(">HHIH", wire, at)
                at += 10
                if rdtype == TYPE_OPT:
                    self.opt = (owner, rdclass, ttl, wire[at : at + length])
                else:
                    section.append((owner, rdtype, rdclass, ttl, read_rdata(wire, at, length, rdtype)))
                at += length
            sections.append(section)
        if at != len(wire):
            raise Broken("bytes behind the last record")
        self.answer, self.authority, self.additional = sections

    def rcode(self):
        return self.flags & 15 | (self.opt[2] >> 24 << 4 if self.opt else 0)

    def truncated(self):
        return bool(self.flags & 0x0200)

    def parts(self):
        """One value a part, None where there is nothing to compare."""
        parts = {"rcode": self.rcode(), "question": self.question, "answer": None, "authority": None, "glue": None}
        if not self.truncated():  # what a truncated answer holds is nobody's business (RFC 2181 9)
            parts["answer"] = in_order(self.answer)
            parts["authority"] = sorted(self.authority)
            if any(rr[1] == TYPE_NS for rr in self.authority):
                parts["glue"] = sorted(self.additional)
        for name, bit in (("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("cd", 0x0010)):
            parts[name] = bool(self.flags & bit)
        parts["flags"] = self.flags & 0xf8e0  # QR, opcode, RA, Z, AD
        parts["opt"] = (self.opt[0], self.opt[2] & 0xffffff) if self.opt else "none"
        parts["options"] = self.opt[3] if self.opt else None
        return parts

    def links(self):
        """The CNAMEs of the answer as (owner, target), in order."""
        return [(rr[0], rr[4]) for rr in self.answer if rr[1] == TYPE_CNAME]

    def __str__(self):
        opt = f", OPT {self.opt}" if self.opt else ""
        named = (("answer", self.answer), ("authority", self.authority), ("additional", self.additional))
        sections = "".join(f"\n      {name}: {show(section)}" for name, section in named if section)
        return f"rcode {self.rcode()}, flags {self.flags:#06x}{opt}{sections}"


def in_order(section):
    """The records of each rrset in any order, the rrsets as they stand: that is the order of a chain."""
    rrsets = {}
    for record in section:
        rrsets.setdefault((record[1] == TYPE_RRSIG, *record[:2]), set()).add(record)
    return [record for key in sorted(rrsets, key=lambda key: key[0]) for record in sorted(rrsets[key])]


def labels_of(wire):
    labels, at = [], 0
    while wire[at]:
        labels.append(wire[at + 1 : at + 1 + wire[at]])
        at += wire[at] + 1
    return tuple(labels)


def show(section):
    lines = []
    for owner, rdtype, _, ttl, rdata in section:
        try:
            text = dns.rdata.from_wire(1, rdtype, rdata, 0, len(rdata)).to_text()
        except (dns.exception.DNSException, ValueError):
            text = rdata.hex()
        name = zonegen.text_of(labels_of(owner))
        lines.append(f"\n          {name} {ttl} {dns.rdatatype.to_text(rdtype)} {text[:100]}")
    return "".join(lines)

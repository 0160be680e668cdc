"""Random zones that are served together, and random questions about them; the same for the same seed.

A world has a parent with a child and a grandchild (all served), a sibling that is delegated and served, an unrelated
zone, a zone whose apex is a DNAME, one with a long name, and aliases between all of them. Whatever a zone may hold
without being refused by BIND stands in it somewhere: cuts with glue of every kind and data hidden below
them, wildcards at several depths, empty non-terminals, every type, labels of any octets, names of 255 octets, rrsets
that do not fit in a datagram.
"""

import functools
import random

import dns.name

import rdatagen

LABEL_MAX, NAME_MAX = 63, 255
PLAIN = (b"a", b"b", b"c", b"www", b"mail", b"x-1", b"_tcp")
ODD = (b"a.b", b"\0", b"\xff\x80", b"sp ace", b'q"uo;te', b"back\\slash", b"(paren)", b"@", b"$ttl", b"**", b"a*",
       b"*a", b"\x7f", b"MiXed", b"1", b"L" * LABEL_MAX)
TTLS = (0, 1, 60, 300, 300, 300, 3600, 86400, 2147483647)


@functools.lru_cache(maxsize=None)
def label_text(label):
    """Octets that mean something are escaped, half of them by number."""
    out = ""
    for octet in label:
        char = chr(octet)
        if char.isascii() and (char.isalnum() or char in "-_*"):
            out += char
        elif char in '."\\();@$' and octet % 2:
            out += "\\" + char
        else:
            out += f"\\{octet:03d}"
    return out


def text_of(name):
    """A name (a tuple of labels) as zone text."""
    return "".join(label_text(label) + "." for label in name) or "."


def name_of(text):
    """A name without escapes from text."""
    return tuple(label.encode() for label in text.rstrip(".").split(".") if label)


def wire_len(name):
    return sum(len(label) + 1 for label in name) + 1


def wire_of(name):
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def lower(name):
    return tuple(label.lower() for label in name)


def is_within(name, apex):
    return len(name) >= len(apex) and lower(name[len(name) - len(apex):]) == lower(apex)


class Zone:
    """What stands in one zone: owner → type → (TTL, rdata texts in order). Takes nothing that BIND would refuse."""

    def __init__(self, apex, signable):
        self.apex = apex
        self.signable = signable  # by dnssec-signzone: that wants room for "*." on each name, and DS at cuts alone
        self.name_most = NAME_MAX - 2 if signable else NAME_MAX
        self.nodes = {}
        self.spelling = {}

    def types(self, name):
        return self.nodes.get(lower(name), {})

    def owners(self):
        return [self.spelling[key] for key in self.nodes]

    def with_type(self, rdtype):
        return [self.spelling[key] for key, types in self.nodes.items() if rdtype in types]

    def cover(self, name):
        """What stands above `name` (or as a cut at it) and is told instead: "NS" or "DNAME"; None: nothing."""
        for depth in range(len(self.apex), len(name) + 1):
            above = name[len(name) - depth:]
            types = self.types(above)
            if "NS" in types and depth > len(self.apex):
                return "NS"
            if "DNAME" in types and depth < len(name):
                return "DNAME"
        return None

    def add(self, name, rdtype, ttl, *rdatas):
        """Adds to the rrset, which keeps the TTL that it has; False: not allowed there."""
        types, key = self.types(name), lower(name)
        if wire_len(name) > self.name_most or not is_within(name, self.apex) or "CNAME" in types:
            return False
        if rdtype == "CNAME" and types or rdtype == "DNAME" and "DNAME" in types or rdtype == "NS" and name[0] == b"*":
            return False
        if rdtype == "DS" and self.signable and "NS" not in types:
            return False
        if rdtype in ("CNAME", "DNAME"):
            rdatas = rdatas[:1]
        self.spelling.setdefault(key, name)
        _, have = self.nodes.setdefault(key, {}).setdefault(rdtype, (ttl, []))
        have += [rdata for rdata in dict.fromkeys(rdatas) if rdata.lower() not in {known.lower() for known in have}]
        return True

    def text(self):
        lines = []
        for key, types in self.nodes.items():
            owner = text_of(self.spelling[key])
            for rdtype, (ttl, rdatas) in types.items():
                lines += [f"{owner} {ttl} IN {rdtype} {rdata}" for rdata in rdatas]
        lines.sort(key=lambda line: " SOA " not in line)
        return "\n".join(lines) + "\n"


class World:
    """zones: apex text without its final dot → Zone. questions(): names and types to ask."""

    APEXES = ("parent.test", "child.parent.test", "grand.child.parent.test", "sibling.parent.test",
              "hidden.parent.test", "other.example", "moved.example", "l" * 60 + "." + "o" * 60 + ".long.example")

    def __init__(self, seed, owners=60, signable=False):
        self.random = random.Random(seed)
        self.zones = {apex: Zone(name_of(apex), signable) for apex in self.APEXES}
        self.parent = self.zones["parent.test"]
        self.dnames = []  # (owner, target)
        for zone in self.zones.values():
            self._apex(zone)
        for zone in self.zones.values():
            if "DNAME" not in zone.types(zone.apex):
                self._fill(zone, owners)
        self._delegate()
        for zone in self.zones.values():
            if "DNAME" not in zone.types(zone.apex):
                self._aliases(zone, owners // 3)
                self._corners(zone)
        self.names = [name for zone in self.zones.values() for name in zone.owners()]
        self.wildcards = [name for name in self.names if b"*" in name]
        self.types = sorted({rdtype for zone in self.zones.values() for types in zone.nodes.values()
                             for rdtype in types})

    def texts(self):
        return {apex: zone.text() for apex, zone in self.zones.items()}

    def without_hidden(self, texts):
        """The zones' texts, one record a line, without what a DNAME hides and the DNAMEs that a cut hides: nothing that
        anybody can ask for, but NSD and Knot refuse to load it, NSD even when the DNAME is another zone's."""
        return {apex: "".join(line + "\n" for line in text.splitlines() if not self._is_hidden(line))
                for apex, text in texts.items()}

    def _is_hidden(self, line):
        owner, _, _, rdtype = line.split(None, 4)[:4]
        name = dns.name.from_text(owner).labels[:-1]
        covers = [zone.cover(name) for zone in self.zones.values() if is_within(name, zone.apex)]
        return "DNAME" in covers or "NS" in covers and rdtype == "DNAME"

    def zone_of(self, name):
        """The zone of ours that a name belongs to, by labels; None: none."""
        above = [zone for zone in self.zones.values() if is_within(name, zone.apex)]
        return max(above, key=lambda zone: len(zone.apex), default=None)

    # zones

    def _ttl(self):
        return self.random.choice(TTLS)

    def _label(self):
        pick = self.random.random()
        if pick < 0.12:
            return b"*"
        label = self.random.choice(PLAIN if pick < 0.8 else ODD)
        return label.upper() if self.random.random() < 0.15 else label

    def _below(self, top, most=4):
        """A new name below `top`, perhaps with some empty ones between."""
        name = top
        for _ in range(self.random.randint(1, most)):
            name = (self._label(), *name)
        return name

    def _some_below(self, zone):
        return self._below(self.random.choice(zone.owners()) if self.random.random() < 0.5 else zone.apex, 3)

    def _longest(self, top, length):
        """A name of `length` octets below `top`, or one less where the last would be a label's length alone."""
        name = top
        while wire_len(name) + 2 <= length:
            room = length - wire_len(name) - 1
            size = min(room, LABEL_MAX)
            if room - size == 1:  # what is left must hold a length and an octet
                size -= 1
            name = (self.random.choice(b"xyz").to_bytes(1, "big") * size, *name)
        return name

    def _apex(self, zone):
        moved = zone is self.zones["moved.example"]
        servers = [("ns", "elsewhere", "invalid")] if moved else [(b"ns1", *zone.apex), (b"ns2", *zone.apex)]
        servers = [tuple(s.encode() if isinstance(s, str) else s for s in server) for server in servers]
        zone.add(zone.apex, "SOA", self._ttl(), f"{text_of(servers[0])} host\\.keeper.{text_of(zone.apex)} "
                 f"1 3600 900 604800 {self.random.choice((0, 60, 300, 7200))}")
        zone.add(zone.apex, "NS", self._ttl(), *map(text_of, servers))
        if moved:
            self._dname(zone, zone.apex, self.parent.apex)
            return
        for server in servers:
            zone.add(server, "A", self._ttl(), rdatagen.address(self.random))
            if self.random.random() < 0.7:
                zone.add(server, "AAAA", self._ttl(), rdatagen.address6(self.random))

    def _target(self, zone):
        """A name that something points to: in the zone, in another, nowhere."""
        pick = self.random.random()
        other = self.random.choice(list(self.zones.values()))
        if pick < 0.5:
            return self.random.choice(zone.owners())
        if pick < 0.65:
            return self._below(self.random.choice(zone.owners()), 2)
        if pick < 0.8:
            return self.random.choice(other.owners())
        if pick < 0.9:
            return self._below(other.apex, 2)
        return self._below(name_of("nowhere.invalid"), 2)

    def _fit(self, name):
        while wire_len(name) > NAME_MAX:
            name = name[1:]
        return name

    def _rdata(self, zone, rdtype):
        return rdatagen.make(self.random, rdtype, lambda: self._fit(self._target(zone)), text_of, wire_of)

    def _fill(self, zone, owners):
        types = rdatagen.COMMON + (rdatagen.PORTABLE if zone.signable else rdatagen.TYPES)
        for _ in range(owners):
            name = self._some_below(zone)
            for rdtype in self.random.choices(types, k=self.random.randint(1, 3)):
                count = self.random.choice((1, 1, 2, 5))
                zone.add(name, rdtype, self._ttl(), *(self._rdata(zone, rdtype) for _ in range(count)))
        self._wildcards(zone)
        for length in (zone.name_most, zone.name_most - 1, zone.name_most - 3):
            zone.add(self._longest(zone.apex, length), "TXT", self._ttl(), '"long"')
            zone.add(self._longest((b"*", *zone.apex), length), "A", self._ttl(), "192.0.2.255")
        self._large(zone)
        for _ in range(owners // 8):
            self._cut(zone, self._some_below(zone))

    def _wildcards(self, zone):
        """At several depths, one below another, with and without names beside it."""
        top = (b"wild", *zone.apex)
        for name in ((b"*", *top), (b"*", b"a", *top), (b"*", b"*", *top), (b"b", b"*", *top), (b"host", b"x", *top)):
            if self.random.random() < 0.7:
                rdtype = self.random.choice(("A", "TXT", "MX", "SRV", "CNAME"))
                zone.add(name, rdtype, self._ttl(), self._rdata(zone, rdtype))

    def _large(self, zone):
        many = self.random.randint(20, 100)  # BIND takes no more records of a type
        name = (b"large", *zone.apex)
        zone.add(name, "A", 300, *(f"198.51.100.{i}" for i in range(1, many)))
        zone.add(name, "TXT", 300, *(f'"{chr(97 + i % 26) * self.random.randint(1, 255)}"' for i in range(many // 10)))
        zone.add(name, "MX", 300, *(f"{i} {text_of(self._fit(self._target(zone)))}" for i in range(many // 4)))
        zone.add((b"*", b"large", *zone.apex), "AAAA", 300, *(f"2001:db8:1::{i:x}" for i in range(1, many // 2)))
        fat = (b"fat", *zone.apex)
        for i in range(self.random.randint(5, 16)):
            server = (b"ns%d" % i, *fat)
            if zone.add(fat, "NS", 300, text_of(server)):
                zone.add(server, "A", 300, f"203.0.113.{i}")
                zone.add(server, "AAAA", 300, f"2001:db8:2::{i:x}")

    def _cut(self, zone, name):
        """A delegation to servers below it, beside it, below another cut, in other zones and nowhere; data below it."""
        if len(name) <= len(zone.apex):
            return
        for _ in range(self.random.randint(1, 4)):
            server = self._fit(self.random.choice((
                (b"ns", *name), self._below(name, 2), self.random.choice(zone.owners()), name,
                (b"ns1", b"fat", *zone.apex), self._target(zone))))
            if "CNAME" in zone.types(server) or not zone.add(name, "NS", self._ttl(), text_of(server)):
                continue
            if is_within(server, name) and self.random.random() < 0.8:
                zone.add(server, "A", self._ttl(), rdatagen.address(self.random))
                zone.add(server, "AAAA", self._ttl(), rdatagen.address6(self.random), rdatagen.address6(self.random))
        if self.random.random() < 0.5:
            zone.add(name, "DS", self._ttl(), self._rdata(zone, "DS"))
        for rdtype in self.random.choices(rdatagen.COMMON + ("NS", "CNAME"), k=self.random.randint(0, 4)):
            zone.add(self._fit(self._below(name, 2)), rdtype, self._ttl(), self._rdata(zone, rdtype))

    def _delegate(self):
        """The zones that are served below others, all but one delegated, with names that the child hides."""
        for below, above in (("child", "parent.test"), ("sibling", "parent.test"), ("grand", "child.parent.test")):
            zone, child = self.zones[above], (below.encode(), *name_of(above))
            zone.add(child, "NS", self._ttl(), text_of((b"ns1", *child)))
            zone.add((b"ns1", *child), "A", self._ttl(), rdatagen.address(self.random))
            if self.random.random() < 0.5:
                zone.add(child, "DS", self._ttl(), self._rdata(zone, "DS"))
            zone.add((b"*", *child), "TXT", self._ttl(), '"hidden"')
            zone.add((b"a", *child), "A", self._ttl(), "192.0.2.254")

    def _dname(self, zone, name, target):
        if zone.add(name, "DNAME", self._ttl(), text_of(target)):
            self.dnames.append((name, target))

    def _aliases(self, zone, count):
        """CNAMEs and DNAMEs. Few DNAMEs hide what is below them, or little of the zone would be left."""
        for _ in range(count):
            name = self._some_below(zone)
            if self.random.random() < 0.3:
                bare = not any(is_within(key, name) for key in zone.nodes if key != lower(name))
                target = self._longest(self._target(zone), 200) if self.random.random() < 0.2 else self._target(zone)
                if bare or self.random.random() < 0.2:
                    self._dname(zone, name, self._fit(target))
            else:
                zone.add(name, "CNAME", self._ttl(), text_of(self._fit(self._target(zone))))

    def _corners(self, zone):
        """What chance alone brings too seldom: glue that a DNAME or a cut hides, cuts that hide a DNAME or another cut,
        a DNAME that leaves little room, names deep below empty ones."""
        dname, both, outer, lean = ((label, *zone.apex) for label in (b"dn", b"both", b"outer", b"lean"))
        self._dname(zone, dname, self._fit(self._target(zone)))
        self._dname(zone, lean, self._longest((b"t", *zone.apex), self.random.randint(150, 240)))
        servers = ((b"viadn", (b"ns", *dname)), (b"viacut", (b"ns", b"inner", *outer)), (b"viaboth", (b"ns", *both)))
        for name, server in servers:
            zone.add((name, *zone.apex), "NS", self._ttl(), text_of(server))
            zone.add(server, "A", self._ttl(), rdatagen.address(self.random))
        for name in (both, outer, (b"inner", *outer)):
            zone.add(name, "NS", self._ttl(), text_of((b"ns", *name)))
        self._dname(zone, both, self._fit(self._target(zone)))
        for name in ((b"*", *outer), (b"a", b"inner", *outer), (b"*", *both), (b"*", b"ent", *zone.apex),
                     (b"*", b"c", b"ent", *zone.apex), (b"a", b"b", b"c", b"d", b"ent", *zone.apex)):
            rdtype = self.random.choice(("A", "TXT", "MX"))
            zone.add(name, rdtype, self._ttl(), self._rdata(zone, rdtype))

    # questions

    def _mixed_case(self, name):
        if self.random.random() < 0.5:
            return name
        return tuple(bytes(octet ^ 0x20 if bytes([octet]).isalpha() and self.random.random() < 0.5 else octet
                           for octet in label) for label in name)

    def _near(self, name):
        """A name that exists, one below, above, between or beside."""
        pick = self.random.random()
        if pick < 0.35:
            return name
        if pick < 0.75:
            return self._below(name, 3)
        if pick < 0.87:
            return name[self.random.randint(0, len(name)):]
        return (self._label(), *name[1:])

    def _expanded(self, name):
        """For a wildcard's "*" something else, perhaps what exists beside it, and names below that."""
        name = tuple(self._label() if label == b"*" else label for label in name)
        return name if self.random.random() < 0.5 else self._below(name, 3)

    def _at_the_edge(self):
        """A name that a DNAME makes just short enough, or one octet too long."""
        owner, target = self.random.choice(self.dnames)
        length = wire_len(owner) + NAME_MAX - wire_len(target) + self.random.randint(-1, 1)
        return self._longest(owner, min(NAME_MAX, length))

    def _question_name(self):
        pick = self.random.random()
        if pick < 0.7:
            name = self._near(self.random.choice(self.names))
        elif pick < 0.85:
            name = self._expanded(self.random.choice(self.wildcards))
        elif pick < 0.92:
            name = self.random.choice(list(self.zones.values())).apex[self.random.choice((0, 0, 0, 1)):]
        elif pick < 0.96:
            name = self._at_the_edge()
        elif pick < 0.98:
            name = self._longest(self.random.choice(self.names), self.random.randint(NAME_MAX - 40, NAME_MAX))
        else:
            name = self._below((), 2)
        return self._mixed_case(self._fit(name))

    def question(self):
        """(name as labels, type as number): half of the time a type that is there; at a cut often DS."""
        name = self._question_name()
        there = [rdtype for zone in self.zones.values() for rdtype in zone.types(name)]
        if "NS" in there and self.random.random() < 0.2:
            rdtype = "DS"
        elif there and self.random.random() < 0.5:
            rdtype = self.random.choice(there)
        else:
            rdtype = self.random.choice(2 * rdatagen.COMMON + tuple(self.types) + rdatagen.ASKED)
        return name, rdatagen.number(rdtype)

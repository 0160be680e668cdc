"""What tests of balanced names share: a zone and a configuration with annotations, questions asked thousands of times,
and the members as rondoctl shows them.

    server = balanced(rondo, "www A 192.0.2.1\\nwww A 192.0.2.2\\n", [{"name": "www", "policy": "weighted"}])
    with Asker(server, "www.example.com") as asker:
        assert asker.ask().addresses == ["192.0.2.1"]
"""

import collections
import socket
import struct

import dns.rdatatype

from rondo import PATIENCE_SEC, make_query, quote, until

HEAD = """\
$TTL 300
@       IN SOA ns1 hostmaster {serial} 3600 900 604800 60
        IN NS  ns1
ns1     IN A   192.0.2.53
"""

# Short, but with a timeout that a backend of ours meets on a busy machine too: who
# is well must not be found dead twice in a row.
QUICK = {"interval": "300ms", "fast_interval": "100ms", "timeout": "300ms", "rise": 2, "fall": 2}


# configuration


def literal(value):
    """A Python value in libconfig's syntax: lists of dicts are ( {…} ), other lists [ … ]."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {literal(item)};" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(literal(item) for item in value)
        return f"( {inner} )" if any(isinstance(item, dict) for item in value) else f"[ {inner} ]"
    return repr(value)


def balance(groups):
    return "balance = (\n        " + ",\n        ".join(literal(group) for group in groups) + " );"


# Members on loopback may be checked, though others write the zone: a transfer, an update.
LOCAL = 'health: { probe_allow = [ "127.0.0.0/8" ]; };\n'


def probes(rows):
    return "probes = (\n    " + ",\n    ".join(literal(row) for row in rows) + " );" if rows else ""


def http(port, name="web", **keys):
    """A quick http probe, every key open to change."""
    return {"name": name, "type": "http", "port": port, **QUICK, **keys}


def tcp(port, name="tcp", **keys):
    return {"name": name, "type": "tcp", "port": port, **QUICK, **keys}


def zone(records, serial=1):
    return HEAD.format(serial=serial) + records


def a_records(owner, members):
    return "".join(f"{owner} {'AAAA' if ':' in address else 'A'} {address}\n" for address in members)


def arrange(rondo, records, groups, rows=(), **kwargs):
    """A server for the zone example.com with these records, groups of `balance` and rows of `probes`; not started."""
    return rondo.prepare(zones={"example.com": zone(records)}, keys={"example.com": balance(groups)} if groups else {},
                         extra=probes(rows), **kwargs)


def balanced(rondo, records, groups, rows=(), **kwargs):
    return arrange(rondo, records, groups, rows, **kwargs).start()


def rearrange(server, groups, rows=()):
    """Writes the configuration anew with these; to be followed by a reload."""
    server.keys = {"example.com": balance(groups)} if groups else {}
    server.extra = probes(rows)
    server.write_config()


# what a probe promises (DESIGN "Health"), to be compared with what rondod prints


def in_ms(duration):
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60000)):
        if isinstance(duration, str) and duration.endswith(unit):
            return float(duration[:-len(unit)]) * factor
    return float(duration) * 1000


def detection_ms(probe):
    keys = {"interval": "5s", "fast_interval": "1s", "timeout": "1s", "fall": 3, **probe}
    interval, fast, timeout = (in_ms(keys[key]) for key in ("interval", "fast_interval", "timeout"))
    return interval * 1.1 + timeout + (keys["fall"] - 1) * max(fast, timeout) + 50


# questions


Reply = collections.namedtuple("Reply", "rcode ttl addresses")


class Asker:
    """One question from one socket, asked as often as one likes; each ask() takes tens of microseconds here. A socket
    stays with one worker, so that what it sees is one worker's sequence."""

    def __init__(self, server, name, rdtype="A", source=None):
        self.wire = bytearray(make_query(name, rdtype).to_wire())
        self.family, self.size = (socket.AF_INET6, 16) if rdtype == "AAAA" else (socket.AF_INET, 4)
        self.rdtype = dns.rdatatype.from_text(rdtype)
        self.id = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE_SEC)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((server.address, server.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self):
        self.id = (self.id + 1) & 0xFFFF
        struct.pack_into("!H", self.wire, 0, self.id)
        self.sock.send(self.wire)
        while True:
            data = self.sock.recv(65535)
            if data[:2] == self.wire[:2]:
                return self.read(data)

    def read(self, data):
        count, = struct.unpack_from("!H", data, 6)
        at, found, ttl = len(self.wire), [], None
        for _ in range(count):
            owner, rdtype, _, ttl, length = struct.unpack_from("!HHHIH", data, at)
            assert owner == 0xC00C and (rdtype, length) == (self.rdtype, self.size), data.hex()
            found.append(socket.inet_ntop(self.family, data[at + 12:at + 12 + length]))
            at += 12 + length
        return Reply(data[3] & 15, ttl, found)

    def many(self, count):
        """The addresses of `count` answers."""
        return [self.ask().addresses for _ in range(count)]

    def firsts(self, count):
        """How often each address stood first in `count` answers."""
        return collections.Counter(found[0] for found in self.many(count))


def asked(server, name, count, rdtype="A"):
    with Asker(server, name, rdtype) as asker:
        return asker.many(count)


def seen(server, name, count=30, rdtype="A"):
    """All addresses that stand in `count` answers."""
    return {address for found in asked(server, name, count, rdtype) for address in found}


def wait_seen(server, name, expected, rdtype="A", count=12, timeout=None):
    """Until exactly these addresses are served."""
    expected = set(expected)
    with Asker(server, name, rdtype) as asker:
        until(lambda: {address for found in asker.many(count) for address in found} == expected,
              lambda: f"{name} has {sorted(expected)}, but {sorted(seen(server, name, count, rdtype))}\n"
              + server.log(),
              timeout)


# rondoctl


def pool(server, name, family="A"):
    """A pool as `rondoctl --json pools NAME` shows it."""
    rows = [row for row in server.ctl_json("pools", name)["pools"] if row["type"] == family]
    assert len(rows) == 1, rows
    return rows[0]


def members(server, name, family="A"):
    return {member["address"]: member for member in pool(server, name, family)["members"]}


def verdicts(server, name, family="A"):
    return {address: member["verdict"] for address, member in members(server, name, family).items()}


def wait_verdicts(server, name, expected, family="A", timeout=None):
    """Until the members have these verdicts (address → word)."""
    until(lambda: verdicts(server, name, family) == expected,
          lambda: f"{name} has {expected}, but {verdicts(server, name, family)}\n" + server.log(), timeout)


def soa_ttl(reply):
    (rrset,) = [rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA]
    return rrset.ttl


def ttls(reply):
    return {rrset.ttl for rrset in reply.answer}

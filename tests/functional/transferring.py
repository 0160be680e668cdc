"""What tests of zone transfers share: servers that take zones from each other, each on a loopback address of its own
since some tell servers apart by nothing else; zones that change in steps. Whole zones are zonecopy.py's.

    here, there = place("127.0.0.1"), place("127.0.0.2")
    changing = Changing()
    server = rondo(**rondo_zones({"example.com": Zone(changing.text(), notify=[there])}, here))
    with started(Knot, {"example.com": Zone(primaries=[here])}, there) as knot:
        assert records_at(knot, "example.com") == records_of(changing.text(), "example.com")

A server is anything with `address` and `port`.
"""

import base64
import collections
import contextlib
import pathlib
import re
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

import dns.exception
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
import pytest

import peers
from rondo import PATIENCE_SEC, free_port, make_query, quote, until
from zonecopy import records_at, records_of


class Key(collections.namedtuple("Key", "name secret algorithm", defaults=("hmac-sha256",))):
    """A TSIG key, of which each kind of configuration has its own idea."""

    def of_dnspython(self):
        return dns.tsig.Key(dns.name.from_text(self.name), self.secret, dns.name.from_text(self.algorithm))

    def of_dig(self):
        return f"{self.algorithm}:{self.name}:{self.secret}"


KEY = Key("xfr.test.", base64.b64encode(bytes(range(32))).decode())
OTHER_KEY = Key("other.test.", base64.b64encode(bytes(range(1, 33))).decode())

# Where a server listens, and the key of what is said to it: None, no key.
Place = collections.namedtuple("Place", "address port key", defaults=(None,))

# A zone of a server: its text where it is primary, else None and the `primaries`; who is told of changes; the key that
# everybody needs who wants to have, notify or update it, or None: all of loopback may.
Zone = collections.namedtuple("Zone", "text primaries notify key", defaults=(None, (), (), None))


def place(address, key=None):
    """One with a free port."""
    return Place(address, free_port([address]), key)


def with_key(where, key):
    return Place(where.address, where.port, key)


def keys_of(zones):
    """All keys that a server with these zones has to know."""
    keys = {zone.key for zone in zones.values()}
    keys |= {peer.key for zone in zones.values() for peer in (*zone.primaries, *zone.notify)}
    return sorted(keys - {None})


# rondo


def rondo_row(zone, where, more=""):
    """The keys of a zone's row."""
    def listed(peers_of_zone):
        return ", ".join(quote(f"{peer.address}@{peer.port}" + (f" key {peer.key.name}" if peer.key else ""))
                         for peer in peers_of_zone)

    who = quote(f"key {zone.key.name}" if zone.key else "127.0.0.0/8")
    row = f"allow_transfer = [ {who} ]; "
    if zone.primaries:
        row += f"primaries = [ {listed(zone.primaries)} ]; "
        for key in ("refresh_min", "retry_min"):
            row += "" if re.search(rf"\b{key}\b", more) else f'{key} = "1s"; '
    if zone.notify:
        row += f"notify = [ {listed(zone.notify)} ]; "
    if where.address != "127.0.0.1":  # the system's choice
        row += f"notify_source = [ {quote(where.address)} ]; transfer_source = [ {quote(where.address)} ]; "
    return row + more


def rondo_keys(keys):
    rows = ",\n".join(f'    {{ name = {quote(key.name)}; algorithm = "{key.algorithm}"; secret = "{key.secret}"; }}'
                      for key in keys)
    return f"keys = (\n{rows}\n);\n" if keys else ""


def rondo_zones(zones, where=None, more="", extra="", **kwargs):
    """The arguments of a Rondod with these zones; all of them are awaited unless `wait` says otherwise. `more`: further
    keys of the rows, for all or by zone."""
    where = where or place("127.0.0.1")
    kwargs.setdefault("wait", list(zones))
    more_of = more if isinstance(more, dict) else dict.fromkeys(zones, more)
    return {
        "zones": {name: zone.text for name, zone in zones.items()},
        "keys": {name: rondo_row(zone, where, more_of.get(name, "")) for name, zone in zones.items()},
        "extra": rondo_keys(keys_of(zones)) + extra,
        "listen": (where.address,),
        "port": where.port,
        **kwargs,
    }


# the others


class Mover:
    """What the three have in common: zones that come and go, as the class says above."""

    def __init__(self, folder, zones, where):
        super().__init__(folder, zones, where.address, where.port)

    def texts(self):
        return {name: zone.text for name, zone in self.zones.items() if zone.text is not None}

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def sizes_in(self, name):
        """Of the transfers that have brought the zone, in bytes: changes are told from a whole zone by that."""
        return [int(size) for size in re.findall(self.transfer_in.format(re.escape(name)), self.log())]

    def gave_changes(self, name):
        """How often it gave them, instead of the whole zone."""
        return len(re.findall(self.ixfr_out.format(re.escape(name)), self.log()))

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Named(Mover, peers.Named):
    home = "127.0.0.1"  # no other: it goes by what interfaces have
    transfer_in = r"transfer of '{}/IN' from \S+: Transfer completed: \d+ messages, \d+ records, (\d+) bytes"
    ixfr_out = r"transfer of '{}/IN': IXFR ended"

    def config(self):
        keys = "".join(f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};\n'
                       for key in keys_of(self.zones))
        zones = "".join(self.zone(name, zone) for name, zone in self.zones.items())
        return (f'options {{ directory "{self.dir}"; recursion no; minimal-responses yes; pid-file none;\n'
                f"session-keyfile none; notify explicit; dnssec-validation no; max-ixfr-ratio unlimited;\n"
                f"notify-delay 0; notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000;\n"
                f"min-refresh-time 1; min-retry-time 1; transfer-source {self.address};\n"
                f"notify-source {self.address}; listen-on port {self.port} {{ {self.address}; }};\n"
                f"listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n"
                f"{keys}{zones}")

    def zone(self, name, zone):
        def listed(places):
            return " ".join(f"{peer.address} port {peer.port}" + (f' key "{peer.key.name}";' if peer.key else ";")
                            for peer in places)

        who = f'key "{zone.key.name}";' if zone.key else "127.0.0.0/8;"
        kind = f"secondary; primaries {{ {listed(zone.primaries)} }}" if zone.primaries else \
            f"primary; check-names ignore; allow-update {{ {who} }}"
        told = f"also-notify {{ {listed(zone.notify)} }};" if zone.notify else ""
        return f'zone "{name}" {{ type {kind}; file "{name}.zone"; allow-transfer {{ {who} }}; {told} }};\n'


class Nsd(Mover, peers.Nsd):
    home = "127.0.0.4"
    transfer_in = r"zone {}\. received update to serial \d+ at \S+ from \S+(?: TSIG \S+ \S+ \S+ \S+)? of (\d+) bytes"

    def config(self):
        keys = "".join(f"key:\n  name: {key.name}\n  algorithm: {key.algorithm}\n  secret: \"{key.secret}\"\n"
                       for key in keys_of(self.zones))
        zones = "".join(self.zone(name, zone) for name, zone in self.zones.items())
        return (f'server:\n  ip-address: {self.address}@{self.port}\n  server-count: 1\n  zonesdir: "{self.dir}"\n'
                f'  username: ""\n  pidfile: ""\n  xfrdir: "{self.dir}"\n  xfrdfile: "{self.dir}/xfrd.state"\n'
                f'  zonelistfile: "{self.dir}/zone.list"\n  database: ""\n  rrl-ratelimit: 0\n'
                f"  minimal-responses: yes\n  xfrd-reload-timeout: 0\n  verbosity: 2\n"
                f"remote-control:\n  control-enable: no\n{keys}{zones}")

    def zone(self, name, zone):
        def key(of):
            return of.name if of else "NOKEY"

        rows = [f"name: {name}", f"zonefile: {name}.zone", f"outgoing-interface: {self.address}",
                f"provide-xfr: 127.0.0.0/8 {key(zone.key)}", "min-refresh-time: 1", "min-retry-time: 1"]
        for peer in zone.primaries:
            rows += [f"request-xfr: {peer.address}@{peer.port} {key(peer.key)}",
                     f"allow-notify: {peer.address} {key(peer.key)}", f"allow-notify: {peer.address} NOKEY"]
        rows += [f"notify: {peer.address}@{peer.port} {key(peer.key)}" for peer in zone.notify]
        if zone.text is not None:
            rows += ["store-ixfr: yes", "create-ixfr: yes", "ixfr-number: 100"]
        return "zone:\n" + "".join(f"  {row}\n" for row in rows)

    def reload(self):
        """Of zone files that have changed."""
        self.process.send_signal(signal.SIGHUP)


class Knot(Mover, peers.Knot):
    home = "127.0.0.3"
    transfer_in = r"\[{}\.\] .XFR, incoming, .*finished, .* messages, (\d+) bytes"
    ixfr_out = r"\[{}\.\] IXFR, outgoing, .*finished"
    from_whom = "mas" "ter"  # Knot's word

    def config(self):
        every = [(name, role, number, peer) for name, zone in self.zones.items()
                 for role in ("primaries", "notify") for number, peer in enumerate(getattr(zone, role))]
        remotes = "".join(f"  - id: {name}-{role}-{number}\n    address: {peer.address}@{peer.port}\n"
                          f"    via: {self.address}\n" + (f"    key: {peer.key.name}\n" if peer.key else "")
                          for name, role, number, peer in every)
        acls = "".join(f"  - id: {name}-all\n    address: 127.0.0.0/8\n    action: [transfer, notify, update]\n"
                       + (f"    key: {zone.key.name}\n" if zone.key else "") for name, zone in self.zones.items())
        acls += "".join(f"  - id: {name}-primaries-{number}\n    address: {peer.address}\n    action: notify\n"
                        + (f"    key: {peer.key.name}\n" if peer.key else "")  # without: only what is not signed
                        for name, role, number, peer in every if role == "primaries")
        zones = "".join(self.zone(name, zone) for name, zone in self.zones.items())
        keys = "".join(f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}\n"
                       for key in keys_of(self.zones))
        return (f"server:\n  listen: {self.address}@{self.port}\n  rundir: {self.dir}\n  udp-workers: 1\n"
                "  tcp-workers: 1\n  background-workers: 2\n"
                f"database:\n  storage: {self.dir}\nlog:\n  - target: stderr\n    any: info\n"
                + (f"key:\n{keys}" if keys else "") + (f"remote:\n{remotes}" if remotes else "") + f"acl:\n{acls}"
                f"template:\n  - id: default\n    storage: {self.dir}\n    zonefile-sync: -1\n"
                f"    journal-content: changes\n    journal-max-depth: 1000\n    refresh-min-interval: 2\n    retry-min-interval: 1\n"
                f"zone:\n{zones}")

    def zone(self, name, zone):
        def listed(role):
            return ", ".join(f"{name}-{role}-{number}" for number in range(len(getattr(zone, role))))

        acls = [f"{name}-all"] + [f"{name}-primaries-{number}" for number in range(len(zone.primaries))]
        rows = [f"domain: {name}", f"file: {name}.zone", f"acl: [{', '.join(acls)}]"]
        if zone.primaries:
            rows += [f"{self.from_whom}: [{listed('primaries')}]", "zonefile-load: none", "journal-content: all"]
        else:
            rows += ["zonefile-load: difference"]
        if zone.notify:
            rows += [f"notify: [{listed('notify')}]"]
        return "  - " + "    ".join(f"{row}\n" for row in rows)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


ALL = (Named, Knot, Nsd)


@contextlib.contextmanager
def started(kind, zones, where):
    """A peer that runs, and has all its zones; the test is skipped where it is not installed."""
    if not kind.installed():
        pytest.skip(f"not installed: {kind.program}")
    folder = tempfile.mkdtemp(prefix=f"rondo-{kind.program}-")
    peer = kind(pathlib.Path(folder) / "peer", zones, where)
    try:
        yield peer.start()
    finally:
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


# whole zones


def serial_at(server, name):
    """None: there is no good answer."""
    try:
        reply = dns.query.udp(make_query(name, "SOA"), server.address, port=server.port, timeout=1)
    except (dns.exception.Timeout, OSError):
        return None
    return reply.answer[0][0].serial if reply.answer else None


def wait_serial(server, name, serial, timeout=None):
    until(lambda: serial_at(server, name) == serial,
          lambda: f"{name} has serial {serial}, but {serial_at(server, name)}\n{server.log()[-4000:]}", timeout)


def difference(server, name, records, key=None):
    """What distinguishes the server's zone from these; "" when nothing does."""
    have = records_at(server, name, key)
    return "" if have == records else (f"{name}: too many {sorted(have - records)[:10]}, "
                                       f"missing {sorted(records - have)[:10]}")


def assert_equal(server, name, records, key=None):
    """The server has exactly these."""
    assert not difference(server, name, records, key), difference(server, name, records, key)


def wait_equal(server, name, text, key=None):
    """Until the server has the zone of that text, to be found by its serial; then record by record."""
    want = records_of(text, name)
    (soa,) = [line for line in want if line.split()[2] == "SOA"]
    wait_serial(server, name, int(soa.split()[5]))
    if not isinstance(server, Nsd):
        assert_equal(server, name, want, key)
        return

    def is_there():
        """NSD's processes of before answer once more, or hang up."""
        try:
            return not difference(server, name, want, key)
        except (OSError, EOFError):
            return False

    until(is_there, lambda: difference(server, name, want, key))


# zones that change

FIRST = """\
www 300 A 192.0.2.1
www 300 A 192.0.2.2
www 300 AAAA 2001:db8::1
@ 300 MX 10 mail
mail 300 A 192.0.2.25
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.54
*.wild 300 TXT "wild"
Upper.Case 300 CNAME WWW
_sip._tcp 300 SRV 0 5 5060 mail
big 300 TXT "{big}"
odd 300 TYPE65400 \\# 4 0a000001
""".format(big="x" * 250).splitlines()


class Changing:
    """A zone in steps, each of which raises the serial by one; names relative to whatever zone it is used for. The text
    at any moment is text(); a step returns the lines that went and that came."""

    def __init__(self, serial=1, refresh=3600, retry=900, expire=604800, lines=FIRST):
        self.serial, self.timers = serial, f"{refresh} {retry} {expire} 60"
        self.number = 0
        self.lines = list(lines)

    def text(self):
        return (f"$TTL 300\n@ 300 IN SOA ns1 hostmaster {self.serial} {self.timers}\n@ 300 NS ns1\n"
                "ns1 300 A 192.0.2.53\n" + "\n".join(self.lines) + "\n")

    def change(self, removed, added):
        self.lines = [line for line in self.lines if line not in removed] + list(added)
        self.serial = (self.serial + 1) % 2**32
        return removed, added

    def step(self):
        """Names come and go, an rrset gets and loses members and another TTL, a delegation comes and goes."""
        self.number += 1
        number = self.number
        removed, added = [], [f"s{number} 300 A 192.0.2.{number % 250}"]
        if number > 3:
            removed += [f"s{number - 3} 300 A 192.0.2.{(number - 3) % 250}"]
        if number % 3 == 0:
            added += [f'many 300 TXT "{number}"']
        if number % 4 == 0:
            mine = [line for line in self.lines if line.startswith("ttl ")]
            removed += mine
            added += [f"ttl {number} A 192.0.2.9", f"ttl {number} A 192.0.2.10"]
        if number % 10 == 0:
            removed += [line for line in self.lines if line.startswith("many ")]
            added += [f"cut{number} 300 NS ns.cut{number}", f"ns.cut{number} 300 AAAA 2001:db8::{number}"]
        return self.change(removed, [line for line in added if line not in removed])


def update(server, name, removed=(), added=(), key=None):
    """A dynamic update of these lines."""
    message = dns.update.UpdateMessage(name, keyring=key and key.of_dnspython())
    for line in removed:
        owner, _, rdtype, rdata = line.split(" ", 3)
        message.delete(owner, rdtype, rdata)
    for line in added:
        owner, ttl, rdtype, rdata = line.split(" ", 3)
        message.add(owner, int(ttl), rdtype, rdata)
    reply = dns.query.tcp(message, server.address, port=server.port, timeout=PATIENCE_SEC)
    assert reply.rcode() == dns.rcode.NOERROR, reply


def set_serial(server, name, serial, timers="3600 900 604800 60", key=None):
    update(server, name, added=[f"@ 300 SOA ns1 hostmaster {serial} {timers}"], key=key)


def from_lines(count, start=FIRST):
    """Lines for a zone that is not quite small: changes of it are told from the whole."""
    return [*start, *(f'host{number} 300 TXT "{"x" * 60}"' for number in range(count))]


# NOTIFY


class Listener:
    """Hears NOTIFYs: those that came are `heard`, with their time. Answers them while `answers` is true. Can stand for
    its Place, too."""

    def __init__(self, address, port=None, keyring=None):
        self.address, self.port, self.key = address, port or free_port([address]), None
        self.keyring, self.answers, self.heard = keyring, True, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, self.port))

    def __enter__(self):
        threading.Thread(target=self.listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread, which a close does not
        except OSError:
            pass
        self.sock.close()

    def listen(self):
        while True:
            try:
                wire, client = self.sock.recvfrom(65535)
                message = dns.message.from_wire(wire, keyring=self.keyring)
            except OSError:
                return
            except dns.exception.DNSException:
                continue
            if message.opcode() != dns.opcode.NOTIFY:
                continue
            self.heard.append((time.monotonic(), message))
            if self.answers:
                self.sock.sendto(dns.message.make_response(message).to_wire(), client)

    def serials(self):
        return [message.answer[0][0].serial for _, message in self.heard]


def make_notify(name, serial=None, key=None):
    message = make_query(name, "SOA")
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags |= dns.flags.AA
    if serial is not None:
        message.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    if key:
        message.use_tsig(key.of_dnspython())
    return message


def notify(server, name, serial=None, source="127.0.0.1", key=None):
    """Tells the server that the zone has changed, again when that was lost, and returns its answer."""
    request = make_notify(name, serial, key)
    for seconds in (1, 2, PATIENCE_SEC):
        with contextlib.suppress(dns.exception.Timeout):
            return dns.query.udp(request, server.address, port=server.port, timeout=seconds, source=source)
    raise AssertionError(f"NOTIFY for {name} is not answered\n{server.log()}")


def notify_storm(server, name, count, source, serial=None):
    """`count` of them, all different, as fast as they go; nobody waits for answers. `serial`: of the first, each has
    the next."""
    wire = bytearray(make_notify(name, serial).to_wire())
    at = len(wire) - 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect((server.address, server.port))
        for number in range(count):
            struct.pack_into("!H", wire, 0, number & 0xFFFF)
            if serial is not None:
                struct.pack_into("!I", wire, at, (serial + number) % 2**32)
            try:
                sock.send(wire)
            except ConnectionRefusedError:
                pass

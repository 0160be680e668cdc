"""Primaries that are broken, or hostile: what they send is kept out, the version before it is served on, the log says
why, and the next good transfer works."""

import random

import dns.flags
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

import scripted
from rondo import Load, frame, rcode, until
from scripted import Hangup, changed, cut_off, drip, edited, parts, refuse, signed_as, signed_badly, stream_of, tcp_or_soa
from transferring import (KEY, OTHER_KEY, Changing, Zone, assert_equal, from_lines, notify, rondo_zones, serial_at,
                          wait_equal, wait_serial, with_key)
from zonecopy import records_at, records_of

LIMIT = 200000  # max_zone_size of all zones here


def before_the_end(*lines):
    """The zone with more records in it."""
    return stream_of(lambda zone: [*zone.stream()[:-1], *map(zone.rr, lines), zone.soa_rr()])


def foreign(name, rdtype, text):
    return dns.rrset.from_text(name, 300, "IN", rdtype, text)


def garbage(request):
    if not request.is_tcp:
        return scripted.say_soa(request)
    request.raw(random.Random(1).randbytes(500))
    raise Hangup


def not_dns(request):
    if not request.is_tcp:
        return scripted.say_soa(request)
    request.give(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000)
    raise Hangup


@tcp_or_soa
def nothing(_request):
    raise Hangup


@tcp_or_soa
def goes_on_after_the_end(request):
    request.send([*request.zone.stream(), request.zone.rr("more 300 A 192.0.2.1")])


def reply_bit(wire):
    return wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:]


def opcode(wire):
    return wire[:2] + bytes([wire[2] | 0x28]) + wire[3:]


def other_class(wire):
    """Of the first record, which is behind a header and a question of that many bytes."""
    message = bytearray(wire)
    at = message.index(b"\x00\x06\x00\x01", 12 + 8)  # SOA IN
    message[at + 3] = 3
    return bytes(message)


def count_too_high(wire):
    return wire[:6] + (int.from_bytes(wire[6:8], "big") + 1).to_bytes(2, "big") + wire[8:]


def bad_rdata(wire):
    """An A record of three bytes."""
    at = wire.index(b"\x00\x04\xc0\x00\x02")
    return wire[:at] + b"\x00\x03\x00\x02" + wire[at + 5:]


def loop(wire):
    """The first owner points to itself."""
    at = wire.index(b"\xc0\x0c", 12)
    return wire[:at] + bytes([0xC0 | at >> 8, at & 255]) + wire[at + 2:]


NAME_ELSEWHERE = dns.name.from_text("elsewhere.test.")


def question_of(rdtype="AXFR", name=None):
    def make(request):
        return [dns.rrset.RRset(name or request.query.question[0].name, dns.rdataclass.IN,
                                dns.rdatatype.from_text(rdtype))]
    return make


# What it is called → the manner, and what the log says of it.
KEPT_OUT = {
    "garbage": (garbage, r"the answer has the ID \d+ instead of \d+"),
    "http": (not_dns, r"the answer has the ID \d+ instead of \d+"),
    "nothing": (nothing, r"the primary closed the connection$"),
    "cut": (cut_off(2), r"the primary closed the connection before the end"),
    "half": (cut_off(2, half=True), r"the primary closed the connection within a message"),
    "id": (changed(id=lambda request: request.query.id ^ 1), r"the answer has the ID \d+ instead of \d+"),
    "question": (changed(question=question_of("A")), r"the answer is to another question"),
    "othername": (changed(question=question_of("AXFR", NAME_ELSEWHERE)), r"the answer is to another question"),
    "noquestion": (changed(question=lambda request: []), r"the answer has no question"),
    "truncated": (changed(flags=lambda request: dns.flags.QR | dns.flags.AA | dns.flags.TC), r"the answer is truncated"),
    "query": (edited(reply_bit), r"the message is no answer to a query"),
    "opcode": (edited(opcode), r"the message is no answer to a query"),
    "refused": (tcp_or_soa(refuse(dns.rcode.REFUSED)), r"the answer is REFUSED"),
    "servfail": (tcp_or_soa(refuse(dns.rcode.SERVFAIL)), r"the answer is SERVFAIL"),
    "nosoa": (stream_of(lambda zone: zone.rrs()), r"the first record is no SOA"),
    "otherzone": (stream_of(lambda zone: [foreign("elsewhere.test.", "SOA", "a. b. 2 3600 900 604800 60"),
                                          foreign("www.elsewhere.test.", "A", "192.0.2.1"),
                                          foreign("elsewhere.test.", "SOA", "a. b. 2 3600 900 604800 60")]),
                  r"a SOA that is not the zone's: SOA of \"elsewhere\.test\.\""),
    "innersoa": (stream_of(lambda zone: [*zone.stream()[:-1],
                                         foreign(f"www.{zone.name}.", "SOA", "a. b. 2 3600 900 604800 60"),
                                         zone.soa_rr()]), r"a SOA that is not the zone's: SOA of \"www\.innersoa\.test\.\""),
    "otherserial": (stream_of(lambda zone: [*zone.stream()[:-1], zone.soa_rr(zone.serial + 7)]),
                    r"the zone begins with serial 2 and ends with 9"),
    "class": (edited(other_class), r"a record of another class than IN: SOA of "),
    "count": (edited(count_too_high), r"the message is malformed"),
    "rdata": (edited(bad_rdata), r"malformed record data: A of "),
    "loop": (edited(loop), r"the message is malformed"),
    "trailing": (edited(lambda wire: wire + b"\0\0\0"), r"the message is malformed"),
    "short": (edited(lambda wire: wire[:7]), r"a message of 7 bytes"),
    "behind": (goes_on_after_the_end, r"a record behind the end: A of "),
    "endless": (scripted.endless, rf"more than {LIMIT} bytes of records"),
    "large": (stream_of(lambda zone: [*zone.stream()[:-1], *(zone.rr(f'l{n} 300 TXT "{"x" * 250}"') for n in range(900)),
                                      zone.soa_rr()]), rf"more than {LIMIT} bytes of records"),
}

@tcp_or_soa
def forged_in_the_midst(request):
    """With a message that another slipped in, not signed: the next signature tells (RFC 8945 5.3.1)."""
    for number, piece in enumerate(parts(request.zone.stream(), 5)):
        if number == 2:
            evil = request.message([request.zone.rr("evil 300 A 192.0.2.66")], tsig=None)
            request.give(frame(evil.to_wire()))
        request.send(piece)


# The same of zones with a key.
FORGED = {
    "othersecret": (signed_badly(key=KEY._replace(secret=OTHER_KEY.secret)),
                    r"the signature is wrong"),
    "otherkey": (signed_badly(key=OTHER_KEY), r"the TSIG is made with another key"),
    "unsigned": (signed_badly(signed=False), r"there is no TSIG where there has to be one"),
    "skew": (signed_badly(when=lambda: 10**9), r"the time of the signature is too far from ours"),
    "firstonly": (signed_as(lambda number, last: number == 0), r"the last message is not signed"),
    "notfirst": (signed_as(lambda number, last: number > 0), r"there is no TSIG where there has to be one"),
    "hundred": (signed_as(lambda number, last: number in (0, 101) or last, size=1),
                r"there is no TSIG where there has to be one"),
    "forged": (forged_in_the_midst, r"the signature is wrong"),
}


def secondary_of(rondo, primary, names, key=None):
    for name in names:
        primary.add(name, Changing(lines=from_lines(120) if key else from_lines(4)), key)
    return rondo(**rondo_zones({name: Zone(primaries=[with_key(primary, key)]) for name in names},
                               more=f'max_zone_size = {LIMIT}; refresh_min = "1h"; retry_min = "1h"; retry_max = "1d"; '
                                    'refresh_max = "1d";'))


@pytest.fixture(scope="module")
def plain():
    with scripted.Primary("127.0.0.5") as primary:
        yield primary


@pytest.fixture(scope="module")
def keyed():
    with scripted.Primary("127.0.0.6") as primary:
        yield primary


@pytest.fixture(scope="module")
def server_of(rondo_module, plain):
    """The server that has the case's zone. Not one for all: of a burst of transfers the log has fifty lines, of ten
    cases that is forty."""
    cases, servers = [*KEPT_OUT, *BAD_CHANGES], {}

    def find(case):
        group = cases.index(case) // 10
        if group not in servers:
            servers[group] = secondary_of(rondo_module, plain, [f"{one}.test" for one in cases[group * 10:][:10]])
        return servers[group]

    return find


@pytest.fixture(scope="module")
def keyed_server(rondo_module, keyed):
    return secondary_of(rondo_module, keyed, [f"{case}.test" for case in (*FORGED, "ninetynine")], KEY)


def keep_out(server, primary, name, manner, why):
    zone = primary.zones[name]
    wait_serial(server, name, zone.serial)
    before = zone.text()
    zone.misbehave(manner)
    zone.step()
    mark = server.log_mark()
    assert rcode(notify(server, name, zone.serial, primary.address, zone.key)) == "NOERROR"
    server.wait_log(rf'warning: zone "{name}": transfer from {primary.address}\S* failed: {why}', mark)
    # Whoever says nothing at all is not asked again.
    until(lambda: zone.count("AXFR") > 1 or manner is nothing, "it asks for the whole zone, too")
    assert_equal(server, name, records_of(before, name))
    server.assert_serving(f"www.{name}")
    zone.behave()
    zone.step()
    assert rcode(notify(server, name, zone.serial, primary.address, zone.key)) == "NOERROR"
    wait_equal(server, name, zone.text())


@pytest.mark.parametrize("case", KEPT_OUT)
def test_kept_out(server_of, plain, case):
    keep_out(server_of(case), plain, f"{case}.test", *KEPT_OUT[case])


@pytest.mark.parametrize("case", FORGED)
def test_forgeries_are_kept_out(keyed_server, keyed, case):
    keep_out(keyed_server, keyed, f"{case}.test", *FORGED[case])


def test_ninety_nine_messages_without_a_signature(keyed_server, keyed):
    """As many may follow one another (RFC 8945 5.3.1)."""
    zone = keyed.zones["ninetynine.test"]
    zone.misbehave(signed_as(lambda number, last: number in (0, 100) or last, size=1))
    zone.step()
    notify(keyed_server, zone.name, zone.serial, keyed.address, KEY)
    wait_equal(keyed_server, zone.name, zone.text())


# ---- changes that are no good: the zone is taken whole instead


def ixfr(make):
    """An IXFR of these records, made of the Zone and the serial that was asked."""
    @tcp_or_soa
    def manner(request):
        request.send(make(request.zone, request.serial))
    return manner


def change(zone, old, new, removed=(), added=()):
    return [zone.soa_rr(old), *map(zone.rr, removed), zone.soa_rr(new), *map(zone.rr, added)]


def between(make_steps):
    return ixfr(lambda zone, ours: [zone.soa_rr(), *make_steps(zone, ours), zone.soa_rr()])


# Serials are 1 before the step, and 2 after it.
BAD_CHANGES = {
    "gone": between(lambda zone, ours: change(zone, ours, zone.serial, ["nowhere 300 A 192.0.2.1"])),
    "twice": between(lambda zone, ours: change(zone, ours, zone.serial, [], ["www 300 A 192.0.2.1"])),
    "elsewhere": between(lambda zone, ours: change(zone, ours + 3, zone.serial)),
    "back": between(lambda zone, ours: change(zone, ours, ours - 1) + change(zone, ours - 1, zone.serial)),
    "gap": between(lambda zone, ours: change(zone, ours, ours + 1) + change(zone, ours + 2, zone.serial)),
    "beyond": between(lambda zone, ours: change(zone, ours, zone.serial + 5)),
    "partly": between(lambda zone, ours: change(zone, ours, zone.serial, ["ns1 300 A 192.0.2.53",
                                                                          "nowhere 300 A 192.0.2.1"])),
    "formerr": tcp_or_soa(refuse(dns.rcode.FORMERR)),
    "notimp": tcp_or_soa(refuse(dns.rcode.NOTIMP)),
    "refusing": tcp_or_soa(refuse(dns.rcode.REFUSED)),
    "breaks": cut_off(1),
}


@pytest.mark.parametrize("case", BAD_CHANGES)
def test_bad_changes_fall_back_to_the_whole_zone(server_of, plain, case):
    server = server_of(case)
    zone = plain.zones[f"{case}.test"]
    wait_serial(server, zone.name, zone.serial)
    zone.asked.clear()
    zone.ixfr = BAD_CHANGES[case]
    zone.step()
    notify(server, zone.name, zone.serial, plain.address)
    wait_equal(server, zone.name, zone.text())
    assert zone.count("IXFR") and zone.count("AXFR") == 1


# ---- odd, but usable


@pytest.fixture
def primary():
    with scripted.Primary("127.0.0.7") as made:
        yield made


@pytest.mark.parametrize("soa, axfr, changes", [
    (scripted.without_edns(scripted.say_soa), scripted.without_edns(scripted.whole),
     scripted.without_edns(scripted.changes)),
    (scripted.say_soa, scripted.whole, scripted.whole),
    (scripted.say_soa, lambda request: scripted.whole(request, size=1), scripted.changes),
], ids=["no-edns", "no-changes", "a-record-a-message"])
def test_old_servers_are_usable(rondo, primary, soa, axfr, changes):
    zone = primary.add("old.test")
    zone.soa, zone.axfr, zone.ixfr = soa, axfr, changes
    server = rondo(**rondo_zones({"old.test": Zone(primaries=[primary])}))
    wait_equal(server, "old.test", zone.text())
    zone.step()
    notify(server, "old.test", zone.serial, primary.address)
    wait_equal(server, "old.test", zone.text())


def test_a_primary_that_udp_does_not_reach(rondo, primary):
    """The third question goes by TCP."""
    zone = primary.add("old.test")
    zone.soa = scripted.only_tcp(scripted.say_soa)
    server = rondo(**rondo_zones({"old.test": Zone(primaries=[primary])}))
    wait_equal(server, "old.test", zone.text())


def test_sloppy_data_is_taken_with_a_warning(rondo, primary):
    """Records outside the zone are left out; what no zone file would be loaded with is served as it came."""
    zone = primary.add("sloppy.test", Changing(lines=from_lines(0) + ["both 300 CNAME www", 'both 300 TXT "x"']))
    zone.axfr = stream_of(lambda zone: [*zone.stream()[:-1], foreign("www.elsewhere.test.", "A", "192.0.2.66"),
                                        zone.soa_rr()])
    server = rondo(**rondo_zones({"sloppy.test": Zone(primaries=[primary])}))
    server.wait_log(r'warning: .*"sloppy\.test".*records? outside the zone .*"www\.elsewhere\.test')
    assert not any("elsewhere" in line for line in records_at(server, "sloppy.test"))
    server.assert_serving("www.sloppy.test")


# ---- slow ones


@pytest.mark.parametrize("manner", [drip(0.05), scripted.silent], ids=["drip", "silent"])
def test_a_slow_primary_holds_up_nobody(rondo, primary, manner):
    """Of the zones of one server that is slow, and of others that are not."""
    for name in ("slow.test", "good.test"):
        primary.add(name)
    server = rondo(**rondo_zones({name: Zone(primaries=[primary]) for name in primary.zones}))
    slow, good = primary.zones["slow.test"], primary.zones["good.test"]
    slow.misbehave(manner)
    slow.step()
    slow.asked.clear()
    notify(server, slow.name, slow.serial, primary.address)
    until(lambda: slow.count("IXFR"), "the transfer begins")
    with Load(server, "www.slow.test") as load:
        for _ in range(3):
            good.step()
            notify(server, good.name, good.serial, primary.address)
            wait_serial(server, good.name, good.serial)
        load.wait_sent(50)
    assert load.lost == load.wrong == 0
    assert serial_at(server, slow.name) == slow.serial - 1
    slow.behave()
    primary.stop()
    primary.start()
    notify(server, slow.name, None, primary.address)
    wait_equal(server, slow.name, slow.text())


def test_many_slow_zones_leave_room_for_others(rondo, primary, plain):
    names = [f"slow{number}.test" for number in range(20)]
    for name in names:
        primary.add(name)
    good = plain.add("good.test")
    server = rondo(**rondo_zones({**{name: Zone(primaries=[primary]) for name in names},
                                  good.name: Zone(primaries=[plain])}))
    for name in names:
        zone = primary.zones[name]
        zone.misbehave(scripted.silent)
        zone.step()
        notify(server, name, zone.serial, primary.address)
    good.step()
    notify(server, good.name, good.serial, plain.address)
    wait_equal(server, good.name, good.text())

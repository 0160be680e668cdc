"""Zones go out: BIND, Knot and NSD as secondaries of rondo, and whoever else asks for a zone or for its changes."""

import collections
import re
import socket
import subprocess

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest

import signing
from rondo import PATIENCE_SEC, Load, aa, frame, rcode, read_frame, until
from transferring import (ALL, KEY, OTHER_KEY, Changing, Key, Knot, Listener, Zone, assert_equal, from_lines, place,
                          rondo_keys, rondo_zones, started, wait_equal, wait_serial, with_key)
from zonecopy import ask_for_transfer, records_at, records_of, transfer

PLAIN, KEYED = "plain.test", "keyed.test"


def change(server, name, changing):
    """A step in the zone's file; the reload is the caller's."""
    changing.step()
    server.write_zone(name, changing.text())


def reload(server):
    done = server.reload()
    assert done.returncode == 0, done.stdout + done.stderr


# ---- secondaries


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.program)
def test_a_secondary_follows(rondo, kind):
    """Fifty steps, told by NOTIFY, of a zone without and of one with TSIG: they come as changes, and lead to the same
    zone, record by record."""
    here, there = place("127.0.0.1"), place(kind.home)
    texts = {name: Changing(lines=from_lines(60)) for name in (PLAIN, KEYED)}
    server = rondo(**rondo_zones({PLAIN: Zone(texts[PLAIN].text(), notify=[there]),
                                  KEYED: Zone(texts[KEYED].text(), notify=[with_key(there, KEY)], key=KEY)}, here))
    with started(kind, {PLAIN: Zone(primaries=[here]), KEYED: Zone(primaries=[with_key(here, KEY)])}, there) as peer:
        for burst in range(11):
            for name, changing in texts.items():
                wait_equal(peer, name, changing.text())
            for _ in range(5 if burst < 10 else 0):
                for name, changing in texts.items():
                    change(server, name, changing)
                reload(server)
        for name, changing in texts.items():
            whole, *changes = peer.sizes_in(name)
            assert len(changes) >= 10 and max(changes) < whole / 2, (name, whole, changes)
            assert changing.serial == 51


def test_a_secondary_that_was_away_catches_up(rondo):
    """Its NOTIFY is repeated until it answers; what it missed comes as changes, also when rondo was started anew."""
    here, there = place("127.0.0.1"), place(Knot.home)
    changing = Changing(lines=from_lines(60))
    server = rondo(**rondo_zones({PLAIN: Zone(changing.text(), notify=[there])}, here))
    with started(Knot, {PLAIN: Zone(primaries=[here])}, there) as peer:
        wait_equal(peer, PLAIN, changing.text())
        peer.kill()
        for number in range(4):
            change(server, PLAIN, changing)
            reload(server)
            if number == 1:
                server.restart()
        peer.start()
        wait_equal(peer, PLAIN, changing.text())
        assert len(peer.sizes_in(PLAIN)) == 2 and peer.sizes_in(PLAIN)[1] < peer.sizes_in(PLAIN)[0] / 2


@pytest.mark.parametrize("chain", ["nsec", "optout"])
def test_a_signed_zone_arrives_intact(rondo, tmp_path, chain):
    """Signed anew with each change, as its operator does; all three secondaries have each signature, and the chain."""
    signer = signing.Signer(tmp_path, PLAIN, chain=chain)
    changing = Changing(lines=from_lines(20))
    here, there = place("127.0.0.1"), [place(kind.home) for kind in ALL]
    text = signer.sign(changing.text())
    server = rondo(**rondo_zones({PLAIN: Zone(text, notify=there)}, here))
    for kind, where in zip(ALL, there):
        with started(kind, {PLAIN: Zone(primaries=[here])}, where) as peer:
            wait_equal(peer, PLAIN, text)
            changing.step()
            text = signer.sign(changing.text())
            server.write_zone(PLAIN, text)
            reload(server)
            wait_equal(peer, PLAIN, text)
    assert_equal(server, PLAIN, records_of(text, PLAIN))


# ---- a zone's history


History = collections.namedtuple("History", "server texts first last")


@pytest.fixture(scope="module")
def history(rondo_module):
    """A server with a zone in its thirty-first version, over the wrap of serials, and the text of each by its serial.
    The tenth step is too large for a datagram."""
    changing = Changing(serial=2**32 - 10, lines=from_lines(60))
    first, texts = changing.serial, {changing.serial: changing.text()}
    server = rondo_module(**rondo_zones({PLAIN: Zone(changing.text())}))
    for number in range(30):
        if number == 9:
            changing.change([], [f'large{part} 300 TXT "{"x" * 100}"' for part in range(15)])
            server.write_zone(PLAIN, changing.text())
        else:
            change(server, PLAIN, changing)
        reload(server)
        texts[changing.serial] = changing.text()
    return History(server, texts, first, changing.serial)


def expect_changes(history, serial, done):
    """Each step follows on the one before, or they were condensed; together they lead to the newest version."""
    assert (done.rcode, done.kind) == ("NOERROR", "changes"), (serial, done.kind)
    assert done.serial == history.last
    ends = [(old, new) for old, new, _, _ in done.changes]
    assert ends[0][0] == serial and ends[-1][1] == history.last
    assert all(before[1] == after[0] for before, after in zip(ends, ends[1:])), ends
    assert done.applied_to(records_of(history.texts[serial], PLAIN)) == records_of(history.texts[history.last], PLAIN)


def test_changes_lead_from_any_version_to_the_newest(history):
    for serial in history.texts:
        if serial != history.last:
            expect_changes(history, serial, transfer(history.server, PLAIN, serial))


def test_changes_outlive_the_process(rondo):
    """Stopped or killed, the server still knows what led to what."""
    changing = Changing(lines=from_lines(60))
    texts = {1: changing.text()}
    server = rondo(**rondo_zones({PLAIN: Zone(changing.text())}))
    for end in (server.stop, server.kill):
        for _ in range(3):
            change(server, PLAIN, changing)
            reload(server)
            texts[changing.serial] = changing.text()
        end()
        server.start()
        for serial in range(1, changing.serial):
            expect_changes(History(server, texts, 1, changing.serial), serial, transfer(server, PLAIN, serial))


@pytest.mark.parametrize("payload", [None, 1232, 4096])
def test_changes_by_udp(history, payload):
    """As many as fit, else the SOA alone, which says: come by TCP (RFC 1995 2). Never truncated, never half."""
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    kinds = set()
    for serial in [(history.last - back) % 2**32 for back in (1, 2, 5, 10, 20, 30)]:
        done = transfer(history.server, PLAIN, serial, udp=True, **edns)
        assert done.sizes[0] <= (1232 if payload else 512)
        assert not done.messages[0].flags & dns.flags.TC
        kinds.add(done.kind)
        if done.kind == "changes":
            expect_changes(history, serial, done)
        else:
            assert (done.kind, done.serial) == ("too large", history.last)
    assert kinds == {"changes", "too large"}


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
def test_nothing_newer_is_one_soa(history, udp):
    for serial in (history.last, (history.last + 1) % 2**32, (history.last + 1000) % 2**32):
        done = transfer(history.server, PLAIN, serial, udp=udp)
        assert (done.kind, done.serial, len(done.rrs)) == ("current", history.last, 1)
        assert aa(done.messages[0])


def test_an_unknown_version_gets_the_zone(history):
    for serial in ((history.first - 1) % 2**32, (history.first - 1000) % 2**32):
        done = transfer(history.server, PLAIN, serial)
        assert done.kind == "whole"
        assert done.records == records_of(history.texts[history.last], PLAIN)
        assert transfer(history.server, PLAIN, serial, udp=True).kind == "too large"


def dig(server, *words):
    done = subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), "+tries=1", f"+time={int(PATIENCE_SEC)}",
                           *words], capture_output=True, text=True, check=False, timeout=PATIENCE_SEC * 3)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_dig_takes_changes(history, transport):
    before = (history.last - 1) % 2**32
    said = dig(history.server, PLAIN, transport, "+onesoa", "-t", f"ixfr={before}")
    soas = re.findall(r"\sSOA\s+\S+ \S+ (\d+) ", said)
    assert "failed" not in said and str(before) in soas and str(history.last) in soas, said


def test_the_messages_of_a_whole_zone(history):
    """AA in each (RFC 5936 2.2.1), the question in the first, the ID in all; the SOA first and last, and nothing
    elsewhere than in the answer."""
    done = transfer(history.server, PLAIN, use_edns=0)
    assert done.records == records_of(history.texts[history.last], PLAIN)
    first = done.messages[0]
    assert first.edns == 0 and len(first.question) == 1
    for message in done.messages:
        assert aa(message) and not message.authority and not message.additional
        assert not message.flags & (dns.flags.TC | dns.flags.RA)


def test_what_is_malformed(history):
    server = history.server
    assert rcode(server.send(ask_for_transfer(PLAIN))) == "FORMERR"  # AXFR by UDP (RFC 5936 4.2)
    question = ask_for_transfer(PLAIN, history.first)
    question.authority.clear()
    assert rcode(server.send(question)) == "FORMERR"
    assert rcode(server.send(question, tcp=True)) == "FORMERR"
    assert transfer(server, "www." + PLAIN).rcode == "NOTAUTH"
    assert transfer(server, "elsewhere.test").rcode == "NOTAUTH"
    server.assert_serving("www." + PLAIN)


def test_many_transfers_on_one_connection(history):
    """One after the other, asked all at once (RFC 7766 6.2.1.1)."""
    questions = [ask_for_transfer(PLAIN, serial) for serial in (None, history.first, history.last, None)]
    wires = [question.to_wire() for question in questions]
    counts = collections.Counter()
    with history.server.tcp_socket() as sock:
        sock.sendall(b"".join(map(frame, wires)))
        want = {question.id: 1 if serial == history.last else 2
                for question, serial in zip(questions, (None, history.first, history.last, None))}
        while any(counts[number] < wanted for number, wanted in want.items()):
            message = dns.message.from_wire(read_frame(sock), xfr=True, one_rr_per_rrset=True)
            assert message.id in want and rcode(message) == "NOERROR"
            counts[message.id] += sum(rrset.rdtype == dns.rdatatype.SOA and rrset[0].serial == history.last
                                      for rrset in message.answer)


# ---- who may


def test_nobody_may_by_default(rondo):
    server = rondo()
    for serial in (None, 1):
        done = transfer(server, "example.com", serial)
        assert done.rcode == "REFUSED" and not done.rrs
    assert transfer(server, "example.com", 1, udp=True).rcode == "REFUSED"
    server.wait_log(r'zone "example\.com": transfer \(.*\) to 127\.0\.0\.1\S* refused: "allow_transfer"')
    server.assert_serving()


def test_refusals_do_not_fill_the_log(rondo):
    server = rondo()
    question = frame(ask_for_transfer("example.com").to_wire())
    with server.tcp_socket() as sock:
        for _ in range(2000):
            sock.sendall(question)
            assert dns.rcode.to_text(dns.message.from_wire(read_frame(sock)).rcode()) == "REFUSED"
    assert len(re.findall(r"transfer .*refused", server.log())) < 100


@pytest.fixture(scope="module")
def guarded(rondo_module):
    """A zone for one key, one for an address, one for nobody by name."""
    text = Changing().text()
    rows = {KEYED: f'allow_transfer = [ "key {KEY.name}" ];', PLAIN: 'allow_transfer = [ "127.0.0.77", "127.0.0.64/30" ];',
            "none.test": 'allow_transfer = [ "none" ];', "both.test": f'allow_transfer = [ "127.0.0.77 key {KEY.name}" ];'}
    return rondo_module(zones=dict.fromkeys(rows, text), keys=rows, extra=rondo_keys([KEY, OTHER_KEY]))


def test_the_key_decides(guarded):
    assert records_at(guarded, KEYED, KEY) == records_of(Changing().text(), KEYED)
    assert transfer(guarded, KEYED).rcode == "REFUSED"
    refused = transfer(guarded, KEYED, key=OTHER_KEY)  # one that we know
    assert refused.rcode == "REFUSED" and refused.messages[0].had_tsig
    assert transfer(guarded, "none.test", key=KEY).rcode == "REFUSED"
    assert transfer(guarded, "both.test", key=KEY).rcode == "REFUSED"  # from another address


def test_a_wrong_key(guarded):
    """BADSIG, BADKEY: NOTAUTH with a TSIG that is not signed (RFC 8945 5.2)."""
    for key, error in ((Key(KEY.name, OTHER_KEY.secret), 16), (Key("unknown.test.", KEY.secret), 17),
                       (Key(KEY.name, KEY.secret, "hmac-sha512"), 17)):
        question = ask_for_transfer(KEYED, key=key)
        with guarded.tcp_socket() as sock:
            sock.sendall(frame(question.to_wire()))
            wire = read_frame(sock)
        with pytest.raises(dns.tsig.PeerError) as caught:
            dns.message.from_wire(wire, keyring=key.of_dnspython(), request_mac=question.mac)
        assert dns.message.from_wire(wire, keyring=False, continue_on_error=True).rcode() == dns.rcode.NOTAUTH
        assert isinstance(caught.value, {16: dns.tsig.PeerBadSignature, 17: dns.tsig.PeerBadKey}[error])


def test_the_address_decides(guarded):
    def ask_from(address):
        with guarded.tcp_socket(source=address) as sock:
            sock.sendall(frame(ask_for_transfer(PLAIN).to_wire()))
            return dns.rcode.to_text(dns.message.from_wire(read_frame(sock)).rcode())

    assert [ask_from(f"127.0.0.{last}") for last in (1, 63, 64, 67, 68, 77)] == [
        "REFUSED", "REFUSED", "NOERROR", "NOERROR", "REFUSED", "NOERROR"]


def test_a_reload_changes_who_may(rondo):
    server = rondo()
    assert transfer(server, "example.com").rcode == "REFUSED"
    server.keys = {"example.com": 'allow_transfer = [ "127.0.0.1" ];'}
    server.write_config()
    reload(server)
    assert transfer(server, "example.com").kind == "whole"
    server.keys = {}
    server.write_config()
    reload(server)
    assert transfer(server, "example.com").rcode == "REFUSED"


# ---- views


def test_annotations_travel_with_the_zone(rondo):
    """A secondary of our kind needs what stands at and below _balance; the others hand it on."""
    lines = ['_balance.www 300 TXT "policy=weighted ttl=20"', '_balance.www 300 TXT "address=192.0.2.1 weight=4"']
    changing = Changing(lines=from_lines(0) + lines)
    here, there = place("127.0.0.1"), place(Knot.home)
    server = rondo(**rondo_zones({PLAIN: Zone(changing.text(), notify=[there])}, here))
    with started(Knot, {PLAIN: Zone(primaries=[here])}, there) as peer:
        wait_equal(peer, PLAIN, changing.text())
        changing.change(lines[1:], ['_balance.www 300 TXT "address=192.0.2.1 weight=5"'])
        server.write_zone(PLAIN, changing.text())
        reload(server)
        wait_equal(peer, PLAIN, changing.text())


# ---- large ones, and slow readers

LARGE_LINES = 30000


@pytest.fixture(scope="module")
def large():
    return Changing(lines=[f'h{number} 300 TXT "{number}{"x" * 200}"' for number in range(LARGE_LINES)])


def test_a_slow_reader_blocks_nobody(rondo, large):
    """It gets the version that it began with, while others get theirs and the zone goes on."""
    server = rondo(**rondo_zones({PLAIN: Zone(large.text())}), server="workers = 1;")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE_SEC)
        slow.connect((server.address, server.port))
        slow.sendall(frame(ask_for_transfer(PLAIN).to_wire()))
        messages = [read_frame(slow)]
        server.write_zone(PLAIN, Changing(serial=2).text())
        with Load(server, "ns1." + PLAIN) as load:
            reload(server)
            wait_serial(server, PLAIN, 2)
            assert records_at(server, PLAIN) == records_of(Changing(serial=2).text(), PLAIN)
            load.wait_sent(100)
        assert load.lost == load.wrong == 0
        rrs = 0
        serials = []
        while len(serials) < 2:
            message = dns.message.from_wire(messages.pop() if messages else read_frame(slow), xfr=True,
                                            one_rr_per_rrset=True)
            rrs += len(message.answer)
            serials += [rrset[0].serial for rrset in message.answer if rrset.rdtype == dns.rdatatype.SOA]
        assert serials == [1, 1] and rrs == LARGE_LINES + 4


def test_a_reader_who_stands_still_is_left(rondo, large):
    server = rondo(**rondo_zones({PLAIN: Zone(large.text())}, more='transfer_max = "1s";'))
    before = server.open_files()
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((server.address, server.port))
        stuck.sendall(frame(ask_for_transfer(PLAIN).to_wire()))
        server.wait_log(r'zone "plain\.test": AXFR to .* broken off.*transfer_max')
        until(lambda: server.open_files() <= before, "the connection is closed")
    server.assert_serving("ns1." + PLAIN)


# ---- NOTIFY


def test_who_is_told(rondo):
    """The peers of `notify`, with their key; at once, and no more than needed when changes come one upon the other."""
    with Listener("127.0.0.21") as plain, Listener("127.0.0.22", keyring=KEY.of_dnspython()) as keyed:
        changing = Changing()
        server = rondo(**rondo_zones({PLAIN: Zone(changing.text(), notify=[plain, with_key(keyed, KEY)])}))
        for _ in range(15):
            change(server, PLAIN, changing)
            reload(server)
        for listener in (plain, keyed):
            until(lambda listener=listener: listener.serials()[-1:] == [changing.serial], "the last change is told")
            assert len(listener.heard) < 15
            for _, message in listener.heard:
                assert message.flags & dns.flags.AA and len(message.question) == 1
                assert message.question[0].rdtype == dns.rdatatype.SOA
                assert message.had_tsig == (listener is keyed)


def test_who_does_not_answer_is_told_again(rondo):
    with Listener("127.0.0.21") as listener:
        listener.answers = False
        changing = Changing()
        server = rondo(**rondo_zones({PLAIN: Zone(changing.text(), notify=[listener])}))
        change(server, PLAIN, changing)
        reload(server)
        until(lambda: listener.serials().count(2) >= 2, "it is told twice")
        listener.answers = True
        until(lambda: listener.serials().count(2) >= 3, "and once more, which it answers")
        change(server, PLAIN, changing)
        reload(server)
        until(lambda: listener.serials()[-1] == 3, "the next change is told")


def test_name_servers_are_told(rondo):
    """Those of the NS set, on port 53, but for the one that the SOA names; and none when they are not to be."""
    try:
        listeners = {last: Listener(f"127.0.0.{last}", 53) for last in (31, 32, 33)}
    except OSError as problem:
        pytest.skip(f"port 53: {problem}")
    with listeners[31], listeners[32], listeners[33]:
        text = ("$TTL 300\n@ SOA ns1 host {} 3600 900 604800 60\n@ NS ns1\n@ NS ns2\nns1 A 127.0.0.31\n"
                "ns2 A 127.0.0.{}\n")
        server = rondo(zones={"told.test": text.format(1, 32), "quiet.test": text.format(1, 33)},
                       keys={"told.test": "notify_ns = true;", "quiet.test": "notify_ns = false;"})
        server.write_zone("told.test", text.format(2, 32))
        server.write_zone("quiet.test", text.format(2, 33))
        reload(server)
        until(lambda: 2 in listeners[32].serials(), "ns2 is told")
        assert not listeners[31].heard and not listeners[33].heard

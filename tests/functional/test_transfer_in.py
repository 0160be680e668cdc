"""Zones come in: rondo as secondary of BIND and Knot, of both and of another rondo, and what becomes of its zones when a
primary dies."""

import time

import dns.edns
import dns.flags
import pytest

import balancing
import scripted
import signing
from balancing import a_records, balance, literal, probes, wait_seen
from rondo import Load, picture, rcode, until
from transferring import (KEY, OTHER_KEY, Changing, Key, Knot, Named, Zone, assert_equal, from_lines, notify,
                          notify_storm, place, rondo_zones, serial_at, started, update, wait_equal, wait_serial,
                          with_key)
from zonecopy import records_at, records_of, transfer

NAME = "example.com"
PLAIN, KEYED = "plain.test", "keyed.test"
PRIMARIES = (Named, Knot)
by_program = pytest.mark.parametrize("kind", PRIMARIES, ids=lambda kind: kind.program)

EDE_INVALID_DATA = 24


def move(peer, name, changing, count=1, key=None):
    """Steps by dynamic update."""
    for _ in range(count):
        update(peer, name, *changing.step(), key=key)


def is_expired(server, name=NAME):
    """SERVFAIL, which says why (RFC 8914 4.25)."""
    reply = server.query(name, "SOA", use_edns=0)
    codes = [option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)]
    if rcode(reply) == "SERVFAIL":
        assert codes == [EDE_INVALID_DATA], reply
        return True
    return False


# ---- primaries of other kinds


@by_program
def test_it_follows(rondo, kind):
    """Fifty steps, told by NOTIFY, of a zone without and of one with TSIG. All but the first come as changes."""
    here, there = place("127.0.0.1"), place(kind.home)
    texts = {name: Changing(lines=from_lines(60)) for name in (PLAIN, KEYED)}
    keys = {PLAIN: None, KEYED: KEY}
    bursts = 10 if kind is Named else 2  # Knot tells of an update a second late
    with started(kind, {name: Zone(changing.text(), notify=[with_key(here, keys[name])], key=keys[name])
                        for name, changing in texts.items()}, there) as peer:
        server = rondo(**rondo_zones({name: Zone(primaries=[with_key(there, keys[name])]) for name in texts}, here))
        for _ in range(bursts):
            for name, changing in texts.items():
                move(peer, name, changing, 50 // bursts, keys[name])
            for name, changing in texts.items():
                wait_serial(server, name, changing.serial)
                assert_equal(server, name, records_at(peer, name, keys[name]))
        for name, changing in texts.items():
            wait_equal(server, name, changing.text())
            assert peer.gave_changes(name) >= bursts


def test_what_it_missed_comes_at_the_next_refresh(rondo):
    """Nobody tells it of anything."""
    there = place(Named.home)
    changing = Changing(refresh=1, retry=1)
    with started(Named, {NAME: Zone(changing.text())}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}))
        move(peer, NAME, changing, 3)
        wait_equal(server, NAME, changing.text())


@by_program
def test_serials_wrap(rondo, kind):
    """Across 2^32, by changes of one step and of several; and handed on the same way."""
    here, there = place("127.0.0.1"), place(kind.home)
    changing = Changing(serial=2**32 - 4, lines=from_lines(30))
    first = changing.text()
    with started(kind, {NAME: Zone(first, notify=[here])}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}, here))
        for count in (1, 2, 5):
            move(peer, NAME, changing, count)
            until(lambda: serial_at(server, NAME) == serial_at(peer, NAME), lambda: "it follows\n" + server.log())
            assert_equal(server, NAME, records_at(peer, NAME))
        assert serial_at(server, NAME) < 2**31
        since = transfer(server, NAME, 2**32 - 4)
        assert since.kind == "changes"
        assert since.applied_to(records_of(first, NAME)) == records_at(peer, NAME)


def test_a_signed_zone_stays_intact(rondo, tmp_path):
    """Every signature, the chain, and the proofs that are made of it."""
    signer = signing.Signer(tmp_path, NAME, chain="nsec3")
    text = signer.sign(Changing(lines=from_lines(10)).text())
    there = place(Knot.home)
    with started(Knot, {NAME: Zone(text)}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}))
        wait_equal(server, NAME, text)
        for name, rdtype in (("www", "A"), ("www", "TXT"), ("x.wild", "TXT"), ("nope", "A"), ("sub", "DS")):
            ours, theirs = (who.query(f"{name}.{NAME}", rdtype, want_dnssec=True, payload=1232) for who in (server, peer))
            assert picture(ours)[:5] == picture(theirs)[:5]


# ---- primaries that die


SHORT = {"refresh": 1, "retry": 1, "expire": 2}


def test_the_zone_expires_and_comes_back(rondo):
    """Its primary killed, it answers on, until nobody has confirmed the zone for too long; the primary alone returns
    it, newer or the same."""
    here, there = place("127.0.0.1"), place(Named.home)
    changing = Changing(**SHORT)
    with started(Named, {NAME: Zone(changing.text()), "long.test": Zone(Changing().text())}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there]), "long.test": Zone(primaries=[there])}, here))
        peer.kill()
        server.assert_serving("www." + NAME)
        until(lambda: is_expired(server), "it expires")
        server.wait_log(r'error: zone "example\.com": expired')
        assert transfer(server, NAME).rcode == "SERVFAIL"
        assert rcode(server.query("www." + NAME)) == "SERVFAIL"
        server.assert_serving("www.long.test")
        peer.start()
        until(lambda: not is_expired(server), "it returns")
        server.wait_log(r'zone "example\.com": no longer expired')
        move(peer, NAME, changing)
        wait_equal(server, NAME, changing.text())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_start_without_its_primary(rondo, end):
    """It answers at once with what it had, changes that came included, and follows when the primary is back."""
    here, there = place("127.0.0.1"), place(Named.home)
    changing = Changing(lines=from_lines(30), retry=1)
    with started(Named, {NAME: Zone(changing.text(), notify=[here])}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}, here))
        move(peer, NAME, changing, 3)
        wait_serial(server, NAME, changing.serial)
        peer.kill()
        getattr(server, end)()
        server.start([NAME])
        wait_equal(server, NAME, changing.text())
        assert transfer(server, NAME, 1).kind == "changes"
        peer.start()
        move(peer, NAME, changing)
        wait_equal(server, NAME, changing.text())


def test_an_expired_zone_stays_so_after_a_start(rondo):
    there = place(Named.home)
    with started(Named, {NAME: Zone(Changing(**SHORT).text())}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}))
        peer.kill()
        until(lambda: is_expired(server), "it expires")
        server.stop()
        server.start([])
        assert is_expired(server)
        peer.start()
        until(lambda: not is_expired(server), "it returns")


def test_killed_while_changes_come(rondo):
    """Whatever it had when it was killed is a version that there was; then it catches up."""
    here, there = place("127.0.0.1"), place(Named.home)
    changing = Changing(lines=from_lines(30), retry=1)
    texts = {changing.serial: changing.text()}
    with started(Named, {NAME: Zone(changing.text(), notify=[here])}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}, here))
        for _ in range(3):
            for _ in range(6):
                move(peer, NAME, changing)
                texts[changing.serial] = changing.text()
            server.kill()
            server.start([NAME])
            serial = serial_at(server, NAME)
            done = transfer(server, NAME)
            assert serial in texts and done.records == records_of(texts[done.serial], NAME)
        wait_equal(server, NAME, changing.text())


# ---- several primaries


@pytest.fixture
def three():
    """Primaries of one zone each, on addresses of their own."""
    made = [scripted.Primary(f"127.0.0.{last}").start() for last in (5, 6, 7)]
    for primary in made:
        primary.add(NAME)
    yield made
    for primary in made:
        primary.stop()


def at_serial(primary, serial):
    """The primary's zone becomes one of that serial, which holds a name that tells whose it is."""
    mark = "p" + primary.address.rpartition(".")[2]
    primary.zones[NAME].changing = Changing(serial=serial, lines=from_lines(0) + [f"{mark} 300 A 192.0.2.99"])
    return primary.zones[NAME].text()


def test_the_newest_of_several_wins(rondo, three):
    texts = [at_serial(primary, serial) for primary, serial in zip(three, (2**32 - 2, 3, 1))]
    here = place("127.0.0.1")
    server = rondo(**rondo_zones({NAME: Zone(primaries=three)}, here))
    wait_equal(server, NAME, texts[1])
    assert not three[0].zones[NAME].count("AXFR") and not three[2].zones[NAME].count("AXFR")
    newer = at_serial(three[2], 4)
    notify(server, NAME, 4, three[2].address)
    wait_equal(server, NAME, newer)
    assert three[2].zones[NAME].count("IXFR") == 1


def test_the_next_when_one_is_dead_or_bad(rondo, three):
    """One refuses all connections, one gives garbage: what the third has is taken, though it is older than the
    second's."""
    dead, bad, good = three
    dead.stop()
    at_serial(bad, 9)
    bad.zones[NAME].misbehave(scripted.cut_off(1))
    text = at_serial(good, 5)
    server = rondo(**rondo_zones({NAME: Zone(primaries=three)}))
    wait_equal(server, NAME, text)


def test_a_primary_set_back_changes_nothing(rondo, three):
    primary = three[0]
    at_serial(primary, 10)
    server = rondo(**rondo_zones({NAME: Zone(primaries=[primary])}))
    at_serial(primary, 9)
    primary.zones[NAME].asked.clear()
    notify(server, NAME, None, primary.address)
    until(lambda: primary.zones[NAME].count("SOA"), "it asks")
    newer = at_serial(primary, 11)
    notify(server, NAME, 11, primary.address)
    server.wait_log(r'warning: zone "example\.com": primary 127\.0\.0\.5\S* has serial 9, which is not above ours, 10')
    wait_equal(server, NAME, newer)
    assert primary.zones[NAME].count("AXFR") + primary.zones[NAME].count("IXFR") == 1


def test_a_chain(rondo):
    """BIND, rondo, rondo, Knot: what is updated at one end arrives at the other, TSIG all along; and each link survives
    the death of those before it."""
    places = [place(Named.home, KEY), place("127.0.0.1", KEY), place("127.0.0.2", KEY), place(Knot.home, KEY)]
    changing = Changing(lines=from_lines(30))
    with started(Named, {NAME: Zone(changing.text(), notify=[places[1]], key=KEY)}, places[0]) as first:
        second = rondo(**rondo_zones({NAME: Zone(None, [places[0]], [places[2]], KEY)}, places[1]))
        third = rondo(**rondo_zones({NAME: Zone(None, [places[1]], [places[3]], KEY)}, places[2]))
        with started(Knot, {NAME: Zone(None, [places[2]], key=KEY)}, places[3]) as last:
            for _ in range(3):
                move(first, NAME, changing, 3, KEY)
                wait_equal(last, NAME, changing.text(), KEY)
            assert len(last.sizes_in(NAME)) >= 4 and max(last.sizes_in(NAME)[1:]) < last.sizes_in(NAME)[0] / 2
            first.kill()
            second.stop()
            for server in (third, last):
                assert_equal(server, NAME, records_of(changing.text(), NAME), KEY)


# ---- NOTIFY


@pytest.fixture
def primary():
    with scripted.Primary() as made:
        yield made


def test_a_storm_of_notifies_is_no_storm_of_questions(rondo, primary):
    """Whatever serials they say. Answers to others go on meanwhile."""
    zone = primary.add(NAME)
    server = rondo(**rondo_zones({NAME: Zone(primaries=[primary])}))
    zone.asked.clear()
    began = time.monotonic()
    with Load(server, "www." + NAME, patience=0.5) as load:
        for _ in range(5):
            notify_storm(server, NAME, 1000, primary.address, serial=100)
            notify_storm(server, NAME, 1000, primary.address)
        load.wait_sent(50)
    zone.step()
    notify(server, NAME, zone.serial, primary.address)
    wait_equal(server, NAME, zone.text())
    took = time.monotonic() - began
    # Rounds that NOTIFYs begin are 20 ms apart, but for ten; a question is repeated when nobody answered within some seconds.
    assert zone.count("SOA") <= took / 0.02 + 15, (took, zone.asked)
    assert load.wrong == 0


def test_who_may_notify(rondo, primary):
    """The primaries, with their key where they have one, and allow_notify; from elsewhere it is REFUSED, logged, and
    without effect."""
    zones = {name: primary.add(name, key=key) for name, key in ((PLAIN, None), (KEYED, KEY))}
    server = rondo(**rondo_zones({name: Zone(primaries=[with_key(primary, zone.key)]) for name, zone in zones.items()},
                                 more='allow_notify = [ "127.0.0.8" ];'))
    for zone in zones.values():
        zone.step()
        zone.asked.clear()
    assert rcode(notify(server, PLAIN, 2, "127.0.0.9")) == "REFUSED"
    server.wait_log(r'zone "plain\.test": NOTIFY from 127\.0\.0\.9\S* refused: ')
    assert rcode(notify(server, KEYED, 2, primary.address)) == "REFUSED"  # not signed
    assert rcode(notify(server, "elsewhere.test", 2, primary.address)) == "NOTAUTH"
    assert not zones[PLAIN].asked and not zones[KEYED].asked
    reply = notify(server, PLAIN, 2, primary.address)
    assert rcode(reply) == "NOERROR" and reply.flags & dns.flags.AA and reply.opcode() == 4
    assert rcode(notify(server, KEYED, 2, primary.address, KEY)) == "NOERROR"
    for name, zone in zones.items():
        wait_equal(server, name, zone.text())
        zone.step()
    assert rcode(notify(server, PLAIN, 3, "127.0.0.8")) == "NOERROR"
    wait_equal(server, PLAIN, zones[PLAIN].text())


def test_a_notify_of_what_we_have_asks_nothing(rondo, primary):
    zone = primary.add(NAME)
    server = rondo(**rondo_zones({NAME: Zone(primaries=[primary])}))
    zone.asked.clear()
    assert rcode(notify(server, NAME, zone.serial, primary.address)) == "NOERROR"
    zone.step()
    assert rcode(notify(server, NAME, zone.serial, primary.address)) == "NOERROR"
    wait_equal(server, NAME, zone.text())
    assert zone.count("SOA") == 1


def test_a_wrong_key_of_ours_is_told(rondo):
    """The primary does not take our signature: no zone, SERVFAIL, and the log says why."""
    keys = {"secret.test": Key("mine.test.", OTHER_KEY.secret), "name.test": Key("unknown.test.", KEY.secret)}
    there = place(Named.home)
    with started(Named, {name: Zone(Changing().text(), key=Key("mine.test.", KEY.secret)) for name in keys}, there):
        server = rondo(**rondo_zones({name: Zone(primaries=[with_key(there, key)]) for name, key in keys.items()},
                                     wait=[]))
        server.wait_log(r'zone "secret\.test": .*our signature is wrong')
        server.wait_log(r'zone "name\.test": .*our key is not known')
        for name in keys:
            assert rcode(server.query(name, "SOA")) == "SERVFAIL"


# ---- balancing


def test_names_of_a_foreign_zone_are_balanced(rondo, backends):
    """rondo behind the BIND that there is: the pool's members come from there, and when it dies, failover goes on; also
    after a start."""
    web = backends(3)
    first, second, third = web.addresses
    records = [line.replace(" ", " 300 ", 1) for line in a_records("app", [first, second]).splitlines()]
    changing = Changing(lines=records)
    here, there = place("127.0.0.1"), place(Named.home)
    groups = balance([{"name": "app", "policy": "weighted", "probe": "tcp", "ttl": 1}])
    app = f"app.{NAME}"
    with started(Named, {NAME: Zone(changing.text(), notify=[here])}, there) as peer:
        server = rondo(**rondo_zones({NAME: Zone(primaries=[there])}, here, more=groups,
                                     extra=balancing.LOCAL + probes([balancing.tcp(web.port, fall=1)])))
        wait_seen(server, app, [first, second])
        update(peer, NAME, *changing.change([], [f"app 300 A {third}"]))
        wait_seen(server, app, web.addresses)
        assert len(server.query(app).answer[0]) == 1
        peer.kill()
        web[0].stop()
        wait_seen(server, app, [second, third])
        web[1].stop()
        web[0].start()
        wait_seen(server, app, [first, third])
        server.restart([NAME])
        wait_seen(server, app, [first, third])
        assert_equal(server, NAME, records_of(changing.text(), NAME))


# ---- configuration


def test_a_zone_gets_a_primary(rondo, primary):
    """A zone of a file becomes one of a primary; questions are answered all the time."""
    zone = primary.add(NAME)
    zone.changing = Changing(serial=5)
    own = Changing(serial=1, lines=["www 300 A 192.0.2.77"])
    server = rondo(**rondo_zones({NAME: Zone(own.text())}))
    with Load(server, "www." + NAME) as load:
        server.keys = rondo_zones({NAME: Zone(primaries=[primary])})["keys"]
        server.write_config()
        assert server.reload().returncode == 0
        wait_equal(server, NAME, zone.text())
        load.wait_sent(20)
    assert load.lost == load.wrong == 0


def test_templates_give_primaries(rondo, primary):
    for number in range(20):
        primary.add(f"z{number}.test")
    row = literal({"name": "fleet", "primaries": [f"{primary.address}@{primary.port}"], "refresh_min": "1s",
                   "notify_ns": False})
    rows = ",\n".join(f'{{ name = "{name}"; template = "fleet"; }}' for name in primary.zones)
    server = rondo(wait=list(primary.zones), config=(
        'server: { listen = [ "127.0.0.1@{port}" ]; workers = 1; state_dir = "state"; control = "control.sock"; '
        f"rate_limit = 0; }};\ntemplates = ( {row} );\nzones = (\n{rows}\n);\n"))
    for name, zone in primary.zones.items():
        assert serial_at(server, name) == zone.serial
        assert zone.count("AXFR") == 1

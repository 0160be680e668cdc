"""Attacks on what moves zones, and bad days: whatever one peer does, or does not do, everybody else is served."""

import contextlib
import signal
import socket

import dns.message
import pytest

import scripted
from rondo import PATIENCE_SEC, free_port, until
from transferring import Changing, Place, Zone, from_lines, notify, rondo_zones, wait_serial


MANY = 3000


@contextlib.contextmanager
def black_hole(address):
    """A server whose network drops everything: sockets are there, so that no ICMP error tells, and nobody reads."""
    port = free_port([address])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind((address, port))
        tcp.bind((address, port))
        tcp.listen(1)
        yield Place(address, port)


@pytest.fixture
def primary():
    with scripted.Primary("127.0.0.8") as made:
        yield made


def test_silent_primary_of_many_zones_delays_nobody_else(rondo, primary):
    """Once its first questions are over."""
    zone = primary.add("alive.test", Changing(lines=from_lines(4)))
    with black_hole("127.0.0.9") as hole:
        zones = {f"z{i}.test": Zone(primaries=[hole]) for i in range(MANY)}
        zones["alive.test"] = Zone(primaries=[primary])
        server = rondo(**rondo_zones(zones, wait=(), more='refresh_min = "1h"; retry_min = "5s"; retry_max = "5s";'))
        server.wait_log(f"{hole.address}@{hole.port} has not answered 10 times in a row")
        wait_serial(server, zone.name, zone.serial)
        for _ in range(5):
            zone.step()
            notify(server, zone.name, zone.serial, primary.address)
            wait_serial(server, zone.name, zone.serial)


def test_silent_secondary_of_many_zones_delays_nobody_else(rondo):
    with black_hole("127.0.0.9") as hole, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.8", 0))
        secondary.settimeout(PATIENCE_SEC)
        changing = Changing()
        zones = {f"z{i}.test": Zone(changing.text(), notify=[hole]) for i in range(MANY)}
        zones["alive.test"] = Zone(changing.text(), notify=[Place(*secondary.getsockname())])
        server = rondo(**rondo_zones(zones, wait=("alive.test",)))
        server.wait_log(f"{hole.address}@{hole.port} has not answered 10 times in a row")
        for _ in range(3):
            changing.step()
            server.write_zone("alive.test", changing.text())
            assert server.ctl("reload", "alive.test").returncode == 0
            while True:
                wire, peer = secondary.recvfrom(4096)
                message = dns.message.from_wire(wire)
                secondary.sendto(dns.message.make_response(message).to_wire(), peer)
                if message.answer[0][0].serial == changing.serial:
                    break


def test_primaries_that_never_finish_hold_up_nobody_else(rondo, primary):
    """As many as have all places, with more zones than would be through in time."""
    def hang(request):
        if not request.is_tcp:
            return scripted.say_soa(request)
        request.primary.halt.wait(10 * PATIENCE_SEC)
        raise scripted.Hangup

    zone = primary.add("alive.test", Changing(lines=from_lines(4)))
    zones = {zone.name: Zone(primaries=[primary])}
    with contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(scripted.Primary(f"127.0.0.{20 + host}")) for host in range(4)]
        for host, one in enumerate(hanging):
            for i in range(40):
                name = f"z{i}.host{host}.test"
                one.add(name, Changing(lines=[])).axfr = hang
                zones[name] = Zone(primaries=[one])
        server = rondo(**rondo_zones(zones, wait=(), more='refresh_min = "1h"; retry_min = "1h"; retry_max = "1d"; refresh_max = "1d";'))
        until(lambda: all(sum(z.count("AXFR") for z in one.zones.values()) >= 10 for one in hanging), "all places are taken")
        wait_serial(server, zone.name, zone.serial)
        zone.step()
        notify(server, zone.name, zone.serial, primary.address)
        wait_serial(server, zone.name, zone.serial, timeout=30 + PATIENCE_SEC)  # each may be silent for 30 s


def secondary_of(server, name):
    return server.ctl_json("zones", name)["zones"][0]["secondary"]


def test_primaries_change_while_what_the_old_one_sent_is_made_a_version(rondo, primary):
    """It is served, and expires, though no other primary has ever been heard of."""
    zone = primary.add("large.test", Changing(lines=[f"h{i} 300 A 192.0.2.{i % 250}" for i in range(60000)]))
    zone.axfr = lambda request: scripted.whole(request, size=1000)

    def is_being_made(server):
        secondary = secondary_of(server, zone.name)
        return secondary["last_transfer"] and secondary["activity"] == "transferring"

    with black_hole("127.0.0.9") as hole:
        server = rondo(**rondo_zones({zone.name: Zone(primaries=[primary])}, wait=()))
        server.keys = rondo_zones({zone.name: Zone(primaries=[hole])})["keys"]
        server.write_config()
        until(lambda: is_being_made(server), "all has come", pause=0)
        server.send_signal(signal.SIGHUP)
        server.wait_log("reload done")
        wait_serial(server, zone.name, zone.serial)
        until(lambda: secondary_of(server, zone.name)["expire"], lambda: f"it will expire {secondary_of(server, zone.name)}")

"""Dynamic updates (RFC 2136), from nsupdate and others: who may, what becomes of them, who else sees it, and that none
that was acknowledged is ever lost, whatever happens.
"""

import base64
import multiprocessing
import re
import shutil
import subprocess
import threading
import time

import dns.exception
import dns.opcode
import dns.tsig
import dns.update
import pytest

from backends import status
from balancing import LOCAL, Asker, balance, http, probes, verdicts, wait_verdicts
from powercut import Disk, rounds
from rondo import PATIENCE_SEC, addresses, rcode, sanitized, until
from transferring import (KEY, OTHER_KEY, Key, Knot, Named, Zone, assert_equal, place, rondo_keys, rondo_zones, serial_at,
                          started, update, wait_serial)
from turns import judge, lag_of
from zonecopy import records_at, records_of, transfer

ZONE = "example.com"
WWW = f"www.{ZONE}"
HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster {serial} 3600 900 604800 60\n IN NS ns1\nns1 IN A 192.0.2.53\n"
WWW_RECORDS = "www IN A 192.0.2.1\nwww IN A 192.0.2.2\n"
MAY_UPDATE = f'allow_update = [ "key {KEY.name}" ]; allow_transfer = [ "127.0.0.0/8" ]; '
WITHOUT_KEY = 'allow_update = [ "127.0.0.0/8" ]; allow_transfer = [ "127.0.0.0/8" ]; '


def text(records=WWW_RECORDS, serial=1):
    return HEAD.format(serial=serial) + records


def arguments(records=WWW_RECORDS, row=MAY_UPDATE, keys=(KEY, OTHER_KEY), more="", **kwargs):
    return {"zones": {ZONE: text(records)}, "keys": {ZONE: row}, "extra": rondo_keys(keys) + more, **kwargs}


def nsupdate(server, commands, key=KEY, tcp=False):
    """Returns what it says: "" when all went well."""
    program = shutil.which("nsupdate", path="/usr/bin:/bin")
    if not program:
        pytest.skip("not installed: nsupdate")
    words = [program] + (["-v"] if tcp else []) + (["-y", key.of_dig()] if key else [])
    lines = [f"server {server.address} {server.port}", *commands, "send", ""]
    done = subprocess.run(words, input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE_SEC * 3,
                          check=False)
    said = (done.stdout + done.stderr).strip()
    assert (done.returncode == 0) == (said == ""), (done.returncode, said)
    return said


def message(removed=(), added=(), key=KEY, zone=ZONE):
    asked = dns.update.UpdateMessage(zone, keyring=key and key.of_dnspython())
    for line in removed:
        asked.delete(*line.split(" ", 2))
    for line in added:
        owner, ttl, rest = line.split(" ", 2)
        asked.add(owner, int(ttl), *rest.split(" ", 1))
    return asked


def said(server, asked, tcp=False, timeout=None):
    """The RCODE of the answer to a message."""
    return rcode(server.send(asked, tcp=tcp, timeout=timeout))


def answer_of(server, name, rdtype="A"):
    reply = server.query(name, rdtype)
    return rcode(reply), sorted(addresses(reply)) if rdtype == "A" else [rrset[0].to_text() for rrset in reply.answer]


# one update


@pytest.mark.parametrize("tcp", (False, True), ids=("udp", "tcp"))
def test_nsupdate(rondo, tcp):
    server = rondo(**arguments())
    mark = server.log_mark()
    assert nsupdate(server, [f"zone {ZONE}", f"update add host.{ZONE} 60 A 192.0.2.7"], tcp=tcp) == ""
    assert answer_of(server, f"host.{ZONE}") == ("NOERROR", ["192.0.2.7"])
    assert serial_at(server, ZONE) == 2
    server.wait_log(rf'info: zone "{ZONE}": updated by 127.0.0.1, key "{KEY.name}", serial 2$', mark)
    # It finds the zone by itself, by a question for the SOA.
    assert nsupdate(server, [f"update add host.{ZONE} 60 A 192.0.2.8"], tcp=tcp) == ""
    assert answer_of(server, f"host.{ZONE}") == ("NOERROR", ["192.0.2.7", "192.0.2.8"])
    assert nsupdate(server, [f"update delete host.{ZONE} A"], tcp=tcp) == ""
    assert answer_of(server, f"host.{ZONE}") == ("NXDOMAIN", [])
    assert serial_at(server, ZONE) == 4


def test_what_changes_nothing_makes_no_version(rondo):
    server = rondo(**arguments())
    mark = server.log_mark()
    assert nsupdate(server, [f"zone {ZONE}", f"update add {WWW} 300 A 192.0.2.1", f"update delete no.{ZONE}"]) == ""
    server.wait_log(rf'info: zone "{ZONE}": update by 127.0.0.1.* changes nothing', mark)
    assert serial_at(server, ZONE) == 1


def test_answers_are_signed(rondo):
    server = rondo(**arguments())
    for asked in (message(added=["a 60 A 192.0.2.1"]), message(added=["a 60 A 192.0.2.1"], zone="example.org")):
        reply = server.send(asked)  # dnspython verifies it
        assert reply.had_tsig and reply.id == asked.id and reply.opcode() == dns.opcode.UPDATE


def test_who_may_not(rondo):
    """Each gets a reason, and nothing changes."""
    added = ["no 60 A 192.0.2.1"]
    bad = Key(KEY.name, base64.b64encode(bytes(32)).decode())
    unknown = Key("unknown.test.", KEY.secret)
    zones = {ZONE: text(), "fixed.test": text()}
    server = rondo(**{**arguments(), "zones": zones, "keys": {ZONE: MAY_UPDATE}})
    mark = server.log_mark()
    for tcp in (False, True):
        assert said(server, message(added=added, key=None), tcp) == "REFUSED"
        assert said(server, message(added=added, key=OTHER_KEY), tcp) == "REFUSED"
        assert said(server, message(added=added, zone="fixed.test"), tcp) == "REFUSED"
        assert said(server, message(added=added, zone="example.org"), tcp) == "NOTAUTH"
        assert said(server, message(added=added, zone=f"below.{ZONE}"), tcp) == "NOTAUTH"
        for key in (bad, unknown):
            with pytest.raises((dns.tsig.PeerBadSignature, dns.tsig.PeerBadKey)):
                server.send(message(added=added, key=key), tcp=tcp)
    server.wait_log(rf'zone "{ZONE}": UPDATE from 127.0.0.1\S* refused: "allow_update" does not let it, not signed', mark)
    assert [serial_at(server, name) for name in zones] == [1, 1]
    assert answer_of(server, f"no.{ZONE}") == ("NXDOMAIN", [])
    assert nsupdate(server, [f"zone {ZONE}", f"update add no.{ZONE} 60 A 192.0.2.1"], key=None) == \
        "update failed: REFUSED"


def test_a_secondary_is_not_updated(rondo):
    here, there = place("127.0.0.1"), place("127.0.0.2")
    rondo(**rondo_zones({ZONE: Zone(text(), notify=[there])}, here, more=WITHOUT_KEY.split(";")[0] + "; "))
    secondary = rondo(**rondo_zones({ZONE: Zone(primaries=[here])}, there, more=WITHOUT_KEY.split(";")[0] + "; "))
    assert said(secondary, message(added=["no 60 A 192.0.2.1"], key=None)) == "REFUSED"
    assert serial_at(secondary, ZONE) == 1


def test_prerequisites(rondo):
    server = rondo(**arguments())

    def asked(*prerequisites):
        lines = [f"prereq {line}" for line in prerequisites]
        before, answer = serial_at(server, ZONE), nsupdate(server, [f"zone {ZONE}", *lines, f"update add p.{ZONE} 60 TXT x",
                                                                     f"update delete p.{ZONE}"])
        assert serial_at(server, ZONE) == before
        return answer.removeprefix("update failed: ")

    assert asked(f"yxdomain {WWW}", f"nxdomain no.{ZONE}", f"yxrrset {WWW} A", f"nxrrset {WWW} TXT",
                 f"yxrrset {WWW} A 192.0.2.1", f"yxrrset {WWW} A 192.0.2.2") == ""
    assert asked(f"yxdomain no.{ZONE}") == "NXDOMAIN"
    assert asked(f"nxdomain {WWW}") == "YXDOMAIN"
    assert asked(f"yxrrset {WWW} TXT") == "NXRRSET"
    assert asked(f"nxrrset {WWW} A") == "YXRRSET"
    assert asked(f"yxrrset {WWW} A 192.0.2.1") == "NXRRSET"  # the rrset has more
    assert asked("yxdomain www.example.org") == "NOTZONE"


def test_compare_and_swap(rondo):
    """Of many who want to be the one, one is, each time."""
    server = rondo(**arguments(row=WITHOUT_KEY))
    for _ in range(5):
        answers = []

        def take(number):
            asked = message(added=[f"lock 60 TXT {number}"], key=None)
            asked.absent("lock")
            answers.append((said(server, asked, tcp=True), str(number)))

        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [number for answer, number in answers if answer == "NOERROR"]
        assert sorted(answer for answer, _ in answers) == ["NOERROR"] + ["YXDOMAIN"] * 7
        assert answer_of(server, f"lock.{ZONE}", "TXT") == ("NOERROR", [f'"{winner}"'])
        assert said(server, message(removed=["lock"], key=None)) == "NOERROR"


# a balanced name


def test_servers_join_and_leave(rondo, backends):
    """One joins a balanced name, in its share, and is checked; those that stay keep what is known of them."""
    fleet = backends(4)
    first, second, third, sick = (member.address for member in fleet)
    fleet.at(sick).manner = status(500)
    group = {"name": "app", "policy": "weighted", "probe": "web",
             "members": [{"address": first, "weight": 1}, {"address": third, "weight": 3}]}
    records = f"app 300 IN A {first}\napp 300 IN A {second}\napp 300 IN A {sick}\n"
    server = rondo(**arguments(records, MAY_UPDATE + balance([group]), more=LOCAL + probes([http(fleet.port)])))
    app = f"app.{ZONE}"
    asleep = {first: "up", second: "up", third: "unknown", sick: "down"}  # the third is annotated and not there
    wait_verdicts(server, app, asleep)
    mark = server.log_mark()
    assert nsupdate(server, [f"zone {ZONE}", f"update add {app} 300 A {third}"]) == ""
    assert {address: verdict for address, verdict in verdicts(server, app).items() if address != third} == \
        {first: "up", second: "up", sick: "down"}
    wait_verdicts(server, app, {first: "up", second: "up", third: "up", sick: "down"})
    with Asker(server, app) as asker:
        until(lambda: len(set(map(tuple, asker.many(10)))) == 3, "all three are served")
        assert dict(asker.firsts(50)) == {first: 10, second: 10, third: 30}
    said_since = server.log_since(mark)
    assert not [address for address in (first, second, sick) if re.search(rf"{address} is (up|down)", said_since)]
    assert nsupdate(server, [f"zone {ZONE}", f"update delete {app} A {second}"]) == ""
    with Asker(server, app) as asker:
        assert dict(asker.firsts(40)) == {first: 10, third: 30}
    assert verdicts(server, app) == {first: "up", third: "up", sick: "down"}


def test_the_last_server_leaves(rondo, backends):
    fleet = backends(1)
    group = {"below": "apps", "probe": "web"}
    records = f"alone.apps 300 IN A {fleet[0].address}\nboth.apps 300 IN A {fleet[0].address}\nboth.apps 300 IN TXT x\n"
    server = rondo(**arguments(records, MAY_UPDATE + balance([group]), more=LOCAL + probes([http(fleet.port)])))
    alone, both = f"alone.apps.{ZONE}", f"both.apps.{ZONE}"
    wait_verdicts(server, alone, {fleet[0].address: "up"})
    assert nsupdate(server, [f"zone {ZONE}", f"update delete {alone} A", f"update delete {both} A"]) == ""
    assert answer_of(server, alone) == ("NXDOMAIN", [])
    assert answer_of(server, both) == ("NOERROR", [])
    assert server.ctl_json("pools")["pools"] == []
    assert nsupdate(server, [f"zone {ZONE}", f"update add {alone} 300 A {fleet[0].address}"]) == ""
    assert answer_of(server, alone) == ("NOERROR", [fleet[0].address])
    wait_verdicts(server, alone, {fleet[0].address: "up"})


def test_who_updates_chooses_nothing_to_probe(rondo, backends):
    """An address of this machine that came by an update is not probed, and counts as down; unless probe_allow has it, or
    the configuration names it. Nor is one that came by a transfer."""
    fleet = backends(3)
    first, second, third = fleet.addresses
    group = {"name": "app", "probe": "web", "members": [{"address": second}]}
    server = rondo(**arguments(f"app 300 IN A {first}\n", MAY_UPDATE + balance([group]), more=probes([http(fleet.port)])))
    app = f"app.{ZONE}"
    until(lambda: verdicts(server, app)[first] == "up", "its own is checked")
    added = [f"update add {app} 300 A {address}" for address in (second, third)]
    assert nsupdate(server, [f"zone {ZONE}", *added]) == ""
    until(lambda: verdicts(server, app)[second] == "up", "who is named is checked")
    members = [member for pool in server.ctl_json("pools")["pools"] for member in pool["members"]]
    reasons = {member["address"]: member["reason"] for member in members}
    assert "probe_allow" in reasons[third] and not fleet.at(third).visits
    follower = rondo(zones={ZONE: None}, keys={ZONE: f'primaries = [ "127.0.0.1@{server.port}" ];' + balance([group])},
                     extra=probes([http(fleet.port)]), wait=[ZONE])
    until(lambda: verdicts(follower, app)[second] == "up", "who is named is checked")
    assert not fleet.at(third).visits


# many at once


def stream_of_updates(server, prefix, count, tcp, acknowledged):
    """In a process of its own; the numbers of those that were acknowledged go to the queue."""
    done = []
    for number in range(count):
        asked = message(added=[f"{prefix}-{number} 60 A 192.0.2.{number}"], key=None)
        while True:
            try:
                if said(server, asked, tcp, timeout=1) == "NOERROR":
                    done.append(number)
                break
            except (dns.exception.Timeout, OSError, EOFError):
                pass  # the same again, as nsupdate does; it is of no consequence when it was made already
    acknowledged.put((prefix, done))


def test_many_clients_at_once(rondo):
    """All are acknowledged, are served then, and still are after a kill -9; the history has a way from each serial."""
    processes, count = 8, 50
    server = rondo(**arguments(row=WITHOUT_KEY))
    before = records_at(server, ZONE)
    acknowledged = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=stream_of_updates, args=(server, f"c{number}", count, number % 2 == 0,
                                                                       acknowledged)) for number in range(processes)]
    for client in clients:
        client.start()
    found = dict(acknowledged.get(timeout=PATIENCE_SEC * 3) for _ in clients)
    for client in clients:
        client.join()
    assert found == {f"c{number}": list(range(count)) for number in range(processes)}
    server.kill()
    server.start()
    records = records_at(server, ZONE)
    want = {f"{prefix}-{number}.{ZONE}. 60 A 192.0.2.{number}" for prefix in found for number in range(count)}
    assert {line for line in records if re.match(r"c\d+-", line)} == want
    serial = serial_at(server, ZONE)
    assert 1 < serial <= 1 + processes * count
    for since in {1, 2, serial // 2, serial - 1}:
        done = transfer(server, ZONE, since)
        assert done.kind == "changes"
        assert (done.changes[0][0], done.changes[-1][1]) == (since, serial)
    assert transfer(server, ZONE, 1).applied_to(before) == records


def test_a_stop_under_updates(rondo):
    """Those that wait are answered, or not at all; what was answered is there at the next start."""
    server = rondo(**arguments(row=WITHOUT_KEY))
    done, halt = [], threading.Event()

    def run(name):
        number = 0
        while not halt.is_set():
            try:
                if said(server, message(added=[f"{name}-{number} 60 A 192.0.2.1"], key=None), timeout=1) == "NOERROR":
                    done.append(f"{name}-{number}.{ZONE}. 60 A 192.0.2.1")
                number += 1
            except (dns.exception.Timeout, OSError):
                return

    threads = [threading.Thread(target=run, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for count in (20, 100):
        until(lambda: len(done) > count, f"{count} updates")
        server.reload()
    server.stop()
    halt.set()
    for thread in threads:
        thread.join()
    server.start()
    assert len(done) > 100 and set(done) <= records_at(server, ZONE)


# others follow


@pytest.mark.parametrize("kind", (None, Knot, Named), ids=("rondo", "knot", "named"))
def test_a_secondary_follows(rondo, kind):
    """Each update, and many at once, arrives there, by changes."""
    here, there = place("127.0.0.1"), place(kind.home if kind else "127.0.0.2")
    server = rondo(**rondo_zones({ZONE: Zone(text(), notify=[there])}, here, more='allow_update = [ "127.0.0.0/8" ]; '))

    def story(secondary):
        wait_serial(secondary, ZONE, 1)
        for number in range(3):
            update(server, ZONE, added=[f"one{number} 60 A 192.0.2.{number}"], removed=["www 300 A 192.0.2.1"])
            wait_serial(secondary, ZONE, serial_at(server, ZONE))
        for number in range(50):
            update(server, ZONE, added=[f"many{number} 60 A 192.0.2.{number}"])
        wait_serial(secondary, ZONE, serial_at(server, ZONE))
        assert serial_at(server, ZONE) == 54
        assert_equal(secondary, ZONE, records_at(server, ZONE))

    if kind is None:
        story(rondo(**rondo_zones({ZONE: Zone(primaries=[here])}, there)))
        return
    with started(kind, {ZONE: Zone(primaries=[here])}, there) as secondary:
        story(secondary)


# the file


def test_a_file_that_lacks_updates_is_refused(rondo):
    """Both serials are named, the zone runs on; so it does at the next start, and updates go on being made."""
    server = rondo(**arguments())
    for number in (7, 8):
        assert said(server, message(added=[f"host 60 A 192.0.2.{number}"])) == "NOERROR"
    updated = records_at(server, ZONE)
    server.write_zone(ZONE, text(WWW_RECORDS + "new IN A 192.0.2.9\n", serial=2))
    word = (r"refused: the file, serial 2, has changed, and lacks updates that the zone, serial 3, has got since: "
            rf'"rondoctl reload {ZONE} --merge"')
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1 and ZONE in done.stderr
    server.wait_log(rf"error: .*{word}", mark)
    assert_equal(server, ZONE, updated)
    mark = server.log_mark()
    server.restart()
    server.wait_log(rf"error: .*{word}", mark)
    assert_equal(server, ZONE, updated)
    assert said(server, message(added=["host 60 A 192.0.2.9"])) == "NOERROR"
    assert serial_at(server, ZONE) == 4
    server.write_zone(ZONE, text())  # as it was
    done = server.reload()
    assert done.returncode == 0, done.stderr
    assert answer_of(server, f"host.{ZONE}") == ("NOERROR", ["192.0.2.7", "192.0.2.8", "192.0.2.9"])


def test_a_file_that_has_all_updates_is_taken(rondo):
    server = rondo(**arguments())
    assert said(server, message(added=["host 60 A 192.0.2.7"])) == "NOERROR"
    server.write_zone(ZONE, text(WWW_RECORDS + "host 60 IN A 192.0.2.7\n", serial=2))
    assert server.reload().returncode == 0
    server.write_zone(ZONE, text(WWW_RECORDS + "host 60 IN A 192.0.2.8\n", serial=3))
    assert server.reload().returncode == 0
    assert answer_of(server, f"host.{ZONE}") == ("NOERROR", ["192.0.2.8"])
    server.restart()
    assert serial_at(server, ZONE) == 3


def test_a_merge_arrives_elsewhere(rondo):
    """Both changes are served; a secondary gets them as changes; what both have touched is named."""
    here, there = place("127.0.0.1"), place("127.0.0.2")
    server = rondo(**rondo_zones({ZONE: Zone(text(), notify=[there])}, here, more='allow_update = [ "127.0.0.0/8" ]; '))
    secondary = rondo(**rondo_zones({ZONE: Zone(primaries=[here])}, there))
    update(server, ZONE, added=["host 60 A 192.0.2.7", "www 300 A 192.0.2.3"], removed=["www 300 A 192.0.2.1"])
    wait_serial(secondary, ZONE, 2)
    server.write_zone(ZONE, text(WWW_RECORDS + "www IN A 192.0.2.4\nnew IN A 192.0.2.9\n", serial=2))
    done = server.ctl("reload", ZONE, "--merge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'conflict: "{WWW}" A was changed in the file and by updates' in server.log()
    assert answer_of(server, WWW) == ("NOERROR", ["192.0.2.2", "192.0.2.3", "192.0.2.4"])
    assert [answer_of(server, f"{name}.{ZONE}")[0] for name in ("host", "new")] == ["NOERROR", "NOERROR"]
    assert serial_at(server, ZONE) == 4
    wait_serial(secondary, ZONE, 4)
    assert_equal(secondary, ZONE, records_at(server, ZONE))
    (row,) = secondary.ctl_json("zones", ZONE)["zones"]
    assert row["secondary"]["last_transfer"]["kind"] == "IXFR"
    server.kill()
    server.start()
    assert serial_at(server, ZONE) == 4
    assert_equal(secondary, ZONE, records_at(server, ZONE))


def test_a_merge_that_makes_no_zone_is_refused(rondo):
    server = rondo(**arguments(row=WITHOUT_KEY))
    update(server, ZONE, added=["alias 60 CNAME www"])
    before = records_at(server, ZONE)
    server.write_zone(ZONE, text(WWW_RECORDS + "alias IN A 192.0.2.9\n", serial=2))
    done = server.ctl("reload", ZONE, "--merge")
    assert done.returncode == 1 and "not merged" in done.stdout
    assert_equal(server, ZONE, before)
    update(server, ZONE, removed=["alias 60 CNAME www"])
    assert server.ctl("reload", ZONE, "--merge").returncode == 0
    assert answer_of(server, f"alias.{ZONE}") == ("NOERROR", ["192.0.2.9"])


# disks


def test_without_a_state_dir(rondo):
    """Nothing that could not be kept is acknowledged."""
    server = rondo.prepare(**arguments())
    (server.dir / "state").rmdir()
    (server.dir / "state").write_text("no folder")
    server.start()
    mark = server.log_mark()
    assert said(server, message(added=["host 60 A 192.0.2.7"])) == "SERVFAIL"
    server.wait_log(rf'zone "{ZONE}": update by 127.0.0.1, .*not made, .*state_dir cannot be used', mark)
    assert answer_of(server, f"host.{ZONE}") == ("NXDOMAIN", [])
    server.assert_serving(WWW)


def test_a_full_disk(rondo):
    """SERVFAIL, and a line that says why; answers go on, and with room again so do updates."""
    server = rondo.prepare(**arguments())
    disk = Disk(server)
    server.start()
    assert said(server, message(added=["first 60 A 192.0.2.7"])) == "NOERROR"
    records = records_at(server, ZONE)
    disk.is_full()
    mark = server.log_mark()
    for tcp in (False, True):
        assert said(server, message(added=["second 60 A 192.0.2.8"]), tcp) == "SERVFAIL"
    server.wait_log(rf'zone "{ZONE}": update by 127.0.0.1, .*not made, .*No space left on device', mark)
    server.assert_serving(WWW)
    assert_equal(server, ZONE, records)
    disk.is_full(False)
    assert said(server, message(added=["second 60 A 192.0.2.8"])) == "NOERROR"
    disk.power_cut()
    server.start()
    assert answer_of(server, f"first.{ZONE}") == ("NOERROR", ["192.0.2.7"])
    assert answer_of(server, f"second.{ZONE}") == ("NOERROR", ["192.0.2.8"])


class Updater(threading.Thread):
    """Counts up three records of its own at once, again and again, until nobody knows what has become of it."""

    def __init__(self, server, name, number):
        super().__init__(daemon=True)
        self.server, self.name, self.number = server, name, number
        self.may_be = {number}
        self.wrong = None

    def lines(self, number):
        """The first two names have it; the third is one of many."""
        return [f"{self.name}-a 60 TXT {number}", f"{self.name}-b 60 TXT {number}",
                f"{self.name}-many 60 A 192.0.2.{number % 250}"] if number else []

    def run(self):
        while len(self.may_be) == 1:
            removed, added = self.lines(self.number), self.lines(self.number + 1)
            asked = message([re.sub(" 60 ", " ", line) for line in removed], added, key=None)
            self.may_be = {self.number, self.number + 1}
            try:
                answer = said(self.server, asked, tcp=True)
            except (dns.exception.Timeout, OSError, EOFError):
                return
            if answer not in ("NOERROR", "SERVFAIL"):
                self.wrong = answer
                return
            self.number += answer == "NOERROR"  # else the disk is full
            self.may_be = {self.number}

    def find(self, records):
        """What number it has, which all its records must tell alike."""
        assert not self.wrong, self.wrong
        found = sorted(line for line in records if line.startswith(f"{self.name}-"))
        for number in self.may_be:
            if found == sorted(re.sub(r"^(\S+) (.*) TXT (\d+)$", r'\1 \2 TXT "\3"', line).replace(
                    " ", f".{ZONE}. ", 1) for line in self.lines(number)):
                return number
        raise AssertionError((self.may_be, found))


def sync_until_the_end(server):
    """Writes the zone to its file, again and again."""
    while server.ctl("sync", ZONE).returncode != 2:
        pass


def test_nothing_acknowledged_is_lost_by_power_cuts(rondo):
    """Killed at random moments on a disk that loses what was not synced: of each stream of updates the last one that
    was acknowledged is there, or the one that was under way, whole, and the history leads there; in some rounds the
    zone's file is written meanwhile."""
    server = rondo.prepare(**arguments("", WITHOUT_KEY))
    disk = Disk(server)
    server.start()
    disk.power_cut()
    serial, records = 1, records_of(text(""), ZONE)
    numbers = dict.fromkeys(("u0", "u1", "u2"), 0)
    for chance in rounds():
        updaters = [Updater(server, name, number) for name, number in numbers.items()]
        if disk.start_doomed(chance):
            threads = [*updaters, *([threading.Thread(target=sync_until_the_end, args=(server,), daemon=True)]
                                    if chance.random() < 0.5 else [])]
            for thread in threads:
                thread.start()
            disk.wait_for_the_cut()
            for thread in threads:
                thread.join()
        disk.power_cut(torn=chance.random() < 0.5)
        server.start()
        now = records_at(server, ZONE)
        numbers = {updater.name: updater.find(now) for updater in updaters}
        done = transfer(server, ZONE, serial)
        assert done.kind in ("changes", "current")
        if done.kind == "changes":
            assert done.applied_to(records) == now
        else:
            assert records == now
        serial, records = serial_at(server, ZONE), now
        server.stop()
    assert sum(numbers.values()) > 0


# time


@pytest.mark.skipif(sanitized(), reason="a sanitizer slows everything down by any factor")
def test_control_is_never_away_under_updates(rondo):
    """A thousand a second, in a zone that is not small."""
    seconds, rate = 4, 1000

    def shape():
        server = rondo(**arguments("".join(f"n{i} IN A 192.0.2.1\n" for i in range(20000)), WITHOUT_KEY))
        sent = answered = 0
        with server.udp_socket() as sock:
            began = time.monotonic()
            while answered < seconds * rate:
                due = min(int((time.monotonic() - began) * rate) + 1, seconds * rate)
                while sent < due and sent - answered < 12:  # fewer than one client may have under way
                    sock.send(message(added=[f"u{sent % 500} 60 A 192.0.2.{sent % 250}"], key=None).to_wire())
                    sent += 1
                if sent > answered:
                    assert sock.recv(65535)[3] & 15 == 0
                    answered += 1
            took = time.monotonic() - began
        print(f"{answered} updates in {took:.1f} s")
        assert took < 3 * seconds
        lag = lag_of(server)
        server.stop()
        return lag

    judge("a thousand updates a second", shape)

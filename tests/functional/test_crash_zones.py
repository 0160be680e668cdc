"""A zone that changes all the time, and kill -9 with a power cut at any moment: it is the last acknowledged version, or
the one that was under way, whole; and its history leads there from every version that was acknowledged. On a disk that
loses what was not synced (powercut.py), and on one that is full.
"""

import copy
import random
import threading

from powercut import ROUNDS, Disk, rounds
from transferring import Changing, assert_equal, serial_at, wait_serial
from zonecopy import records_of, transfer

ZONE = "example.com"
WWW = "www.example.com"
# Of all the versions there were, in the end hundreds, that the history is asked for after a cut.
ASKED_MOST = 30


class Editor(threading.Thread):
    """Edits the zone's file and reloads it, again and again, until nobody knows what has become of it. `known`: serial →
    Changing, of all versions that were acknowledged; `asked` is the last one that may be there."""

    def __init__(self, server, known, current):
        super().__init__(daemon=True)
        self.server, self.known, self.current = server, known, current
        self.asked = current

    def run(self):
        while self.edit():
            pass

    def edit(self):
        """False: it is not known whether it was taken."""
        self.asked = copy.deepcopy(self.current)
        self.asked.step()
        self.server.write_zone(ZONE, self.asked.text())
        done = self.server.reload()
        if done.returncode == 0:
            self.known[self.asked.serial] = self.current = self.asked
        elif ZONE in done.stderr:  # refused, as the disk is full
            self.asked = self.current
        return self.asked is self.current


def prepared(rondo, changing):
    return rondo.prepare(zones={ZONE: changing.text()}, keys={ZONE: 'allow_transfer = [ "127.0.0.1" ];'})


def until_the_cut(server, disk, chance, known, current):
    """Starts the server and edits until it is killed. Returns the versions of which one must be there."""
    if not disk.start_doomed(chance):
        return [current]
    editor = Editor(server, known, current)
    editor.start()
    disk.wait_for_the_cut()
    editor.join()
    return [editor.current, editor.asked]


def assert_history(server, known, now, serials):
    """The whole zone is that version's, and the changes since each of these lead there."""
    records = records_of(now.text(), ZONE)
    assert_equal(server, ZONE, records)
    for serial in serials:
        done = transfer(server, ZONE, serial)
        assert done.kind == ("current" if serial == now.serial else "changes"), (serial, done.kind, done.rrs[:3])
        if done.kind == "changes":
            assert done.applied_to(records_of(known[serial].text(), ZONE)) == records, serial


def test_a_zone_is_the_last_version_after_power_cuts(rondo):
    first = Changing()
    server = prepared(rondo, first)
    disk = Disk(server)
    server.start()
    disk.power_cut()
    known, current = {first.serial: first}, first
    for chance in rounds():
        before = set(known)
        allowed = until_the_cut(server, disk, chance, known, current)
        disk.power_cut(torn=chance.random() < 0.5)
        # The oldest text there was: a file that is newer would make good for what the journal has lost.
        server.write_zone(ZONE, first.text())
        server.start()
        served = serial_at(server, ZONE)
        found = [version for version in allowed if version.serial == served]
        assert found, f"{served}, but it may be {[version.serial for version in allowed]}\n{server.log()}"
        current = known[served] = found[0]
        older = sorted(before - {served})
        new = known.keys() - before
        assert_history(server, known, current, new | set(chance.sample(older, min(ASKED_MOST, len(older)))))
        server.stop()
    assert len(known) > ROUNDS


def test_a_full_disk_refuses_changes(rondo):
    """The change is refused with a word in the log, answers go on, and what is served can be saved; with room again the
    same file is taken, and is there after a power cut."""
    first = Changing()
    server = prepared(rondo, first)
    disk = Disk(server)
    server.start()
    second = copy.deepcopy(first)
    second.step()
    server.write_zone(ZONE, second.text())
    disk.is_full()
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1 and ZONE in done.stderr, done.stderr
    server.wait_log(rf"error: .*{ZONE}.*No space left on device", mark)
    server.assert_serving(WWW)
    assert_history(server, {1: first}, first, [first.serial])
    done = server.ctl("dump", ZONE)
    assert done.returncode == 0 and records_of(done.stdout, ZONE) == records_of(first.text(), ZONE), done.stderr
    disk.is_full(False)
    assert server.reload().returncode == 0
    disk.power_cut()
    server.write_zone(ZONE, first.text())
    server.start()
    wait_serial(server, ZONE, second.serial)
    assert_history(server, {1: first, 2: second}, second, [1, 2])

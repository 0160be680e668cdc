"""kill -9 and a power cut at any moment: what was acknowledged is there, on a disk that loses what was not synced; and
what a disk that is full does. See powercut.py.
"""

import random
import shutil
import threading

import pytest

from balancing import a_records, arrange, members, seen
from powercut import ROUNDS, Disk, rounds

WWW = "www.example.com"
GROUP = {"name": "www", "policy": "random", "answers": 1}
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 5)]


class Operator(threading.Thread):
    """Orders for one member, one after another, until the server is gone. Each is for another drain and forced state
    than before, so that one which is lost is seen: `acknowledged` is what must be there, and `asked` may be."""

    def __init__(self, server, seed, address, acknowledged):
        super().__init__(daemon=True)
        self.server, self.chance, self.address = server, random.Random(seed), address
        self.acknowledged = self.asked = acknowledged

    def run(self):
        while self.order(*self.choose()):
            pass

    def choose(self):
        """The arguments of rondoctl, and what the member's orders are after it."""
        drain, force = self.acknowledged
        reason = f"{self.chance.randrange(1 << 30)}" + "x" * self.chance.choice((0, 100))
        what = self.chance.choice(["drain", "force"] + ["undrain"] * bool(drain) + ["unforce"] * bool(force))
        if what == "drain":
            return (what, WWW, self.address, "--reason", reason), (reason, force)
        if what == "force":
            state = self.chance.choice(("up", "down"))
            return (what, WWW, self.address, state, "--reason", reason), (drain, (state, reason))
        return (what, WWW, self.address), (None, force) if what == "undrain" else (drain, None)

    def order(self, command, after):
        """False: nobody knows what has become of it."""
        self.asked = after
        done = self.server.ctl(*command)
        if done.returncode == 0:
            self.acknowledged = after
        elif "nothing was changed" in done.stderr:
            self.asked = self.acknowledged
        return self.asked == self.acknowledged


def orders(server):
    """By address: why it is drained, and what it is forced to and why; None where it is not."""
    return {address: (member["drain"] and member["drain"]["reason"],
                      member["force"] and (member["force"]["as"], member["force"]["reason"]))
            for address, member in members(server, WWW).items()}


def until_the_cut(server, disk, chance, known):
    """Starts the server and gives orders until it is killed. Returns, by address, what may be found."""
    if not disk.start_doomed(chance):
        return {address: {found} for address, found in known.items()}
    operators = [Operator(server, chance.random(), address, known[address]) for address in ADDRESSES]
    for operator in operators:
        operator.start()
    disk.wait_for_the_cut()
    for operator in operators:
        operator.join()
    return {operator.address: {operator.acknowledged, operator.asked} for operator in operators}


def test_orders_that_were_acknowledged_outlive_power_cuts(rondo):
    server = arrange(rondo, a_records("www", ADDRESSES), [GROUP])
    disk = Disk(server)
    server.start()
    disk.power_cut()
    known, changed = dict.fromkeys(ADDRESSES, (None, None)), 0
    # Of a journal that zones put to a harder test; all rounds when more are wanted than `check` has.
    count = ROUNDS if ROUNDS > 20 else ROUNDS // 3
    for chance in rounds(count):
        allowed = until_the_cut(server, disk, chance, known)
        disk.power_cut(torn=chance.random() < 0.5)
        mark = server.log_mark()
        server.start()
        found = orders(server)
        wrong = {address: (found[address], allowed[address]) for address in ADDRESSES
                 if found[address] not in allowed[address]}
        assert not wrong, server.log()
        assert "aside" not in server.log_since(mark)
        changed += found != known
        known = found
        server.stop()
    assert changed > count // 4


@pytest.mark.parametrize("is_first", (True, False))
def test_a_start_that_is_cut_at_any_step(rondo, is_first):
    """The first one, which makes the file, and a later one, which puts a copy in its place."""
    server = arrange(rondo, a_records("www", ADDRESSES[:2]), [GROUP])
    disk = Disk(server)
    steps = 0
    if not is_first:
        server.start()
        assert server.ctl("drain", WWW, ADDRESSES[0], "--reason", "before").returncode == 0
        disk.power_cut()
    while not disk.start(cut_at=steps + 1):
        steps += 1
        disk.power_cut(torn=steps % 2 == 0)
        server.start()
        assert orders(server)[ADDRESSES[0]] == (None if is_first else "before", None)
        server.stop()
        if is_first:
            shutil.rmtree(server.dir / "state")
            (server.dir / "state").mkdir()
        disk.settle()
    server.kill()
    assert steps > 5
    assert is_first or not list((server.dir / "state").glob("*aside*"))


def test_a_full_disk(rondo):
    """Orders are refused with a word in the log, what was ordered stays, answers go on, also from a server that begins
    then; with room again all is as ever."""
    first, second = ADDRESSES[:2]
    server = arrange(rondo, a_records("www", (first, second)), [GROUP])
    disk = Disk(server)
    server.start()
    assert server.ctl("force", WWW, second, "up", "--reason", "before").returncode == 0
    before = {first: (None, None), second: (None, ("up", "before"))}
    disk.is_full()
    for _ in range(2):
        mark = server.log_mark()
        done = server.ctl("drain", WWW, first, "--reason", "during")
        assert done.returncode == 1 and "nothing was changed: No space left on device" in done.stderr, done.stderr
        server.wait_log("error: state_dir: what is to be kept could not be written: No space left on device", mark)
        assert orders(server) == before
        assert seen(server, WWW, 100) == {first, second}
        server.restart()
    disk.is_full(False)
    assert server.ctl("drain", WWW, first, "--reason", "after").returncode == 0
    disk.power_cut()
    server.start()
    assert orders(server) == {**before, first: ("after", None)}
    assert seen(server, WWW, 100) == {second}

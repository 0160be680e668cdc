"""kill -9 and a power cut at any moment: what was acknowledged is there, on a disk that loses what was not synced; and
what a disk that is full does. See powercut.py.

RONDO_POWER_CUTS is how often (20), RONDO_POWER_CUT_SEED what a failure names: with it the same is done at the same
steps, but nothing makes it take the same time.
"""

import os
import random
import threading
import time

from balancing import a_records, arrange, members, seen
from powercut import Disk
from rondo import until

ROUNDS = int(os.environ.get("RONDO_POWER_CUTS", "20"))
SEED = int(os.environ.get("RONDO_POWER_CUT_SEED", random.SystemRandom().randrange(1 << 31)))

WWW = "www.example.com"
GROUP = {"name": "www", "policy": "random", "answers": 1}
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 5)]

# Half of all cuts are at a write or sync: one of those that a start takes, about, or of it and some orders (5 each).
STEPS_MOST = (10, 100)


class Operator(threading.Thread):
    """Orders for one member, one after another, until the server is gone. Each is for another drain and forced state
    than before, so that one which is lost is seen: `acknowledged` is what must be there, and `asked` may be."""

    def __init__(self, server, seed, address, acknowledged):
        super().__init__(daemon=True)
        self.server, self.chance, self.address = server, random.Random(seed), address
        self.acknowledged = self.asked = acknowledged
        self.count = 0

    def run(self):
        while self.order(*self.choose()):
            pass

    def choose(self):
        """The arguments of rondoctl, and what the member's orders are after it."""
        drain, force = self.acknowledged
        self.count += 1
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


def wait_for_the_cut(server, disk, chance, by_step):
    """Now and then the disk is full for moments, too."""
    ends, flips = time.monotonic() + chance.uniform(0, 1), chance.random() < 0.3

    def is_cut():
        if flips and chance.random() < 0.2:
            disk.is_full(not disk.full.exists())
        if not by_step and time.monotonic() > ends:
            server.process.kill()
        return not server.running()

    until(is_cut, "the cut")
    disk.is_full(False)


def until_the_cut(server, disk, chance, known):
    """Starts the server and gives orders until it is killed. Returns the operators."""
    by_step = chance.random() < 0.5
    if not disk.start(chance.randint(1, chance.choice(STEPS_MOST)) if by_step else None):
        return []
    operators = [Operator(server, chance.random(), address, known[address]) for address in ADDRESSES]
    for operator in operators:
        operator.start()
    wait_for_the_cut(server, disk, chance, by_step)
    for operator in operators:
        operator.join()
    return operators


def test_orders_that_were_acknowledged_outlive_power_cuts(rondo):
    server = arrange(rondo, a_records("www", ADDRESSES), [GROUP])
    disk = Disk(server, random.Random(SEED))
    known, kept = dict.fromkeys(ADDRESSES, (None, None)), 0
    for number in range(ROUNDS):
        chance = random.Random(f"{SEED} {number}")
        operators = until_the_cut(server, disk, chance, known)
        torn = chance.random() < 0.5
        disk.power_cut(torn)
        mark = server.log_mark()
        server.start()
        found = orders(server)
        allowed = {address: {known[address]} for address in ADDRESSES}
        allowed.update((operator.address, {operator.acknowledged, operator.asked}) for operator in operators)
        wrong = {address: (found[address], allowed[address]) for address in ADDRESSES
                 if found[address] not in allowed[address]}
        assert not wrong, f"seed {SEED}, round {number}, {'torn' if torn else 'strict'}: {wrong}\n{server.log()}"
        assert "aside" not in server.log_since(mark), server.log_since(mark)
        kept += sum(operator.count for operator in operators)
        known = found
        server.stop()
    print(f"seed {SEED}: {kept} orders in {ROUNDS} rounds")
    assert kept > ROUNDS


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

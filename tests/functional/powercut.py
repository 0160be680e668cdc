"""The power fails: a rondod whose disk keeps what was synced, and of the rest what chance keeps.

    server = rondo.prepare()
    disk = Disk(server)
    for chance in rounds():
        if disk.start_doomed(chance):
            ... # things are done to it by threads, until they see that it is gone
            disk.wait_for_the_cut()
        disk.power_cut(torn=chance.random() < 0.5)
        server.start() # on what the disk has kept
        ...
        server.stop()

The work is done by tests/helpers/unsynced.c, which is preloaded and says what it keeps in which form. Of what was not
synced nothing is left, or, `torn`, any of it: each page of a file for itself, as long as it was or as it became; names
as they were or as they became, those that a rename ties together as one.

RONDO_POWER_CUTS is how often (20), RONDO_POWER_CUT_SEED what a failure names: with it the same is done at the same
steps, but nothing makes it take the same time.
"""

import os
import pathlib
import random
import shutil
import time

import dns.exception
import pytest

from rondo import binary, until

ROUNDS = int(os.environ.get("RONDO_POWER_CUTS", "20"))
SEED = int(os.environ.get("RONDO_POWER_CUT_SEED", random.SystemRandom().randrange(1 << 31)))

SHIM = pathlib.Path("tests", "helpers", "unsynced.so")

# Sectors are written whole (LMDB's head is in one); pages of 4096 bytes are what the system writes.
PAGES = (512, 4096)

# Half of all cuts are at a write or sync: one of those that a start takes, about, or of it and some changes (5 each).
STEPS_MOST = (10, 100)


def rounds(count=ROUNDS):
    """Of each round, where its chances come from."""
    for number in range(count):
        print(f"seed {SEED}, round {number} of {count}")
        yield random.Random(f"{SEED} {number}")


def shim():
    path = binary("rondod").parent / SHIM
    if not path.is_file():
        pytest.skip(f"{SHIM} is not built: make check TESTS=")
    return path


def mixed(chance, old, new):
    """A file of which `old` was synced and `new` was written since."""
    page, result = chance.choice(PAGES), bytearray(chance.choice((old, new)))
    for at in range(0, len(result), page):
        source = chance.choice((old, new))[at:at + page]
        result[at:at + page] = source.ljust(min(page, len(result) - at), b"\0")[:len(result) - at]
    return bytes(result)


class Shadow:
    """What the disk under `folder` has kept, beside it, until the power is cut."""

    def __init__(self, folder, shadow, chance=None):
        self.folder, self.shadow, self.chance = pathlib.Path(folder).resolve(), pathlib.Path(shadow).resolve(), chance
        self.full = self.shadow.with_suffix(".full")
        self.settle()

    def environment(self, cut_at=None):
        """For a program that runs on it. `cut_at`: it is killed before its so-manieth write or sync there."""
        env = {"LD_PRELOAD": str(shim()), "UNSYNCED_DIR": str(self.folder), "UNSYNCED_SHADOW": str(self.shadow),
               "UNSYNCED_FULL": str(self.full)}
        return {**env, "UNSYNCED_CUT": str(cut_at)} if cut_at else env

    def settle(self):
        """All that there is has been synced."""
        shutil.rmtree(self.shadow, ignore_errors=True)
        self.shadow.mkdir()
        for place, folders, files in os.walk(self.folder):
            lines = [self.line("d", place, name) for name in folders] + [self.line("f", place, name) for name in files]
            self.at("names", os.stat(place).st_ino).write_text("".join(lines))
            for name in files:
                path = os.path.join(place, name)
                number = os.stat(path).st_ino
                shutil.copyfile(path, self.at("data", number))
                os.link(path, self.at("pin", number))

    @staticmethod
    def line(kind, place, name):
        return f"{kind} {os.stat(os.path.join(place, name)).st_ino} {name}\n"

    def at(self, what, number):
        return self.shadow / f"{what}.{number}"

    # what was kept

    def kept_names(self, number):
        """Of a folder: name → (kind, inode)."""
        path = self.at("names", number)
        rows = (line.split(" ", 2) for line in (path.read_text().splitlines() if path.exists() else ()))
        return {name: (kind, int(inode)) for kind, inode, name in rows}

    def kept_data(self, number):
        path = self.at("data", number)
        return path.read_bytes() if path.exists() else b""

    def names(self, place, number, torn):
        old = self.kept_names(number)
        if not torn or place is None:
            return old
        new = {entry.name: ("d" if entry.is_dir() else "f", entry.inode()) for entry in os.scandir(place)}
        return self.mixed_names(old, new)

    def mixed_names(self, old, new):
        """Names and files that a change ties together share its fate: what a rename replaced is not lost without it."""
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        result = {name: what for name, what in old.items() if name not in changed}
        while changed:
            group = {min(changed)}
            while True:
                files = {what for name in group for what in (old.get(name), new.get(name)) if what}
                more = {name for name in changed if old.get(name) in files or new.get(name) in files}
                if more == group:
                    break
                group = more
            source = self.chance.choice((old, new))
            result.update((name, source[name]) for name in group if name in source)
            changed -= group
        return result

    def data(self, path, number, torn):
        old = self.kept_data(number)
        if not torn:
            return old
        pinned = self.at("pin", number)
        latest = pinned if pinned.exists() else path
        return mixed(self.chance, old, latest.read_bytes()) if latest and latest.exists() else old

    def rebuild(self, into, place, number, torn):
        into.mkdir(0o700)
        for name, (kind, inode) in sorted(self.names(place, number, torn).items()):
            here = place and place / name
            if here is not None and not (here.exists() and here.stat().st_ino == inode):
                here = None  # it has another name by now
            if kind == "d":
                self.rebuild(into / name, here, inode, torn)
            else:
                (into / name).write_bytes(self.data(here, inode, torn))
                (into / name).chmod(0o600)

    def power_cut(self, torn=False):
        """The program has been killed: the folder becomes what is left."""
        fresh = self.folder.with_suffix(".fresh")
        self.rebuild(fresh, self.folder, self.folder.stat().st_ino, torn)
        shutil.rmtree(self.folder)
        fresh.rename(self.folder)
        self.settle()


class Disk(Shadow):
    """That of a server's state_dir."""

    def __init__(self, server):
        self.server, self.ends, self.flips = server, None, False
        super().__init__(server.dir / "state", server.dir / "shadow", random.Random(SEED))
        self.load()

    def load(self, cut_at=None):
        """What the server's next process runs on. ASan wants to be loaded first; that it is not does no harm to it."""
        asan = self.server.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        env = {**self.environment(cut_at), "ASAN_OPTIONS": asan}
        self.server.wrapper = ["env", *(f"{name}={value}" for name, value in env.items())]

    def is_full(self, full=True):
        if full:
            self.full.touch()
        else:
            self.full.unlink(missing_ok=True)

    def power_cut(self, torn=False):
        self.server.kill()
        self.load()
        super().power_cut(torn)

    def start_doomed(self, chance):
        """Starts a server that has not long to live. True: it is ready; False: that was too long already."""
        self.flips = chance.random() < 0.3
        self.ends = None if chance.random() < 0.5 else chance.uniform(0, 1)
        return self.start(None if self.ends else chance.randint(1, chance.choice(STEPS_MOST)))

    def start(self, cut_at):
        """True: the server is ready; False: it was killed before."""
        self.load(cut_at)
        self.server.spawn()
        until(self.is_settled, lambda: "rondod answers, or is killed\n" + self.server.log())
        return self.server.running()

    def is_settled(self):
        try:
            return not self.server.running() or self.server.query(".", "SOA", timeout=0.2)
        except (dns.exception.Timeout, OSError):
            return False

    def wait_for_the_cut(self):
        """Until the server is gone. In some rounds the disk is full for moments."""
        ends = self.ends and time.monotonic() + self.ends

        def is_cut():
            if self.flips and self.chance.random() < 0.2:
                self.is_full(not self.full.exists())
            if ends and time.monotonic() > ends:
                self.server.process.kill()
            return not self.server.running()

        until(is_cut, "the cut")
        self.is_full(False)

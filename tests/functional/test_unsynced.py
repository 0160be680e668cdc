"""The disk that loses what was not synced (tests/helpers/unsynced.c, powercut.py), under small programs."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import textwrap

import pytest

from powercut import Shadow, mixed

PRELUDE = """
import errno, os, sys
os.chdir(sys.argv[1])

def put(name, text, sync=True, flags=os.O_WRONLY | os.O_CREAT):
    fd = os.open(name, flags, 0o600)
    assert os.write(fd, text) == len(text)
    if sync:
        os.fsync(fd)
    os.close(fd)

def sync(folder="."):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
"""


@pytest.fixture
def disk():
    with tempfile.TemporaryDirectory(prefix="rondo-") as base:
        (pathlib.Path(base) / "state").mkdir()
        yield Shadow(pathlib.Path(base) / "state", pathlib.Path(base) / "shadow", random.Random(1))


def run(disk, program, cut_at=None, status=0):
    done = subprocess.run([sys.executable, "-c", PRELUDE + textwrap.dedent(program), str(disk.folder)],
                          env={**os.environ, **disk.environment(cut_at)}, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr


def files(disk):
    return {str(path.relative_to(disk.folder)): path.read_bytes() for path in disk.folder.rglob("*") if path.is_file()}


def left(disk, program, torn=False, **kwargs):
    """The files that are there after the program and a power cut."""
    run(disk, program, **kwargs)
    disk.power_cut(torn)
    return files(disk)


def test_what_was_synced_is_there(disk):
    assert left(disk, "put('a', b'one'); sync()") == {"a": b"one"}
    assert left(disk, "put('a', b'two')") == {"a": b"two"}
    assert left(disk, "fd = os.open('a', os.O_WRONLY); os.pwrite(fd, b'X', 1); os.fdatasync(fd)") == {"a": b"tXo"}
    assert left(disk, "") == {"a": b"tXo"}


def test_what_was_not_synced_is_not(disk):
    assert left(disk, "put('a', b'one')") == {}  # its name
    assert left(disk, "put('a', b'one', sync=False); sync()") == {"a": b""}  # its bytes
    assert left(disk, "put('a', b'one'); put('a', b'three', sync=False)") == {"a": b"one"}
    assert left(disk, "os.truncate('a', 1)") == {"a": b"one"}


def test_each_write_of_a_synchronous_descriptor_is_kept_and_no_other(disk):
    """LMDB's way to write its head: what was written to the same file before is not synced by that."""
    assert left(disk, "put('a', b'0123456789'); sync()") == {"a": b"0123456789"}
    for kind in ("O_DSYNC", "O_SYNC"):
        assert left(disk, f"""
            put('a', b'abc', sync=False)
            fd = os.open('a', os.O_WRONLY | os.{kind})
            os.pwrite(fd, b'XY', 4)
            os.pwritev(fd, [b'P', b'Q'], 6)
            os.lseek(fd, 8, 0)
            os.writev(fd, [b'V', b'W'])
            os.write(fd, b'Z')
        """) == {"a": b"0123XYPQVWZ"}


def test_names(disk):
    assert left(disk, "put('a', b'old'); sync()") == {"a": b"old"}
    replace = "put('a.tmp', b'new'); os.rename('a.tmp', 'a');"
    assert left(disk, replace) == {"a": b"old"}
    assert left(disk, replace + "sync()") == {"a": b"new"}
    assert left(disk, "put('b', b'bee', sync=False); os.rename('b', 'a'); sync()") == {"a": b""}
    assert left(disk, "os.unlink('a')") == {"a": b""}
    assert left(disk, "os.unlink('a'); put('b', b'b')") == {"a": b""}
    assert left(disk, "os.unlink('a'); sync()") == {}


def test_folders(disk):
    make = "os.mkdir('in'); put('in/a', b'one');"
    assert left(disk, make + "sync('in')") == {}
    assert left(disk, make + "sync()") == {}
    assert (disk.folder / "in").is_dir()
    assert left(disk, "put('in/a', b'two'); sync('in')") == {"in/a": b"two"}


def test_a_number_is_not_used_again(disk):
    """Some file systems give a new file at once the inode of one that was removed."""
    program = "put('a', b'kept'); sync()\nfor i in range(20): os.unlink('a'); put('a', b'%d' % i)"
    assert left(disk, program) == {"a": b"kept"}


def test_children_take_part(disk):
    assert left(disk, """
        if not os.fork():
            put('a', b'child')
            os._exit(0)
        os.wait()
        os.rename('a', 'b')
        sync()
    """) == {"b": b"child"}


def test_killed_at_every_step(disk):
    """A file is replaced again and again: always one of its texts, whole, and no older one than the last that was
    synced with its name (3 steps each: a write, two syncs)."""
    program = "for i in range(10): put('a.tmp', b'text %d' % i); os.rename('a.tmp', 'a'); sync()"
    for torn in (False, True):
        for step in range(1, 31):
            left(disk, "for name in os.listdir('.'): os.unlink(name)\nsync()")
            found = left(disk, program, torn, cut_at=step, status=-signal.SIGKILL).get("a")
            done = (step - 1) // 3
            allowed = {b"text %d" % (done - 1) if done else None}
            if torn and step % 3 == 0:
                allowed.add(b"text %d" % done)
            assert found in allowed, (step, found)


def test_the_program_dies_with_its_child(disk):
    run(disk, "pid = os.fork()\nif not pid: put('a', b'x')\nos.wait(); put('b', b'x')", 1, -signal.SIGKILL)
    assert files(disk) == {"a": b""}


def test_a_full_disk(disk):
    disk.full.touch()
    run(disk, """
        fd = os.open('a', os.O_WRONLY | os.O_CREAT)
        for attempt in (lambda: os.write(fd, b'x'), lambda: os.pwrite(fd, b'x', 9), lambda: os.writev(fd, [b'x']),
                        lambda: os.pwritev(fd, [b'x'], 9), lambda: os.posix_fallocate(fd, 0, 9)):
            try:
                attempt()
            except OSError as problem:
                assert problem.errno == errno.ENOSPC, problem
            else:
                sys.exit('there was room')
        assert os.path.getsize('a') == 0
        os.unlink(sys.argv[1] + '/../shadow.full')
        assert os.write(fd, b'x') == 1
        os.fsync(fd)
        sync()
    """)
    disk.power_cut()
    assert files(disk) == {"a": b"x"}


def test_elsewhere_nothing_is_changed(disk):
    run(disk, "put('../other', b'x'); sync('..')", cut_at=1)
    assert not [path.name for path in disk.shadow.iterdir() if path.name.startswith(("data", "pin"))]


def test_torn_files():
    """Each page is the old or the new one, and both are seen; the length likewise."""
    chance = random.Random(2)
    old, new = b"o" * 8192 + b"old", b"n" * 12288 + b"new"
    pages, lengths = set(), set()
    for _ in range(200):
        found = mixed(chance, old, new)
        lengths.add(len(found))
        for at in range(0, len(found), 512):
            assert found[at:at + 512] in {text[at:at + 512].ljust(min(512, len(found) - at), b"\0")[:len(found) - at]
                                          for text in (old, new)}
            pages.add((at, found[at:at + 1]))
    assert lengths == {len(old), len(new)}
    assert {(0, b"o"), (0, b"n"), (8192 - 512, b"o"), (8192 - 512, b"n"), (12288, b"n"), (12288, b"\0")} <= pages
    assert mixed(chance, b"", b"") == b"" and mixed(chance, b"same", b"same") == b"same"


def test_torn_names(disk):
    """A rename is there or not, never half of it; each file's fate is its own."""
    old = {"a": ("f", 1), "b": ("f", 2), "kept": ("f", 3)}
    new = {"a": ("f", 9), "c": ("f", 2), "kept": ("f", 3), "made": ("f", 4)}
    seen = {tuple(sorted((name, inode) for name, (_, inode) in disk.mixed_names(old, new).items())) for _ in range(200)}
    expected = set()
    for a in (1, 9):
        for name in ("b", "c"):
            for made in ((), (("made", 4),)):
                expected.add(tuple(sorted([("a", a), (name, 2), ("kept", 3), *made])))
    assert seen == expected

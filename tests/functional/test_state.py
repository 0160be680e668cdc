"""state_dir: what is kept there, and what happens when it can't be."""

import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import time

import dns.rcode
import dns.update
import pytest

from backends import hang
from balancing import Asker, a_records, arrange, balanced, http, members, seen, wait_seen, wait_verdicts
from rondo import until

ROOT = os.geteuid() == 0
WWW = "www.example.com"
GROUP = {"name": "www", "policy": "random", "answers": 1}
PROBED = {**GROUP, "probe": "web"}
A, B = "192.0.2.1", "192.0.2.2"


def database(server):
    return server.dir / "state" / "rondo.mdb"


def aside(server):
    return sorted((server.dir / "state").glob("rondo.mdb.aside-*"))


def unprobed(rondo, **kwargs):
    return balanced(rondo, a_records("www", (A, B)), [GROUP], **kwargs)


def drain(server, address=A):
    return server.ctl("drain", WWW, address)


# ---- verdicts


def started_with_a_death(rondo, web, **keys):
    """One that hangs: to find it dead takes its timeout, twice."""
    probe = http(web.port, timeout="500ms", interval="500ms", fast_interval="500ms", **keys)
    server = balanced(rondo, a_records("www", web.addresses), [PROBED], [probe], server='start_wait = "0s";')
    wait_seen(server, WWW, web.addresses)
    web[0].manner = hang
    wait_verdicts(server, WWW, dict(zip(web.addresses, ("down", "up"))))
    return server


def only_the_living(server, web):
    """Every answer since workers began, until the dead one has been checked again."""
    with Asker(server, WWW) as asker:
        visits = len(web[0].visits)
        while len(web[0].visits) < visits + 2:
            assert asker.ask().addresses == [web.addresses[1]]


def test_verdicts_outlive_the_server(rondo, backends):
    """No answer has the dead one, even before its first check can have ended: after a restart, and after kill -9."""
    web = backends(2)
    server = started_with_a_death(rondo, web)
    before = members(server, WWW)[web.addresses[0]]
    server.restart()
    only_the_living(server, web)
    after = members(server, WWW)[web.addresses[0]]
    assert after["since"] == before["since"] and after["verdict"] == "down"
    assert "no answer within" in after["reason"]
    assert re.search(r"verdicts from before, \d+ s old: 2", server.log())
    web[1].stop()
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "down"))
    web[1].start()
    wait_verdicts(server, WWW, dict(zip(web.addresses, ("down", "up"))))
    time.sleep(0.3)  # a transition is written a tenth of a second after it was found
    server.kill()
    server.start()
    only_the_living(server, web)


def test_results_in_a_row_go_on(rondo, backends):
    """fall = 3: two failures before the restart, one after it."""
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [PROBED],
                      [http(web.port, interval="1h", fast_interval="1h", fall=3)])
    wait_seen(server, WWW, web.addresses)
    web[0].stop()
    for _ in range(2):
        assert server.ctl("check", WWW, web.addresses[0]).returncode == 1
    assert members(server, WWW)[web.addresses[0]]["unsettled"]
    server.restart()
    wait_verdicts(server, WWW, dict(zip(web.addresses, ("down", "up"))))


def test_a_changed_check_begins_anew(rondo, backends):
    web = backends(2)
    server = started_with_a_death(rondo, web)
    web[0].manner = web[1].manner
    server.stop()
    server.extra = server.extra.replace('type = "http";', 'type = "http"; path = "/other";')
    server.write_config()
    server.start()
    wait_seen(server, WWW, web.addresses)
    assert "other" in web[0].visits[-1].path


# ---- a folder that can't be used


UNUSABLE = (r'state_dir "[^"]*" cannot be used, so zones cannot be updated, members cannot be drained or forced, and '
            r'neither transferred zones nor verdicts will survive a restart: ')


def assert_works_without(server, why):
    server.wait_log(UNUSABLE + why)
    server.assert_serving()
    done = drain(server)
    assert done.returncode == 1
    frozen = server.ctl("freeze", "example.com")
    assert frozen.returncode == 1 and "would not survive a restart" in frozen.stderr
    told = server.validate()
    assert told.returncode == 0 and re.search("warning: " + UNUSABLE, told.stderr), told
    assert "cannot be used" in done.stderr and re.search(why, done.stderr), done.stderr
    assert seen(server, WWW, 60) == {A, B}
    assert server.reload().returncode == 0


def test_a_folder_that_cannot_be_made(rondo):
    server = arrange(rondo, a_records("www", (A, B)), [GROUP])
    (server.dir / "state").rmdir()
    (server.dir / "state").write_text("a file")
    assert_works_without(server.start(), "Not a directory")
    server.stop()
    (server.dir / "state").unlink()
    (server.dir / "state").symlink_to(server.dir / "nowhere" / "state")
    assert_works_without(server.start(), "No such file or directory")


def test_a_folder_is_made(rondo):
    server = arrange(rondo, a_records("www", (A, B)), [GROUP])
    (server.dir / "state").rmdir()
    server.start()
    assert drain(server).returncode == 0
    assert stat.S_IMODE((server.dir / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE(database(server).stat().st_mode) == 0o600
    assert "warning" not in server.log()


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_the_folder_is_the_users(rondo):
    """Made as root where only root can, it belongs to the user; one that is not the user's is of no use."""
    server = arrange(rondo, a_records("www", (A, B)), [GROUP], server='user = "nobody";')
    (server.dir / "state").rmdir()
    server.start()
    assert drain(server).returncode == 0
    assert (server.dir / "state").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    server.stop()
    for path in [server.dir / "state", *(server.dir / "state").iterdir()]:
        os.chown(path, 0, 0)
    server.control_path.unlink(missing_ok=True)
    assert_works_without(server.start(), "Permission denied")


def test_a_second_server_is_refused(rondo):
    first = unprobed(rondo)
    second = rondo.prepare(config=first.config_text().replace(f"@{first.port}", "@{port}")
                           .replace("control.sock", "other.sock").replace('"state"', f'"{first.dir}/state"'))
    done = second.run()
    assert done.returncode == 1
    assert re.search(rf'error: state_dir "[^"]*" is in use by another rondod, process {first.process.pid}; each needs its own',
                     done.stderr), done.stderr
    assert drain(first).returncode == 0


# ---- full disks


def orders(server):
    """By address: since when it is drained, and what it is forced to since when."""
    return {address: (member["drain"] and member["drain"]["since"],
                      member["force"] and (member["force"]["as"], member["force"]["since"], member["force"]["reason"]))
            for address, member in members(server, WWW).items()}


def fill(folder):
    filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(filler, b"x" * 4096)
    except OSError:
        os.close(filler)


@pytest.mark.skipif(not ROOT, reason="only root can mount a small file system")
def test_a_full_disk_changes_nothing(rondo):
    server = arrange(rondo, a_records("www", (A, B)), [GROUP])
    state = server.dir / "state"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "rondo-test", str(state)], capture_output=True,
                      check=False).returncode:
        pytest.skip("cannot mount here")
    try:
        server.start()
        assert drain(server).returncode == 0
        fill(state)
        done = server.ctl("drain", WWW, B, "--reason", "x" * 200)
        tries = 1
        while done.returncode == 0:  # what is free in the file is used first
            tries += 1
            assert tries < 50
            done = server.ctl("force", WWW, B, "up" if tries % 2 else "down", "--reason", "y" * 250)
        assert "nothing was changed: No space left on device" in done.stderr
        assert re.search(r"error: state_dir: what is to be kept could not be written: No space left", server.log())
        before = orders(server)
        assert before[A][0]
        server.restart()
        assert orders(server) == before
        (state / "filler").unlink()
        assert server.ctl("undrain", WWW, A).returncode == 0
        server.restart()
        assert members(server, WWW)[A]["drain"] is None
        server.stop()
    finally:
        server.kill()
        subprocess.run(["umount", str(state)], check=False)


# ---- files that are none


def damage_in_the_middle(path):
    data = bytearray(path.read_bytes())
    for at in range(8192, len(data)):
        data[at] = (data[at] * 7 + 13) & 0xFF
    path.write_bytes(data)


DAMAGE = {
    "foreign": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64),
    "short": lambda path: path.write_bytes(b"\0" * 100),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:8192]),
    "garbage inside": damage_in_the_middle,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def test_what_is_no_database_is_set_aside(rondo):
    server = unprobed(rondo)
    assert drain(server).returncode == 0
    server.stop()
    good = database(server).read_bytes()
    for number, (name, damage) in enumerate(DAMAGE.items(), 1):
        damage(database(server))
        was = database(server).read_bytes() if database(server).is_file() else None
        mark = server.log_mark()
        server.start()
        server.wait_log(r'warning: [^ ]*/rondo\.mdb: .*; it was renamed to "[^"]*rondo\.mdb\.aside-\d{8}T\d{6}Z', mark)
        assert len(aside(server)) == number, name
        (kept,) = [path for path in aside(server) if f'"{path}"' in server.log_since(mark)]
        assert was is None or kept.read_bytes() == was
        assert drain(server).returncode == 0
        server.stop()
        database(server).write_bytes(good)
    mark = server.log_mark()
    server.start()
    assert len(aside(server)) == len(DAMAGE) and "force from before: 1" in server.log_since(mark)


def test_histories_go_aside_with_the_database_and_come_back_with_it(rondo):
    """The changes in it lead on from snapshots that the next ones would replace."""
    server = rondo.prepare(keys={"example.com": 'allow_update = [ "127.0.0.1" ];'})
    server.start()

    def update(name):
        message = dns.update.Update("example.com")
        message.add(name, 60, "A", A)
        assert server.send(message).rcode() == dns.rcode.NOERROR

    def is_there(name):
        return server.query(f"{name}.example.com").rcode() == dns.rcode.NOERROR

    update("first")
    server.stop()
    zones = server.dir / "state" / "zones"
    good = database(server).read_bytes()
    damage_in_the_middle(database(server))
    mark = server.log_mark()
    server.start()
    server.wait_log("begins without updates that zone files lack, transferred zones, drains", mark)
    snapshots = server.wait_log(r'/zones: the zones\' snapshots go with it, to "([^"]*/zones\.aside-[^"]*)"', mark).group(1)
    update("second")
    assert is_there("second") and not is_there("first")
    server.stop()
    shutil.rmtree(zones)
    pathlib.Path(snapshots).rename(zones)
    database(server).write_bytes(good)
    server.start()
    assert is_there("first") and not is_there("second")

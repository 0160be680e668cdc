"""rondoctl's commands on single zones, with a primary and its secondary: what `zones` shows of transfers, refresh,
retransfer, notify, dump, sync, freeze, thaw, and reload of one zone."""

import json
import os
import re
import socket
import subprocess

import dns.name
import dns.rcode
import dns.update
import dns.zone
import pytest

from rondo import DEFAULT_ZONE, binary, until

ZONE = "example.com"
NEW = "new IN A 192.0.2.77\n"


def serial(text, number):
    return text.replace(" 1 3600 ", f" {number} 3600 ")


def row_of(server, name=ZONE):
    (row,) = server.ctl_json("zones", name)["zones"]
    return row


def wait_serial(server, number, name=ZONE):
    until(lambda: row_of(server, name)["serial"] == number, lambda: f"serial {number}\n" + server.log())


def records(text, name=ZONE):
    zone = dns.zone.from_text(text, dns.name.from_text(name), relativize=False, check_origin=False)
    return sorted((str(owner), ttl, str(rdata)) for owner, ttl, rdata in zone.iterate_rdatas())


@pytest.fixture
def pair(rondo):
    """A primary, and a secondary without a file that is told and fetches."""
    secondary = rondo.prepare(zones={ZONE: None})
    primary = rondo.prepare(zones={ZONE: DEFAULT_ZONE}, keys={
        ZONE: f'allow_transfer = [ "127.0.0.1" ]; notify = [ "127.0.0.1@{secondary.port}" ];'})
    secondary.keys = {ZONE: f'primaries = [ "127.0.0.1@{primary.port}" ];'}
    for server in (primary, secondary):
        server.write_config()
    primary.start()
    secondary.start(wait=[ZONE])
    return primary, secondary


def change(primary, number, more=NEW):
    primary.write_zone(ZONE, serial(DEFAULT_ZONE, number) + more)
    assert primary.reload().returncode == 0
    return primary


# zones


def test_zones_shows_roles_and_transfers(pair):
    primary, secondary = pair
    change(primary, 2)
    wait_serial(secondary, 2)
    until(lambda: row_of(primary)["notify"] == {"targets": 1, "told": 1, "refused": 0, "unanswered": []}, "the secondary has answered")
    row = row_of(primary)
    assert (row["role"], row["secondary"], row["frozen"], row["state"]) == ("primary", None, False, "served")
    journal = row["journal"]
    assert journal["changesets"] == 1 and journal["oldest_serial"] == 1 and journal["bytes"] > 0
    assert not journal["updates"] and journal["checkpoint_serial"] == 1
    row = row_of(secondary)
    assert (row["role"], row["state"], row["file"]) == ("secondary", "served", None)
    assert row["notify"] == {"targets": 0, "told": 0, "refused": 0, "unanswered": []} and row["secondary"]["fault"] is None
    of = row["secondary"]
    assert of["primaries"] == [f"127.0.0.1@{primary.port}"]
    assert of["activity"] in ("waiting", "asking") and 604800 - 600 < of["expire_in_seconds"] <= 604800
    last = of["last_transfer"]
    assert (last["kind"], last["from"], last["serial"], last["error"]) == ("IXFR", of["primaries"][0], 2, None)
    assert last["bytes"] > 0 and last["records"] > 0 and 0 <= last["age_seconds"] < 600
    table = secondary.ctl("zones").stdout.splitlines()
    assert table[0].split() == ["ZONE", "ROLE", "STATE", "SERIAL", "RECORDS", "AGE", "REFRESH", "EXPIRE", "NOTE"]
    assert table[1].split()[:5] == [ZONE, "secondary", "served", "2", "6"]
    assert max(map(len, table)) <= 100
    lines = secondary.ctl("zones", ZONE).stdout.splitlines()
    block = dict(re.split(r"  +", line, maxsplit=1) for line in lines if line[0] != " ")
    assert block["role"] == "secondary" and block["primaries"] == of["primaries"][0]
    assert block["last transfer"].startswith("IXFR, from 127.0.0.1@")


def test_a_transfer_that_fails_says_why(pair):
    primary, secondary = pair
    primary.keys = {ZONE: primary.keys[ZONE].replace('[ "127.0.0.1" ]', "[ ]")}
    primary.write_config()
    change(primary, 2)
    last = until(lambda: (lambda last: last["kind"] == "failed" and last)(row_of(secondary)["secondary"]["last_transfer"]),
                 lambda: "the transfer has failed\n" + secondary.log())
    assert last["error"] and last["from"] == f"127.0.0.1@{primary.port}"
    row = row_of(secondary)
    assert (row["state"], row["serial"], row["error"]) == ("served", 1, None)
    assert last["error"][:50] in secondary.ctl("zones").stdout and last["error"] in secondary.ctl("zones", ZONE).stdout


def test_no_primary_that_can_be_asked_says_why(rondo):
    """It does not serve the zone: what was asked last, and what came of it; then it confirms the zone."""
    secondary = rondo.prepare(zones={ZONE: None})
    primary = rondo.prepare(zones={"example.net": DEFAULT_ZONE})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        secondary.keys = {ZONE: f'primaries = [ "127.0.0.1@{primary.port}" ];'}
        for server in (primary, secondary):
            server.write_config()
        primary.start()
        secondary.start(wait=[])
        where = f"127.0.0.1@{primary.port}"
        fault = until(lambda: row_of(secondary)["secondary"]["fault"], "the question has failed")
        assert fault["primary"] == where and 0 <= fault["age_seconds"] < 600
        assert fault["error"] == "its answer is REFUSED: it may not serve the zone, or not allow us"
        (line,) = [line for line in secondary.ctl("zones").stdout.splitlines() if line.startswith(ZONE)]
        assert f"{where}: its answer is REFUSED" in line and line.endswith("...")
        block = secondary.ctl("zones", ZONE).stdout
        assert re.search(rf"last question +failed, to {where}, ", block) and fault["error"] in block
        assert not re.search("^file", block, re.M)
        told = secondary.ctl("explain", f"www.{ZONE}", "A")
        assert "a secondary that has been given nothing so far" in told.stdout, told
        secondary.wait_log(rf'zone "{ZONE}": primary {where} does not tell its serial: its answer is REFUSED: it may')
        primary.zones = {ZONE: DEFAULT_ZONE}
        primary.keys = {ZONE: f'allow_transfer = [ "127.0.0.1" ]; notify = [ "127.0.0.1@{silent.getsockname()[1]}" ];'}
        primary.write_zone(ZONE, DEFAULT_ZONE)
        primary.write_config()
        assert primary.reload().returncode == 0
        assert secondary.ctl("refresh", ZONE).returncode == 0
        wait_serial(secondary, 1)
        until(lambda: row_of(secondary)["secondary"]["fault"] is None, "it confirmed the zone")
        assert row_of(primary)["notify"]["unanswered"] == [f"127.0.0.1@{silent.getsockname()[1]}"]
        assert re.search(rf"not answered +127.0.0.1@{silent.getsockname()[1]}", primary.ctl("zones", ZONE).stdout)


def test_another_transfer_source_is_used_at_once(pair):
    """The primary lets another address of ours in: that is not left until the zone's retry time."""
    primary, secondary = pair
    primary.keys = {ZONE: primary.keys[ZONE].replace('[ "127.0.0.1" ]', '[ "127.0.0.2" ]')}
    primary.write_config()
    change(primary, 2)
    until(lambda: row_of(secondary)["secondary"]["last_transfer"]["kind"] == "failed", "the transfer has failed")
    until(lambda: row_of(secondary)["secondary"]["activity"] == "waiting", "the round has ended")
    assert row_of(secondary)["secondary"]["refresh_in_seconds"] > 300
    secondary.keys = {ZONE: secondary.keys[ZONE] + ' transfer_source = "127.0.0.2";'}
    secondary.write_config()
    assert secondary.reload().returncode == 0
    wait_serial(secondary, 2)


def test_silence_is_a_fault_once_a_round_has_failed(rondo):
    """Whoever takes questions and connections, and never says anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(tcp.getsockname())
        where = f"127.0.0.1@{tcp.getsockname()[1]}"
        server = rondo(zones={ZONE: None}, keys={ZONE: f'primaries = [ "{where}" ];'}, wait=[])
        fault = until(lambda: row_of(server)["secondary"]["fault"], "the round has ended")
        assert (fault["primary"], fault["error"]) == (where, "it does not answer")
        assert f"{where}: it does not answer" in server.ctl("zones").stdout


def test_status_counts_transfers(pair):
    primary, secondary = pair
    assert primary.ctl_json("status")["transfers"]["axfr"] == 1
    change(primary, 2)
    wait_serial(secondary, 2)
    status = until(lambda: (lambda s: s["transfers"]["ixfr"] == 1 and s)(primary.ctl_json("status")), "the IXFR is counted")
    assert status["transfers_running"] == 0
    assert "AXFR 1, IXFR 1" in primary.ctl("status").stdout


# refresh, retransfer, notify


def test_refresh_and_retransfer(pair):
    primary, secondary = pair
    primary.keys = {ZONE: primary.keys[ZONE].split(" notify = ")[0]}
    primary.write_config()
    change(primary, 2)
    done = secondary.ctl("refresh", "EXAMPLE.com.")
    assert done.returncode == 0 and done.stdout == f"zone {ZONE}: asking 1 server, serial 1\n"
    wait_serial(secondary, 2)
    began = row_of(secondary)["secondary"]["last_transfer"]
    assert secondary.ctl_json("retransfer", ZONE) == {"zone": ZONE, "serial": 2, "primaries": 1}
    last = until(lambda: (lambda last: last != began and last["kind"] == "AXFR" and last)(
        row_of(secondary)["secondary"]["last_transfer"]), "it was transferred whole")
    assert last["serial"] == 2


def test_notify(pair):
    primary, secondary = pair
    until(lambda: row_of(primary)["notify"]["told"] == 1, "it was told")
    mark = secondary.ctl_json("status")["answers"]["handed_off"]
    done = primary.ctl("notify", ZONE)
    assert done.returncode == 0 and done.stdout == f"zone {ZONE}: telling 1 server, serial 1\n"
    until(lambda: secondary.ctl_json("status")["answers"]["handed_off"] > mark, "it was told again")


def failed(server, *args):
    done = server.ctl(*args)
    assert done.returncode == 1 and done.stdout == "", done
    return done.stderr


def test_what_cannot_be_done_says_why(rondo, pair):
    primary, secondary = pair
    for command in ("refresh", "retransfer", "notify", "dump", "sync", "freeze", "thaw", "reload", "zones"):
        assert 'no zone "nosuch.test" is configured' in primary.ctl(command, "nosuch.test").stderr
        assert primary.ctl(command, "nosuch.test").returncode == 1
    for command in ("refresh", "retransfer"):
        assert "is no secondary" in failed(primary, command, ZONE)
    assert "is a secondary" in failed(secondary, "freeze", ZONE)
    assert "is not frozen" in failed(primary, "thaw", ZONE)
    assert "is a secondary" in failed(secondary, "reload", ZONE)
    assert "has no version" in failed_of_empty(rondo, "notify") and "has no version" in failed_of_empty(rondo, "dump")
    for args in (["reload", "--force"], ["dump", ZONE, "--force"], ["sync", ZONE, "--output", "x"], ["-j", "dump", ZONE]):
        assert primary.ctl(*args).returncode == 2


def failed_of_empty(rondo, command):
    server = rondo(zones={"broken.test": "no zone text\n"}, wait=())
    until(lambda: row_of(server, "broken.test")["state"] == "failed", "it was read")
    return failed(server, command, "broken.test")


# dump


def test_dump(pair, tmp_path):
    primary, secondary = pair
    for server in (primary, secondary):
        done = server.ctl("dump", ZONE)
        assert done.returncode == 0 and records(done.stdout) == records(DEFAULT_ZONE)
    path = tmp_path / "out"
    done = primary.ctl("dump", "Example.COM.", "--output", str(path))
    assert done.returncode == 0 and done.stdout.startswith(f"zone {ZONE}: serial 1, 5 records, ")
    assert records(path.read_text()) == records(DEFAULT_ZONE)
    told = primary.ctl_json("dump", ZONE, "--output", str(path))
    assert (told["zone"], told["serial"], told["records"], told["bytes"]) == (ZONE, 1, 5, path.stat().st_size)
    done = primary.ctl("dump", ZONE, "--output", str(tmp_path / "missing" / "out"))
    assert done.returncode == 1 and "No such file" in done.stderr and not done.stdout


def test_a_large_zone_is_dumped(rondo, tmp_path):
    """More than an answer may have."""
    with open(tmp_path / "big", "w") as out:
        out.write(DEFAULT_ZONE)
        long = "x" * 240
        for number in range(300000):
            out.write(f'n{number} IN TXT "{long}"\n')
    server = rondo(zones={ZONE: (tmp_path / "big").read_text()}, wait=())
    until(lambda: row_of(server)["state"] == "served", "it is read", timeout=120)
    path = tmp_path / "out"
    before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    done = server.ctl_json("-t", "120", "dump", ZONE, "--output", str(path))
    assert done["records"] == 300005 and done["bytes"] == path.stat().st_size > 64 << 20
    assert path.read_text().count(long) == 300000
    until(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= before, "rondod has closed the file")


# sync, freeze, thaw


def test_sync_of_a_secondary_writes_a_copy(pair):
    primary, secondary = pair
    path = secondary.zone_path(ZONE)
    assert 'without "file"' in failed(secondary, "sync", ZONE) and not path.exists()
    secondary.keys[ZONE] += f' file = "{ZONE}.zone";'
    secondary.write_config()
    assert secondary.reload().returncode == 0
    done = secondary.ctl_json("sync", ZONE)
    assert done == {"zone": ZONE, "serial": 1, "file": str(path), "written": True}
    assert records(path.read_text()) == records(DEFAULT_ZONE)
    path.write_text("nobody reads this\n")
    assert secondary.reload().returncode == 0 and row_of(secondary)["state"] == "served"
    assert secondary.ctl_json("sync", ZONE)["written"] is True


def test_sync_leaves_alone_what_is_current_or_not_ours(rondo):
    server = rondo()
    path = server.zone_path(ZONE)
    assert server.ctl_json("sync", ZONE)["written"] is False
    assert path.read_text() == DEFAULT_ZONE
    server.write_zone(ZONE, DEFAULT_ZONE + "; edited\n")
    assert "has changed since it was read" in failed(server, "sync", ZONE)
    assert path.read_text() == DEFAULT_ZONE + "; edited\n"
    path.unlink()
    assert server.ctl_json("sync", ZONE)["written"] is True
    assert records(path.read_text()) == records(DEFAULT_ZONE)
    report = server.ctl_json("reload")
    assert (report["unchanged"], report["loaded"], report["failed"]) == (1, 0, 0)


def test_freeze_and_thaw(rondo):
    server = rondo()
    done = server.ctl("freeze", "EXAMPLE.COM")
    assert done.returncode == 0 and done.stdout.endswith(", frozen\n")
    assert row_of(server)["frozen"] is True
    assert "frozen" in server.ctl("zones").stdout and "frozen: updates are refused" in server.ctl("zones", ZONE).stdout
    assert "frozen already" in failed(server, "freeze", ZONE)
    server.restart()
    assert row_of(server)["frozen"] is True, "a restart keeps it"
    server.write_zone(ZONE, serial(DEFAULT_ZONE, 2) + "broken IN MX 70000 x\n")
    done = server.ctl("thaw", ZONE)
    assert done.returncode == 1 and "it stays frozen" in done.stderr and "70000" in done.stdout
    assert row_of(server)["frozen"] is True
    server.write_zone(ZONE, serial(DEFAULT_ZONE, 3) + NEW)
    done = server.ctl("thaw", ZONE)
    assert done.returncode == 0 and done.stdout == f"zone {ZONE}: loaded, thawed\n"
    row = row_of(server)
    assert row["frozen"] is False and row["serial"] == 3
    server.restart()
    assert row_of(server)["frozen"] is False and row_of(server)["serial"] == 3


def update(server, *changes):
    """nsupdate, in short: "add NAME TTL TYPE RDATA" or "delete NAME TYPE"."""
    request = dns.update.Update(ZONE)
    for change in changes:
        verb, *words = change.split(maxsplit=4 if change.startswith("add") else 2)
        getattr(request, verb)(*words)
    return dns.rcode.to_text(server.send(request).rcode())


def updatable(rondo, **kwargs):
    return rondo(keys={ZONE: 'allow_update = [ "127.0.0.1" ];'}, **kwargs)


def test_sync_writes_updates(rondo):
    server = updatable(rondo)
    path = server.zone_path(ZONE)
    assert update(server, "add new 300 A 192.0.2.77") == "NOERROR"
    row = row_of(server)
    assert (row["serial"], row["journal"]["updates"], row["journal"]["changesets"]) == (2, True, 1)
    assert "lacks updates" in server.ctl("zones", ZONE).stdout
    assert path.read_text() == DEFAULT_ZONE
    done = server.ctl("sync", ZONE)
    assert done.returncode == 0 and done.stdout == f'zone {ZONE}: serial 2, written to "{path}"\n'
    assert records(path.read_text()) == records(serial(DEFAULT_ZONE, 2) + "new 300 IN A 192.0.2.77\n")
    assert row_of(server)["journal"]["updates"] is False
    assert server.ctl_json("sync", ZONE)["written"] is False
    report = server.ctl_json("reload")
    assert (report["unchanged"], report["loaded"], report["failed"]) == (1, 0, 0)
    server.restart()
    assert row_of(server)["serial"] == 2 and row_of(server)["state"] == "served"
    server.write_zone(ZONE, serial(DEFAULT_ZONE, 3))
    assert server.ctl("reload", ZONE).returncode == 0, "nothing is in the journal that the file lacks"


def test_what_is_saved_while_a_zone_is_written_is_not_lost(rondo):
    """It takes a while to write a large zone; who edits its file meanwhile is not written over."""
    text = DEFAULT_ZONE + "".join(f'n{number} IN TXT "{number}"\n' for number in range(100000))
    server = updatable(rondo, zones={ZONE: text}, wait=())
    until(lambda: row_of(server)["state"] == "served", "it is read", timeout=120)
    assert update(server, "add new 300 A 192.0.2.77") == "NOERROR"
    path = server.zone_path(ZONE)
    edited = serial(text, 9) + "edited IN A 192.0.2.79\n"
    saved = path.with_name("saved")
    saved.write_text(edited)
    with subprocess.Popen([binary("rondoctl"), "-s", server.control_path, "sync", ZONE], stderr=subprocess.PIPE,
                          text=True) as sync:
        until(lambda: list(path.parent.glob(path.name + ".*")), "the file is being written", pause=0)
        os.replace(saved, path)
        assert "has changed since it was read" in sync.communicate()[1] and sync.returncode == 1
    assert path.read_text() == edited and list(path.parent.iterdir()) == [path]
    assert server.ctl("reload", ZONE, "--merge").returncode == 0
    assert server.ctl("sync", ZONE).returncode == 0
    for name in ("new", "edited"):
        assert server.query(f"{name}.{ZONE}").answer, name


def test_a_frozen_zone_refuses_updates(rondo):
    server = updatable(rondo)
    assert update(server, "add new 300 A 192.0.2.77") == "NOERROR"
    assert server.ctl_json("freeze", ZONE)["written"] is True
    assert update(server, "add newer 300 A 192.0.2.78") == "REFUSED"
    server.wait_log("REFUSED: the zone is frozen")
    path = server.zone_path(ZONE)
    server.write_zone(ZONE, path.read_text().replace(" 2 3600 ", " 3 3600 ") + "edited IN A 192.0.2.79\n")
    server.restart()
    assert row_of(server)["frozen"] is True and update(server, "add newer 300 A 192.0.2.78") == "REFUSED"
    assert server.ctl("thaw", ZONE).returncode == 0
    assert update(server, "add newer 300 A 192.0.2.78") == "NOERROR"
    for name in ("new", "newer", "edited"):
        assert server.query(f"{name}.{ZONE}").answer, name


# reload of one zone


def test_merge_and_force(rondo):
    for option, kept in (("--merge", True), ("--force", False)):
        server = updatable(rondo)
        assert update(server, "add new 300 A 192.0.2.77") == "NOERROR"
        server.write_zone(ZONE, serial(DEFAULT_ZONE, 2) + "edited IN A 192.0.2.79\n")
        done = server.ctl("reload", ZONE)
        assert done.returncode == 1 and "--merge" in done.stdout
        assert server.ctl("reload", ZONE, "--merge", "--force").returncode == 2
        done = server.ctl("reload", ZONE, option)
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.query(f"edited.{ZONE}").answer and bool(server.query(f"new.{ZONE}").answer) == kept
        assert row_of(server)["journal"]["updates"] == kept


def test_a_merge_that_comes_too_late_says_what_can_be_done(rondo):
    """The updates are in the zone, and in no journal any more; then that is done."""
    server = rondo(keys={ZONE: 'allow_update = [ "127.0.0.1" ]; journal_max_size = 65536;'})
    number = 0

    def is_shortened():
        nonlocal number
        for number in range(number + 1, number + 50):
            assert update(server, f'add new{number} 300 TXT "{"x" * 250}"') == "NOERROR"
        return row_of(server)["journal"]["checkpoint_serial"] > 1 and row_of(server)["journal"]["oldest_serial"] > 1

    until(is_shortened, "the oldest updates are dropped")
    server.write_zone(ZONE, serial(DEFAULT_ZONE, 2) + "edited IN A 192.0.2.79\n")
    done = server.ctl("reload", ZONE, "--merge")
    assert done.returncode == 1 and '"rondoctl sync" writes another one' in done.stdout
    path = server.zone_path(ZONE)
    path.rename(path.with_suffix(".moved"))
    assert server.ctl("sync", ZONE).returncode == 0
    assert len(records(path.read_text())) == len(records(DEFAULT_ZONE)) + number
    assert server.reload().returncode == 0 and row_of(server)["state"] == "served"


def test_reload_of_one_zone(rondo):
    server = rondo(zones={ZONE: DEFAULT_ZONE, "other.test": DEFAULT_ZONE})
    for name in (ZONE, "other.test"):
        server.write_zone(name, serial(DEFAULT_ZONE, 2) + NEW)
    before = server.ctl_json("status")["last_load"]
    data = server.ctl_json("reload", ZONE)
    assert (data["zone"], data["result"], data["loaded"], data["failed"]) == (ZONE, "done", 1, 0)
    assert "frozen" not in data
    assert row_of(server)["serial"] == 2 and row_of(server, "other.test")["serial"] == 1
    assert server.ctl_json("status")["last_load"]["loaded"] == before["loaded"]
    assert server.ctl("reload", ZONE).stdout == f"zone {ZONE}: unchanged\n"
    server.write_zone(ZONE, serial(DEFAULT_ZONE, 1))
    done = server.ctl("reload", ZONE)
    assert done.returncode == 1 and "serial 1 is not above" in done.stdout and ZONE in done.stderr
    assert f'"rondoctl reload {ZONE} --force" takes the file' in done.stdout
    assert json.loads(server.ctl("--json", "reload", ZONE).stdout)["failed_zones"] == [ZONE]
    assert server.ctl("reload", ZONE, "--force").returncode == 0
    assert row_of(server)["serial"] != 2 and row_of(server)["records"] == 5
    assert server.reload().returncode == 0
    assert row_of(server, "other.test")["serial"] == 2

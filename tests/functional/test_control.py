"""rondoctl against a running rondod: what it shows, what it does, and its exit
status. Hostile clients are in test_badinput.py."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import rondo as harness
from rondo import DEFAULT_ZONE, Load, rcode, until

BROKEN = DEFAULT_ZONE + "mail IN MX 70000 www\n"


def serial(text, number):
    """The default zone with another serial."""
    return text.replace(" 1 3600 ", f" {number} 3600 ")


def zone_row(server, name):
    (row,) = server.ctl_json("zones", name)["zones"]
    return row


def talk(server, message):
    with server.control_socket() as sock:
        body = json.dumps(message).encode()
        sock.sendall(struct.pack("!I", len(body)) + body)
        (length,) = struct.unpack("!I", harness.read_exact(sock, 4))
        return json.loads(harness.read_exact(sock, length))


# status


def test_status_json(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "broken.test": BROKEN}, wait=["example.com"])
    until(lambda: server.ctl_json("status")["zones"]["loading"] == 0, "all zones are loaded")
    for _ in range(5):
        assert rcode(server.query("www.example.com")) == "NOERROR"
    assert rcode(server.query("nothing.example.com")) == "NXDOMAIN"
    assert rcode(server.query("www.example.net", tcp=True)) == "REFUSED"
    before = server.ctl_json("status")
    for _ in range(3):
        server.query("www.example.com", tcp=True)
    status = server.ctl_json("status")
    assert status["pid"] == server.process.pid
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", status["version"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["started"])
    assert 0 <= status["uptime_seconds"] < 600
    assert status["configuration"] == str(server.conf_path)
    assert status["workers"] == 2
    assert 0 < status["control_lag_ms_max"] < 1000
    assert status["log_level"] == "info"
    assert 1 << 20 < status["memory_bytes"]
    assert status["zones"] == {"total": 2, "served": 1, "failed": 1, "stale": 0, "loading": 0, "empty": 0,
                               "expired": 0}
    answers = before["answers"]
    assert answers["queries_udp"] >= 6 and answers["nxdomain"] >= 1 and answers["refused"] >= 1
    assert status["answers"]["queries_tcp"] == before["answers"]["queries_tcp"] + 3
    assert status["answers"]["noerror"] == before["answers"]["noerror"] + 3
    assert status["sockets"]["tcp_accepted"] >= 4
    assert status["last_load"]["result"] == "zones failed" and status["last_load"]["failed"] == 1


def rows_of(done):
    assert done.returncode == 0 and done.stderr == ""
    return dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())


def test_status_for_people(rondo):
    server = rondo()
    until(lambda: server.ctl_json("status")["last_load"]["result"] == "done", "the first load has ended")
    done = server.ctl("status")
    rows = rows_of(done)
    assert rows["rondod"].endswith(f"process {server.process.pid}")
    assert rows["configuration"] == str(server.conf_path)
    assert rows["zones"] == "1: served 1"
    assert rows["workers"] == "2"
    assert re.fullmatch(r"longest turn \d+\.\d ms", rows["control thread"])
    assert re.fullmatch(r"\d+\.\d MiB", rows["memory"])
    assert "done" in rows["last load"]
    columns = {len(line) - len(re.split(r"  +", line, maxsplit=1)[1]) for line in done.stdout.splitlines()}
    assert len(columns) == 1, "columns line up"
    assert not {"rate limit", "cookies", "TSIG"} & rows.keys(), "what has never happened has no line"


# zones


def test_zones(rondo):
    zones = {"b.example": serial(DEFAULT_ZONE, 77), "a.b.example": DEFAULT_ZONE, "broken.test": BROKEN,
             "missing.test": None}
    server = rondo(zones=zones, wait=["b.example", "a.b.example"])
    until(lambda: server.ctl_json("status")["zones"]["loading"] == 0, "all zones are loaded")
    rows = server.ctl_json("zones")["zones"]
    names = [row["name"] for row in rows]
    assert names == ["b.example", "a.b.example", "broken.test", "missing.test"], "canonical order"
    served, broken, missing = rows[0], rows[2], rows[3]
    assert served["state"] == "served" and served["serial"] == 77 and served["error"] is None
    assert served["names"] == 3 and served["records"] == 5 and served["memory_bytes"] > 0
    assert served["file"] == str(server.zone_path("b.example"))
    assert 0 <= served["loaded_age_seconds"] < 600
    assert broken["state"] == "failed" and broken["serial"] is None and broken["loaded"] is None
    assert served["signed"] == "no" and broken["signed"] is None
    assert "70000" in broken["error"] or "MX" in broken["error"]
    assert missing["state"] == "failed" and missing["error"]
    table = server.ctl("zones").stdout.splitlines()
    assert table[0].split() == ["ZONE", "ROLE", "STATE", "SERIAL", "RECORDS", "AGE", "REFRESH", "EXPIRE", "NOTE"]
    assert table[1].split()[:5] == ["b.example", "primary", "served", "77", "5"]
    assert len({line.index("primary") for line in table[1:]}) == 1, "columns line up"
    note_at = table[0].index("NOTE")
    assert missing["error"].endswith(table[4][note_at:]) and table[4][note_at - 1] == " "
    block = rows_of(server.ctl("zones", "b.example"))
    assert block["content"].startswith("3 names, 5 records, ") and block["file"] == served["file"]
    assert block["serial"] == "77" and block["signed"] == "no" and block["notify"] == "nobody is told"


def test_zones_by_name(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "example.org": DEFAULT_ZONE})
    names = ("EXAMPLE.org.", "example.com")
    assert [row["name"] for row in server.ctl_json("zones", *names)["zones"]] == ["example.org", "example.com"]
    done = server.ctl("zones", "example.com", "www.example.com")
    assert done.returncode == 1
    assert 'no zone "www.example.com"' in done.stderr
    assert "example.com" in done.stdout, "what there is, is shown"


def test_zone_paths_of_any_bytes(rondo):
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE})
    odd = os.fsencode(server.dir) + b"/zones/\xff\x1b[31m.zone"
    with open(odd, "wb") as file:
        file.write(DEFAULT_ZONE.encode())
    text = server.config_text().encode().replace(b'"example.com.zone"', b'"\xff\\x1b[31m.zone"')
    server.conf_path.write_bytes(text)
    server.start()
    assert zone_row(server, "example.com")["file"].endswith("/zones/\\xff\x1b[31m.zone")
    assert "\\xff\\x1b[31m.zone" in server.ctl("zones", "example.com").stdout, "no escape sequence reaches the terminal"


# reload


def test_reload_publishes_before_it_returns(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "example.org": DEFAULT_ZONE})
    with Load(server, "www.example.com") as load:
        for number in range(2, 12):
            server.write_zone("example.com", serial(DEFAULT_ZONE, number) + f"new{number} IN A 192.0.2.77\n")
            data = server.ctl_json("reload")
            assert (data["result"], data["loaded"], data["unchanged"], data["failed"]) == ("done", 1, 1, 0)
            assert rcode(server.query(f"new{number}.example.com")) == "NOERROR"
            assert zone_row(server, "example.com")["serial"] == number
    assert load.sent > 0 and load.lost == 0 and load.wrong == 0, load.first_wrong


def test_reload_names_the_zones_that_failed(rondo):
    server = rondo(zones={"good.test": DEFAULT_ZONE, "bad.test": DEFAULT_ZONE})
    server.write_zone("good.test", serial(DEFAULT_ZONE, 2))
    server.write_zone("bad.test", serial(BROKEN, 2))
    done = server.reload()
    assert done.returncode == 1
    assert "bad.test" in done.stderr and "good.test" not in done.stderr
    path = re.escape(str(server.zone_path("bad.test")))
    assert re.search(rf"^{path}:7: error: ", done.stdout, re.MULTILINE), done.stdout
    assert "1 failed" in done.stdout
    assert zone_row(server, "good.test")["serial"] == 2
    bad = zone_row(server, "bad.test")
    assert bad["state"] == "stale" and bad["serial"] == 1 and bad["error"]
    assert rcode(server.query("www.bad.test")) == "NOERROR"
    assert server.ctl_json("status")["last_load"]["result"] == "zones failed"
    server.write_zone("bad.test", serial(DEFAULT_ZONE, 3))
    assert server.reload().returncode == 0
    assert zone_row(server, "bad.test")["state"] == "served"
    assert server.ctl_json("status")["last_load"]["result"] == "done"


def test_reload_adds_and_removes(rondo):
    server = rondo(zones={"old.test": DEFAULT_ZONE, "kept.test": DEFAULT_ZONE})
    del server.zones["old.test"]
    server.zones["new.test"] = DEFAULT_ZONE
    server.write_zone("new.test", DEFAULT_ZONE)
    server.write_config()
    data = server.ctl_json("reload")
    assert (data["added"], data["removed"], data["unchanged"]) == (1, 1, 1)
    assert [row["name"] for row in server.ctl_json("zones")["zones"]] == ["kept.test", "new.test"]


def test_reload_refuses_a_broken_configuration(rondo):
    server = rondo()
    server.write_zone("example.com", serial(DEFAULT_ZONE, 2))
    good = server.config_text()
    server.write_config(good.replace("workers = 2;", "workers = 2; lissten = 5; udp_payload = 1;"))
    done = server.reload()
    assert done.returncode == 1
    assert "configuration refused" in done.stderr
    assert "lissten" in done.stdout and "udp_payload" in done.stdout, "every error is shown"
    assert f"{server.conf_path}:" in done.stdout
    assert zone_row(server, "example.com")["serial"] == 1
    failed = server.ctl("--json", "reload")
    assert failed.returncode == 1 and json.loads(failed.stdout)["result"] == "refused"
    assert server.ctl_json("status")["last_load"]["result"] == "refused"
    server.write_config(good)
    assert server.reload().returncode == 0
    assert zone_row(server, "example.com")["serial"] == 2


def test_reload_refuses_what_needs_a_restart(rondo):
    server = rondo()
    server.write_config(server.config_text().replace("workers = 2;", "workers = 1;"))
    done = server.reload()
    assert done.returncode == 1
    assert "workers" in done.stdout + done.stderr and "restart" in done.stdout + done.stderr
    server.write_config(server.config_text().replace("control.sock", "other.sock"))
    done = server.reload()
    assert done.returncode == 1 and "control" in done.stdout + done.stderr
    assert server.control_path.exists()


def test_reloads_at_once_all_tell_of_a_later_load(rondo):
    server = rondo()
    server.write_zone("example.com", serial(DEFAULT_ZONE, 2))
    results = []
    threads = [threading.Thread(target=lambda: results.append(server.ctl("--json", "reload"))) for _ in range(8)]
    for thread in threads:
        thread.start()
        server.send_signal(signal.SIGHUP)
    for thread in threads:
        thread.join()
    assert [done.returncode for done in results] == [0] * 8, [done.stderr for done in results]
    assert zone_row(server, "example.com")["serial"] == 2
    server.assert_serving()


def test_sighup_shows_in_status(rondo):
    server = rondo()
    until(lambda: server.ctl_json("status")["last_load"]["result"] == "done", "the first load has ended")
    server.write_zone("example.com", serial(BROKEN, 2))
    server.send_signal(signal.SIGHUP)
    until(lambda: server.ctl_json("status")["last_load"]["result"] == "zones failed", "the reload has ended")
    assert zone_row(server, "example.com")["state"] == "stale"


# log and stop


def test_log_level(rondo):
    server = rondo()
    assert server.ctl_json("log", "error") == {"log_level": "error", "was": "info"}
    assert server.ctl_json("status")["log_level"] == "error"
    assert server.ctl("log", "debug").stdout == "log level debug, was error\n"
    done = server.ctl("log", "loud")
    assert done.returncode == 2 and "expected error, warning, notice, info or debug" in done.stderr


def test_stop_returns_when_it_has_stopped(rondo):
    server = rondo()
    # Until its parent has taken its status the process is there, but has ended: that is what rondoctl waits for.
    done = server.ctl("stop")
    assert done.returncode == 0 and str(server.process.pid) in done.stdout
    assert server.process.poll() == 0
    assert not server.control_path.exists()
    server.wait_end()


def test_stop_answers_those_who_wait(rondo):
    """A client in the middle of a request, and one that does not read, keep nobody from stopping."""
    server = rondo()
    with server.control_socket() as half, server.control_socket() as silent:
        half.sendall(b"\0\0\1\0{")
        assert server.ctl("stop").returncode == 0
        assert harness.closed_by_peer(half) and harness.closed_by_peer(silent)
    server.wait_end()


# the program itself


def run(*args, **env):
    environment = harness.sanitizer_environment()
    environment.pop("RONDO_CONTROL", None)
    environment.update(env)
    return subprocess.run([str(harness.binary("rondoctl")), *args], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("args, part", [
    ([], "no command"),
    (["frobnicate"], 'unknown command "frobnicate"'),
    (["status", "extra"], "too many arguments"),
    (["log"], "too few arguments"),
    (["--nonsense", "status"], "nonsense"),
    (["-t", "soon", "status"], '"soon" is no time'),
    (["-s", "", "status"], "no path of a socket"),
    (["-s", "/" + "x" * 200, "status"], "no path of a socket"),
])
def test_usage_errors(args, part):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert part in done.stderr


def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0 and shown.stderr == ""
    for command in ("status", "zones [NAME...]", "reload", "refresh ZONE", "log LEVEL", "stop"):
        assert f"  {command} " in shown.stdout
    version = run("-V")
    assert version.returncode == 0 and re.fullmatch(r"rondoctl \d+\.\d+\.\d+\S*\n", version.stdout)


def test_nobody_there(tmp_path):
    path = str(tmp_path / "s")
    done = run("-s", path, "status")
    assert done.returncode == 2
    assert done.stderr == f'rondoctl: cannot reach rondod at "{path}": no such socket; is it running?\n'
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)
    done = run("status", RONDO_CONTROL=path)
    assert done.returncode == 2
    assert done.stderr == f'rondoctl: cannot reach rondod at "{path}": connection refused; is it running?\n'


@pytest.mark.skipif(os.geteuid() != 0, reason="must become another user")
def test_permission_denied(rondo):
    server = rondo()
    os.chmod(server.dir.parent, 0o755)
    os.chmod(server.dir, 0o755)
    program = server.dir / "rondoctl"
    program.write_bytes(harness.binary("rondoctl").read_bytes())
    program.chmod(0o755)
    done = subprocess.run([str(program), "-s", str(server.control_path), "status"], user=65534, group=65534,
                          extra_groups=[], env=harness.sanitizer_environment(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2
    assert "permission denied" in done.stderr


class Impostor:
    """Listens at a path and treats each client to `answer`."""

    def __init__(self, path, answer, hold=False):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(path)
        self.sock.listen()
        self.answer, self.hold, self.held = answer, hold, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.sock.accept()
                client.recv(65536)
                client.sendall(self.answer)
            except OSError:
                return
            self.held.append(client)
            if not self.hold:
                client.close()


@pytest.mark.parametrize("answer, part", [
    (b"", "without a whole answer"),
    (b"\0\0\1\0{", "without a whole answer"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not rondod"),
    (b"\xff\xff\xff\xff", "is not rondod"),
    (b"\0\0\0\2{}", "cannot read the answer"),
    (b"\0\0\0\3abc", "cannot read the answer"),
    (b'\0\0\0\x16{"rondo":2,"status":0}', "version 2"),
])
def test_answers_of_something_else(tmp_path, answer, part):
    path = str(tmp_path / "s")
    Impostor(path, answer)
    done = run("-s", path, "status")
    assert done.returncode == 2 and done.stdout == ""
    assert part in done.stderr, done.stderr


def test_an_answer_with_nothing_in_it(tmp_path):
    """Every member missing: shown as unknown, no crash."""
    path = str(tmp_path / "s")
    body = b'{"rondo":1,"status":0,"data":{"zones":[{},5,null],"last_load":{"result":"done"},"messages":[{}]}}'
    Impostor(path, struct.pack("!I", len(body)) + body)
    for command in (["status"], ["zones"], ["zones", "x"], ["reload"], ["log", "info"], ["refresh", "x"], ["notify", "x"],
                    ["sync", "x"], ["freeze", "x"], ["thaw", "x"]):
        done = run("-s", path, *command)
        assert done.returncode == 0, done.stderr


def test_status_for_people_of_every_counter(tmp_path):
    """Lines of the rate limit, cookies and TSIG, and an RCODE for every answer."""
    answers = {"noerror": 1, "badcookie": 2, "rate_limited": 3, "rate_slipped": 4, "rate_leaked": 5, "rate_full": 6,
               "cookie_new": 7, "cookie_good": 8, "cookie_bad": 9, "tsig_good": 10, "tsig_bad": 11}
    path = str(tmp_path / "s")
    body = json.dumps({"rondo": 1, "status": 0, "data": {"answers": answers}}).encode()
    Impostor(path, struct.pack("!I", len(body)) + body)
    rows = rows_of(run("-s", path, "status"))
    assert rows["answers"] == "NOERROR 1, BADCOOKIE 2"
    assert rows["rate limit"] == "limited 3, slipped 4, leaked 5, full 6"
    assert rows["cookies"] == "new 7, good 8, bad 9"
    assert rows["TSIG"] == "good 10, bad 11"


def test_a_dump_without_a_text(tmp_path):
    path = str(tmp_path / "s")
    body = b'{"rondo":1,"status":0,"data":{"zone":"x"}}'
    Impostor(path, struct.pack("!I", len(body)) + body)
    done = run("-s", path, "dump", "x")
    assert done.returncode == 1 and done.stdout == "" and "sent no text" in done.stderr


def test_timeout(tmp_path):
    path = str(tmp_path / "s")
    Impostor(path, b"\0\0", hold=True)
    begin = time.monotonic()
    done = run("-s", path, "-t", "500ms", "status")
    assert done.returncode == 2
    assert "no answer" in done.stderr and "500 ms" in done.stderr
    assert 0.4 < time.monotonic() - begin < 10


def test_output_that_cannot_be_written(rondo):
    server = rondo()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(harness.binary("rondoctl")), "-s", str(server.control_path), "zones"], stdout=full,
                              stderr=subprocess.PIPE, env=harness.sanitizer_environment(), check=False)
    assert done.returncode == 1 and b"cannot write the answer" in done.stderr


def test_versions_of_the_protocol(rondo):
    server = rondo()
    answer = talk(server, {"rondo": 2, "command": "status", "args": []})
    assert answer["rondo"] == 1 and answer["status"] == 2
    assert "version 2" in answer["error"] and "version 1" in answer["error"]
    answer = talk(server, {"rondo": 1, "command": "status", "args": [], "later": True})
    assert answer["status"] == 0


def test_a_hundred_clients_at_once(rondo):
    server = rondo()
    program = [str(harness.binary("rondoctl")), "-s", str(server.control_path), "--json", "zones"]
    clients = [subprocess.Popen(program, env=harness.sanitizer_environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
               for _ in range(100)]
    for client in clients:
        out, err = client.communicate(timeout=120)
        assert client.returncode == 0, err
        assert json.loads(out)["zones"][0]["name"] == "example.com"
    server.assert_serving()

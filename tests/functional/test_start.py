"""How the daemon begins and ends: the command line, validation, the order of the phases, users, signals."""

import base64
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from rondo import DEFAULT_ZONE, binary, rcode

ROOT = os.geteuid() == 0
BROKEN_ZONE = DEFAULT_ZONE + "bad A 192.0.2.256\n"


def rondod(*args, **kwargs):
    return subprocess.run([str(binary("rondod")), *args], capture_output=True, text=True, timeout=30, check=False,
                          stdin=subprocess.DEVNULL, **kwargs)


# ---- the command line


def test_version_and_help():
    done = rondod("-V")
    assert done.returncode == 0
    assert re.fullmatch(r"rondod \d+\.\d+\.\d+\n", done.stdout)
    done = rondod("-h")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: rondod")


@pytest.mark.parametrize("args", [["-x"], ["-c"], ["--conf"], ["-t", "rondo.conf"]])
def test_wrong_command_line(args):
    done = rondod(*args)
    assert done.returncode == 2
    assert "usage: rondod" in done.stderr
    assert done.stdout == ""


def test_output_to_a_full_disk_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([str(binary("rondod")), "--print-sample"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=30, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_sample_is_complete_and_valid(tmp_path):
    done = rondod("--print-sample")
    assert done.returncode == 0
    for key in ("listen", "workers", "user", "zone_dir", "state_dir", "control", "udp_payload", "tcp_max",
                "tcp_max_per_client", "tcp_idle", "name", "file", "template", "templates", "zones"):
        assert re.search(rf"\b{key}\b", done.stdout), key
    (tmp_path / "rondo.conf").write_text(done.stdout)
    (tmp_path / "example.com.zone").write_text(DEFAULT_ZONE)
    done = rondod("-t", "-c", str(tmp_path / "rondo.conf"))
    assert done.returncode == 0, done.stderr
    assert re.search(r'warning: key "xfr.example.com." has the secret of the sample', done.stderr), done.stderr


# ---- validation


def test_validate(rondo):
    done = rondo.prepare().validate()
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.search(r"rondo\.conf is valid, 1 zone, 0 warnings\n", done.stdout)


def test_validate_shows_errors_of_zones(rondo):
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "broken.test": BROKEN_ZONE, "gone.test": None})
    done = server.validate()
    assert done.returncode == 1
    assert re.search(r"zones/broken\.test\.zone:\d+: error: .*192\.0\.2\.256", done.stderr)
    assert re.search(r"zones/gone\.test\.zone.*error: ", done.stderr)
    assert re.search(r"rondo\.conf is not valid, 2 errors, 0 warnings", done.stderr)
    assert done.stdout == ""


def test_validate_binds_nothing(rondo):
    server = rondo()
    assert server.validate().returncode == 0
    server.assert_serving()
    assert server.ctl("status").returncode == 0


def test_validate_warnings_are_no_errors(rondo):
    zone = DEFAULT_ZONE + "elsewhere.test. A 192.0.2.1\n"
    done = rondo.prepare(zones={"example.com": zone}).validate()
    assert done.returncode == 0
    assert re.search(r"example\.com\.zone:\d+: warning: ", done.stderr)
    assert "1 warning" in done.stdout


# ---- start


def test_log_tells_the_story(rondo):
    server = rondo()
    for line in (r"notice: rondod \d+\.\d+\.\d+ starting, configuration \".*rondo\.conf\"",
                 rf"notice: listening on 127\.0\.0\.1@{server.port}, UDP and TCP",
                 r"info: zone \"example\.com\": loaded, serial 1, 3 names, 5 records, [\d.]+ ms",
                 r"notice: zones: 1 loaded, 0 unchanged, 0 failed, \d+ ms",
                 r"notice: ready, workers: \d+"):
        assert re.search(line, server.log()), line + "\n" + server.log()
    server.stop()
    assert re.search(r"notice: SIGTERM received\n.*notice: stopped\n", server.log())


def test_questions_wait_for_the_zones(rondo):
    """What comes between the bind and the end of loading is answered, and not with REFUSED or SERVFAIL."""
    records = "".join(f"n{i} A 192.0.2.{i % 250 + 1}\n" for i in range(60000))
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE + records})
    server.spawn()
    server.wait_log("listening on")
    assert rcode(server.query("n59999.example.com")) == "NOERROR"
    assert rcode(server.query("n0.example.com", tcp=True)) == "NOERROR"


def test_no_zones_at_all(rondo):
    server = rondo(zones={}, wait=())
    assert rcode(server.query("example.com")) == "REFUSED"


def test_broken_zone_is_servfail_and_stops_no_other(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "broken.test": BROKEN_ZONE}, wait=["example.com"])
    assert rcode(server.query("www.broken.test")) == "SERVFAIL"
    assert rcode(server.query("www.example.com")) == "NOERROR"
    assert re.search(r"error: .*broken\.test\.zone:\d+: ", server.log())
    assert re.search(r"error: zone \"broken\.test\": not loaded", server.log())


def test_templates(rondo):
    server = rondo.prepare(zones={"a.test": DEFAULT_ZONE, "b.test": DEFAULT_ZONE})
    server.write_config(server.config_text().split("zones = (")[0] + """
        templates = ( { name = "usual"; file = "%s.zone"; } );
        zones = ( { name = "A.test."; template = "usual"; }, { name = "b.test"; } );
    """)
    server.start()
    assert rcode(server.query("www.a.test")) == "NOERROR"
    assert rcode(server.query("www.b.test")) == "NOERROR"


def test_slash_in_a_zone_name(rondo):
    """RFC 2317 zones have one; it must not choose a folder."""
    server = rondo.prepare(zones={})
    (server.dir / "zones" / "0\\04725.2.0.192.in-addr.arpa.zone").write_text(DEFAULT_ZONE)
    server.write_config(server.config_text().split("zones = (")[0]
                        + 'zones = ( { name = "0/25.2.0.192.in-addr.arpa"; } );\n')
    server.start(wait=())
    assert rcode(server.query("0/25.2.0.192.in-addr.arpa", "SOA")) == "NOERROR"


def test_ten_thousand_zones_start_quickly(rondo):
    server = rondo.prepare(zones={})
    (server.dir / "zones" / "one").write_text(DEFAULT_ZONE)
    rows = ",\n".join(f'{{ name = "z{i}.test"; template = "t"; }}' for i in range(10000))
    server.write_config(server.config_text().split("zones = (")[0]
                        + 'templates = ( { name = "t"; file = "one"; } );\nzones = (\n' + rows + "\n);\n")
    server.spawn()
    took = re.search(r"zones: 10000 loaded, 0 unchanged, 0 failed, (\d+) ms",
                     server.wait_log(r"zones: 10000 loaded.*").group(0))
    assert took
    assert rcode(server.query("www.z9999.test")) == "NOERROR"
    # Sanitizers take ten times as long; a quadratic loop would take minutes.
    assert int(took.group(1)) < 10000
    assert len(re.findall("loaded, serial", server.log())) == 100


# ---- users


def chown_tree(top, user):
    for folder, _, files in os.walk(top):
        for path in [folder, *(os.path.join(folder, name) for name in files)]:
            os.chown(path, user.pw_uid, user.pw_gid)


def credentials(server):
    status = (open(f"/proc/{server.process.pid}/status", encoding="ascii")).read()
    return {line.split(":")[0]: line.split()[1:] for line in status.splitlines()}


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_user(rondo):
    user = pwd.getpwnam("nobody")
    server = rondo.prepare(server='user = "nobody";')
    os.chmod(os.path.dirname(server.dir), 0o755)
    chown_tree(server.dir, user)
    os.chmod(server.dir / "zones", 0o700)
    server.start()
    process = credentials(server)
    assert process["Uid"] == [str(user.pw_uid)] * 4
    assert process["Gid"] == [str(user.pw_gid)] * 4
    assert process["NoNewPrivs"] == ["1"]
    assert int(process["CapEff"][0], 16) == 0
    control = os.stat(server.control_path)
    assert (control.st_uid, control.st_gid) == (user.pw_uid, user.pw_gid)
    assert stat.S_IMODE(control.st_mode) == 0o660
    server.write_zone("example.com", DEFAULT_ZONE.replace(" 1 3600", " 2 3600"))
    os.chmod(server.zone_path("example.com"), 0o644)
    assert server.reload().returncode == 0
    assert "reloads will be refused" not in server.log()


@pytest.mark.skipif(not ROOT, reason="root alone can read what others cannot")
def test_start_warns_of_what_reloads_cannot_read(rondo):
    """A start reads the secret as root, reloads as the user: both say whose the permission is that lacks."""
    secret = base64.b64encode(bytes(range(32))).decode()
    server = rondo.prepare(server='user = "nobody";', extra="""keys = (
    { name = "weak.key"; algorithm = "hmac-sha512"; secret = "%s"; },
    { name = "a.key"; algorithm = "hmac-sha256"; secret_file = "a.secret"; }
);""" % secret)
    (server.dir / "a.secret").write_text(secret)
    os.chmod(server.dir / "a.secret", 0o600)
    os.chmod(os.path.dirname(server.dir), 0o755)
    server.start()
    (line,) = [line for line in server.log().splitlines() if "reloads will be refused" in line]
    assert 'warning: reloads will be refused, for user "nobody"' in line
    assert re.search(r"rondo\.conf:\d+: .*a\.secret.*ermission denied$", line), line
    done = server.ctl("reload")
    assert done.returncode == 1
    assert re.search(r"a\.secret.*ermission denied", done.stdout)
    assert 'refused when read as user "nobody", as reloads do' in done.stdout
    os.chmod(server.dir / "a.secret", 0o644)
    assert server.reload().returncode == 0
    server.server = 'user = "nobody"; nonsense = 1;'
    server.write_config()
    done = server.ctl("reload")
    assert done.returncode == 1 and "nonsense" in done.stdout
    assert "refused when read" not in done.stdout, "that is not why"


@pytest.mark.skipif(not ROOT, reason="root alone can read what others cannot")
def test_validate_reads_as_the_user(rondo):
    server = rondo.prepare(server='user = "nobody";')
    os.chmod(os.path.dirname(server.dir), 0o755)
    assert server.validate().returncode == 0
    os.chmod(server.zone_path("example.com"), 0o600)
    done = server.validate()
    assert done.returncode == 1
    assert "ermission denied" in done.stderr


@pytest.mark.skipif(not ROOT, reason="root alone can read what others cannot")
@pytest.mark.parametrize("hidden", ["rondo.conf", "more.conf"])
def test_validate_reads_the_configuration_as_the_user(rondo, hidden):
    """As root a start can read it, but no reload could."""
    server = rondo.prepare(server='user = "nobody";', extra='@include "more.conf"')
    (server.dir / "more.conf").write_text("")
    os.chmod(os.path.dirname(server.dir), 0o755)
    assert server.validate().returncode == 0
    os.chmod(server.dir / hidden, 0o600)
    done = server.validate()
    assert done.returncode == 1
    assert re.search(rf"{re.escape(hidden)}.*ermission denied", done.stderr), done.stderr
    assert 'user "nobody"' in done.stderr
    assert "is not valid" in done.stderr and done.stdout == ""


@pytest.mark.skipif(ROOT, reason="root may become anybody")
def test_user_needs_root(rondo):
    done = rondo.prepare(server='user = "root";').run()
    assert done.returncode == 1
    assert "not started as root" in done.stderr


# ---- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_within_two_seconds(rondo, number):
    server = rondo()
    began = time.monotonic()
    server.stop(number)
    assert time.monotonic() - began < 2
    assert not server.control_path.exists()


def test_signals_at_any_moment_of_the_start(rondo):
    """SIGTERM during the loading of large zones, at ever later moments: always a clean end."""
    records = "".join(f"n{i} A 192.0.2.{i % 250 + 1}\n" for i in range(30000))
    zones = {f"z{i}.test": DEFAULT_ZONE + records for i in range(6)}
    server = rondo.prepare(zones=zones)
    for delay_ms in (0, 5, 20, 50, 100, 200, 400):
        mark = server.log_mark()
        server.spawn()
        server.wait_log("starting", mark)
        time.sleep(delay_ms / 1000)
        server.send_signal(signal.SIGHUP)
        server.stop()
        assert "notice: stopped" in server.log_since(mark)


def test_reload_is_asked_for_before_the_start_is_over(rondo):
    """SIGHUP while the configuration is read, which takes a moment with so many
    zones: the reload comes after the first load."""
    server = rondo.prepare(zones={})
    (server.dir / "zones" / "one").write_text(DEFAULT_ZONE)
    rows = ",\n".join(f'{{ name = "z{i}.test"; file = "one"; }}' for i in range(2000))
    server.write_config(server.config_text().split("zones = (")[0] + "zones = (\n" + rows + "\n);\n")
    server.spawn()
    server.wait_log("starting")
    server.send_signal(signal.SIGHUP)
    server.wait_log(r"zones: 2000 loaded, 0 unchanged[^$]*reloading[^$]*zones: 0 loaded, 2000 unchanged")
    assert rcode(server.query("www.z1999.test")) == "NOERROR"


def test_stop_command(rondo):
    server = rondo()
    done = server.ctl("stop")
    assert done.returncode == 0, done.stderr
    server.wait_end()


def test_restart_after_a_kill(rondo):
    server = rondo()
    server.kill()
    assert server.control_path.exists()
    server.start()
    server.assert_serving()


def test_survives_closed_standard_files(rondo):
    server = rondo.prepare()
    server.wrapper = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    server.start()
    server.assert_serving()
    server.write_zone("example.com", BROKEN_ZONE.replace(" 1 3600", " 2 3600"))
    assert server.reload().returncode == 1
    server.assert_serving()


# ---- systemd


def test_systemd_is_told(rondo):
    server = rondo.prepare()
    path = str(server.dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        server.env["NOTIFY_SOCKET"] = path
        server.start()
        assert notify.recv(1024) == b"READY=1"
        server.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", notify.recv(1024))
        assert notify.recv(1024) == b"READY=1"
        server.stop()
        assert notify.recv(1024) == b"STOPPING=1"

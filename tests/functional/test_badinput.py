"""What must not hurt: each bad input gets one clear line, and the rest keeps running."""

import contextlib
import fcntl
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess

import dns.rcode
import pytest

from rondo import DEFAULT_ZONE, addresses, binary, make_query, rcode, until

BOTH = {"example.com": DEFAULT_ZONE, "other.test": DEFAULT_ZONE}
ROOT = os.geteuid() == 0


def nobody():
    return pwd.getpwnam("nobody")


def as_nobody(folder):
    """A command prefix that drops root, and a folder that the dropped one may use."""
    user = nobody()
    for top, folders, files in os.walk(folder):
        for name in [top, *(os.path.join(top, name) for name in folders + files)]:
            os.chown(name, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def runs_as_nobody(path):
    """Can nobody execute this file? A build below somebody's home folder often cannot be reached."""
    user = nobody()
    return subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--",
                           str(path), "-V"],
                          capture_output=True, check=False).returncode == 0


needs_dropping = pytest.mark.skipif(
    ROOT and not (shutil.which("setpriv") and binary("rondod") and runs_as_nobody(binary("rondod"))),
    reason="root is stopped by no permission, and rondod cannot be run as nobody here")


def one_line_with(log, *parts):
    """The line of the log that names all parts."""
    lines = [line for line in log.splitlines() if all(part in line for part in parts)]
    assert lines, f"no line with {parts} in\n{log}"
    return lines[0]


# ---- zone files


BAD_ZONES = {
    "empty": b"",
    "binary": bytes(random.Random(1).randrange(256) for _ in range(20000)),
    "zeroes": b"\0" * 100000,
    "endless line": b"@ IN TXT " + b"a" * (8 << 20),
    "endless blanks": b" " * (8 << 20),
    "open parenthesis": b"@ IN SOA ns1 hostmaster ( 1 3600 900 604800 60\n" + b"\n" * 1000,
    "open quote": b'@ IN TXT "never closed\n' + b"x IN A 192.0.2.1\n" * 1000,
    "no soa": b"@ IN NS ns1\nns1 IN A 192.0.2.1\n",
    "an executable": open("/bin/true", "rb").read(),
    "a generate bomb": DEFAULT_ZONE.encode() + b"$GENERATE 0-2147483647 h$ A 192.0.2.1\n",
}


@pytest.mark.parametrize("what", sorted(BAD_ZONES))
def test_bad_zone_file(rondo, what):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "bad.test": BAD_ZONES[what]}, wait=["example.com"])
    until(lambda: "bad.test" in server.log(), "the bad zone is told about")
    assert rcode(server.query("www.bad.test.")) == "SERVFAIL"
    server.assert_serving()
    one_line_with(server.log(), "bad.test.zone")
    longest = max(len(line) for line in server.log().splitlines())
    assert longest < 2000, "a log line quotes too much of the input"


def test_missing_zone_file(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "gone.test": None})
    assert rcode(server.query("www.gone.test.")) == "SERVFAIL"
    one_line_with(server.log(), "gone.test.zone", "No such file")


def test_zone_file_is_a_folder(rondo):
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "folder.test": None})
    server.zone_path("folder.test").mkdir()
    server.start()
    assert rcode(server.query("www.folder.test.")) == "SERVFAIL"
    one_line_with(server.log(), "folder.test.zone")


def test_zone_file_is_a_pipe(rondo):
    """Nobody ever writes into it: reading must not wait for that."""
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "pipe.test": None})
    os.mkfifo(server.zone_path("pipe.test"))
    server.start()
    assert rcode(server.query("www.pipe.test.")) == "SERVFAIL"
    one_line_with(server.log(), "pipe.test.zone")


def test_zone_file_is_a_device(rondo):
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "zero.test": None})
    os.symlink("/dev/zero", server.zone_path("zero.test"))
    server.start()
    assert rcode(server.query("www.zero.test.")) == "SERVFAIL"
    one_line_with(server.log(), "zero.test.zone")


@needs_dropping
def test_unreadable_zone_file(rondo):
    server = rondo.prepare(zones=BOTH)
    if ROOT:
        server.wrapper = as_nobody(server.dir)
    os.chmod(server.zone_path("other.test"), 0)
    server.start(wait=["example.com"])
    assert rcode(server.query("www.other.test.")) == "SERVFAIL"
    one_line_with(server.log(), "other.test.zone", "ermission denied")


def test_enormous_sparse_zone_file(rondo):
    """A terabyte of zeroes on paper: refused or read to its first error, in bounded memory and time."""
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "huge.test": None})
    with open(server.zone_path("huge.test"), "wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            file.truncate(1 << 36)
    server.start()
    until(lambda: "huge.test.zone" in server.log(), "the zone is told about")
    server.assert_serving()
    assert rcode(server.query("www.huge.test.")) == "SERVFAIL"


def test_include_loop_in_a_zone(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "loop.test": DEFAULT_ZONE + "$INCLUDE loop.test.zone\n"},
                   wait=["example.com"])
    until(lambda: "loop.test.zone" in server.log(), "the loop is told about")
    assert rcode(server.query("www.loop.test.")) == "SERVFAIL"
    server.assert_serving()


def test_a_thousand_errors_are_not_a_thousand_lines(rondo):
    text = DEFAULT_ZONE + "x IN A nonsense\n" * 1000
    server = rondo(zones={"example.com": DEFAULT_ZONE, "bad.test": text}, wait=["example.com"])
    until(lambda: "bad.test.zone" in server.log(), "the errors are shown")
    assert 3 <= server.log().count("bad.test.zone:") <= 250


@pytest.mark.parametrize("what", ["binary", "empty", "no soa", "endless line"])
def test_a_zone_that_turns_bad_keeps_its_old_version(rondo, what):
    server = rondo(zones=BOTH)
    server.write_zone("other.test", BAD_ZONES[what])
    done = server.reload()
    assert done.returncode == 1 and "other.test" in done.stdout + done.stderr
    assert len(addresses(server.query("www.other.test."))) == 2
    server.assert_serving()


# ---- configuration


def expect_refused(server, *parts):
    """-t and a real start both refuse, quickly, with status 1 and a message that names all parts."""
    for done in (server.validate(), server.run()):
        assert done.returncode == 1, done.stderr
        for part in parts:
            assert part in done.stdout + done.stderr, f"no {part!r} in\n{done.stdout}{done.stderr}"


def config(server_lines="", rest=""):
    return ('server: { listen = [ "127.0.0.1@{port}" ]; zone_dir = "zones"; state_dir = "state"; '
            'control = "control.sock";\n'
            f'{server_lines} }};\nzones = ( {{ name = "example.com"; file = "example.com.zone"; }} );\n{rest}\n')


def test_forty_errors_at_once(rondo):
    lines = "".join(f"  mistake{i:02} = {i};\n" for i in range(40))
    server = rondo.prepare(config=config(lines))
    done = server.validate()
    assert done.returncode == 1
    shown = done.stdout + done.stderr
    missing = [i for i in range(40) if f"mistake{i:02}" not in shown]
    assert not missing, f"not told about: {missing}\n{shown}"
    assert f"rondo.conf:{2}:" in shown, "with file and line"


def test_errors_of_every_kind_together(rondo):
    lines = 'worker = 2; udp_payload = 100000; tcp_idle = "5 parsecs"; tcp_max = "many";'
    server = rondo.prepare(config=config(lines, "template = 1; zones2 = ();"))
    expect_refused(server, "worker", "workers", "udp_payload", "tcp_idle", "tcp_max", "template", "templates", "zones2")


def told(done):
    """What -t and rondoctl say: (file, line, text) of each error, in order; line 0 where there is none."""
    lines = re.findall(r"^(\S+?):(?:(\d+):)? error: (.*)$", done.stdout + done.stderr, re.MULTILINE)
    return [(os.path.basename(file), int(line or 0), text) for file, line, text in lines]


ONE_ROUND = """\
server: { listen = [ "127.0.0.1@{port}", "127.0.0.1@{port}" ]; zone_dir = "zones"; control = "control.sock";
  udp_payload = 257; };
@include "probes.conf"
templates = ( { name = "t"; }, { name = "t"; } );
zones = (
  { name = "a..b"; balance = ( { name = "www"; probe = "wbe"; } ); },
  { name = "example.com"; template = "u"; balance = (
      { name = "www"; ttl = "soon"; probe = "web"; },
      { name = "www"; },
      { name = "*.x"; probe = [ "web", "tcp", "nix" ]; },
      { name = "y"; members = ( { address = "192.0.2.1"; weight = -1; }, { address = "192.0.2.1"; } ); } ); },
  { name = "EXAMPLE.com."; file = "%d"; balance = ( { name = "www"; } ); },
  { nmae = "other.test"; balance = ( { }, 7 ); }
);
"""
ONE_ROUND_PROBES = """\
probes = (
  { name = "web"; type = "htpp"; },
  { name = "web"; type = "http"; timeout = "1h"; }, { name = "tcp"; type = "tcp"; port = 65536; }
);
"""
ONE_ROUND_TOLD = [
    ("rondo.conf", 1, r'"server.listen": "127.0.0.1@\d+" stands twice'),
    ("rondo.conf", 2, r'"server.udp_payload": expected a whole number from 512 to 4096 bytes, got 257'),
    ("rondo.conf", 4, r'template "t" stands twice'),
    ("rondo.conf", 6, r'"a\.\.b" is no zone name: '),
    ("rondo.conf", 6, r'balance "www": there is no probe "wbe"; did you mean "web"\?'),
    ("rondo.conf", 7, r'zone "example.com": there is no template "u"'),
    ("rondo.conf", 8, r'"zones.balance.ttl": expected a duration '),
    ("rondo.conf", 9, r'a second balance group with name "www.example.com", the first is at .*rondo.conf:8$'),
    ("rondo.conf", 10, r'zone "example.com", balance "\*\.x": there is no probe "nix"$'),
    ("rondo.conf", 11, r'"zones.balance.members.weight": expected a whole number '),
    ("rondo.conf", 11, r'zone "example.com", balance "y": member 192.0.2.1 stands twice, first at '),
    ("rondo.conf", 12, r'file "%d" of zone "EXAMPLE.com."'),
    ("rondo.conf", 12, r'zone "EXAMPLE.com." stands twice, first at .*rondo.conf:7'),
    ("rondo.conf", 13, r'unknown key "nmae" in "zones"; did you mean "name"\?'),
    ("rondo.conf", 13, r'"zones.balance": expected groups, '),
    ("rondo.conf", 13, r'zone "other.test", balance "": expected either "name" or "below", got neither'),
    ("probes.conf", 2, r'"probes.type": expected "tcp", .*, got "htpp"; did you mean "http"\?'),
    ("probes.conf", 3, r'"probes.timeout": 1h is more than the interval, 5s'),
    ("probes.conf", 3, r'"probes.port": expected a whole number from 1 to 65535, got 65536'),
    ("probes.conf", 3, r'probe "web" stands twice, first at .*probes.conf:2'),
]


def test_all_errors_in_one_round(rondo):
    """What only the whole shows (names twice, references to nothing) beside bad values, in the files' order; and
    nothing that only follows: the probes are there by their names, the misspelt name is one."""
    server = rondo.prepare(config=ONE_ROUND)
    (server.dir / "probes.conf").write_text(ONE_ROUND_PROBES)
    done = server.validate()
    assert done.returncode == 1
    found = told(done)
    assert [row[:2] for row in found] == [row[:2] for row in ONE_ROUND_TOLD], done.stderr
    for (_, _, text), (_, _, pattern) in zip(found, ONE_ROUND_TOLD):
        assert re.match(pattern, text), f"{text!r} is not {pattern!r}"


def test_all_errors_in_one_round_of_a_reload(rondo):
    server = rondo()
    good = server.config_text()
    (server.dir / "probes.conf").write_text(ONE_ROUND_PROBES)
    server.write_config(ONE_ROUND.replace("{port}", str(server.port)))
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1
    assert [row[:2] for row in told(done)] == [row[:2] for row in ONE_ROUND_TOLD], done.stdout
    for _, _, pattern in ONE_ROUND_TOLD:
        assert re.search(pattern, server.log_since(mark), re.MULTILINE), pattern
    server.assert_serving()
    server.write_config(good)
    assert server.reload().returncode == 0


def test_errors_cannot_talk_to_the_terminal(rondo):
    """Nor add a line that looks like another error."""
    lines = 'zones = ( { name = "example.com"; template = "x\\n/etc/passwd:1: error: forged\\x1b[2J"; } );'
    server = rondo.prepare(config=config().split("zones = (")[0] + lines)
    done = server.validate()
    assert done.returncode == 1
    assert "\x1b" not in done.stderr and len(told(done)) == 1, done.stderr
    assert r"x\010/etc/passwd:1: error: forged\027[2J" in done.stderr


@pytest.mark.parametrize("text", ["", "\n\n", "# zones = ( );\n", "\ufeff"])
def test_empty_configuration(rondo, text):
    """A file that was being written, or a disk was full: its zones are not gone."""
    server = rondo.prepare(config=text)
    expect_refused(server, "rondo.conf", "there is nothing in it")


@pytest.mark.parametrize("text,part", [
    ("server: {", "rondo.conf"),
    ("server = 7;", "server"),
    ("zones = 7;", "zones"),
    ('server: { listen = "127.0.0.1@99999"; };', "listen"),
    ('server: { listen = [ "127.0.0.1@53x" ]; };', "listen"),
    ('zones = ( { file = "x"; } );', "name"),
    ('zones = ( { name = "a..b"; file = "x"; } );', "a..b"),
    ('zones = ( { name = "x.test"; file = "x"; }, { name = "X.test."; file = "y"; } );', "test"),
    ('zones = ( { name = "x.test"; template = "nowhere"; } );', "nowhere"),
    ("\0\0\0\0", "rondo.conf"),
    ("\x01\x02\x03", "rondo.conf"),
    ("(" * 20000, "rondo.conf"),
    ("server: { workers = 1; workers = 2; };", "workers"),
])
def test_configuration_that_is_refused(rondo, text, part):
    expect_refused(rondo.prepare(config=text), part)


def test_configuration_that_is_no_file(rondo):
    server = rondo.prepare()
    server.conf_path.unlink()
    expect_refused(server, "rondo.conf", "No such file")
    server.conf_path.mkdir()
    expect_refused(server, "rondo.conf")
    server.conf_path.rmdir()
    os.symlink("/dev/zero", server.conf_path)
    expect_refused(server, "rondo.conf")
    server.conf_path.unlink()
    server.conf_path.write_bytes(random.Random(2).randbytes(100000))
    expect_refused(server, "rondo.conf")


def test_include_that_cannot_be(rondo):
    """libconfig would end the process here."""
    server = rondo.prepare()
    (server.dir / "folder").mkdir()
    (server.dir / "a.conf").write_text('@include "b.conf"\n')
    (server.dir / "b.conf").write_text('@include "a.conf"\n')
    os.mkfifo(server.dir / "pipe")
    good = server.config_text()
    for target, part in (("folder", "folder"), ("rondo.conf", "rondo.conf"), ("a.conf", "a.conf"),
                         ("missing.conf", "missing.conf"),
                         ("/dev/zero", "/dev/zero"), ("pipe", "pipe")):
        server.write_config(good + f'@include "{target}"\n')
        expect_refused(server, part, "include")


def test_include_works(rondo):
    server = rondo.prepare(zones=BOTH)
    zones = 'zones = ( { name = "other.test"; file = "other.test.zone"; } );\n'
    (server.dir / "more").mkdir()
    (server.dir / "more" / "zones.conf").write_text(zones)
    server.write_config(server.config_text().split("zones = (")[0] + '@include "more/zones.conf"\n')
    server.start(wait=["other.test"])
    assert rcode(server.query("www.example.com.")) == "REFUSED"


@pytest.mark.parametrize("number", ["2147483648", "4294967297", "4294967296", "18446744073709551617", "-1",
                                    "99999999999999999999999999", "0x100000001", "4294967297L"])
def test_integers_beyond_their_bounds(rondo, number):
    """libconfig 1.5 reads 4294967297 as 1."""
    server = rondo.prepare(config=config(f"tcp_max = {number};"))
    expect_refused(server, "tcp_max")


def test_reload_with_bad_configuration(rondo):
    """All the traps on a running server: refused, told, and everything goes on as before."""
    server = rondo()
    good = server.config_text()
    (server.dir / "folder").mkdir()
    for bad in (
        good + '@include "folder"\n',
        good + '@include "rondo.conf"\n',
        good + '@include "missing"\n',
        good.replace("workers = 2;", "workers = 2; tcp_max = 4294967297;"),
        good.replace("workers = 2;", "workers = 2; tcp_max = 2147483648;"),
        good + "nonsense = 1;\n",
        good + "server = 1;\n",
        "server: {",
        "\x00\xff",
        "",
    ):
        server.write_config(bad)
        mark = server.log_mark()
        done = server.reload()
        assert done.returncode == 1, f"accepted: {bad!r}"
        assert told(done) and all(file == "rondo.conf" and line > 0 for file, line, _ in told(done) if bad), done.stdout
        assert re.search(r"error: \S*rondo\.conf:", server.log_since(mark))
        server.assert_serving()
        mark = server.log_mark()
        server.send_signal(signal.SIGHUP)
        until(lambda: server.log_since(mark), "SIGHUP says something")
        server.assert_alive()
    server.write_config(good)
    assert server.reload().returncode == 0
    server.assert_serving()


# ---- what the system refuses


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_port_in_use(rondo, kind):
    server = rondo.prepare()
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", server.port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        done = server.run()
    assert done.returncode == 1
    one_line_with(done.stderr, f"127.0.0.1@{server.port}", "ddress already in use")


def test_second_rondod_on_the_same_port(rondo):
    """SO_REUSEPORT would let two of them share the queries."""
    first = rondo()
    second = rondo.prepare()
    second.port = first.port
    second.write_config()
    done = second.run()
    assert done.returncode == 1, "a second rondod took half of the first one's queries"
    assert "ddress already in use" in done.stderr
    first.assert_serving()


@needs_dropping
def test_no_rights_to_bind(rondo):
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 53:
                pytest.skip("everybody may bind port 53 here")
    except OSError:
        pass
    server = rondo.prepare(listen=("127.0.0.1",))
    server.port = 53
    server.write_config()
    if ROOT:
        server.wrapper = as_nobody(server.dir)
    done = server.run()
    assert done.returncode == 1
    one_line_with(done.stderr, "127.0.0.1@53", "ermission denied")


def test_address_that_is_not_ours(rondo):
    server = rondo.prepare(config=config().replace("127.0.0.1@", "192.0.2.1@"))
    done = server.run()
    assert done.returncode == 1
    one_line_with(done.stderr, "192.0.2.1@", "annot assign requested address")


def test_unknown_user(rondo):
    done = rondo.prepare(server='user = "nobody-of-that-name";').run()
    assert done.returncode == 1
    one_line_with(done.stderr, "rondo.conf:", "user", "there is no user")


def test_log_to_a_full_disk(rondo):
    """Nothing that is said can be written; answers and reloads go on."""
    server = rondo.prepare(zones=BOTH)
    with open("/dev/full", "wb") as full:
        server.process = subprocess.Popen(server.command(), cwd=server.dir, env=server.env, stdin=subprocess.DEVNULL,
                                          stdout=full, stderr=full)
    server.wait_ready(BOTH)
    for i in range(5):
        server.write_zone("other.test", DEFAULT_ZONE.replace(" 1 3600", f" {i + 2} 3600"))
        assert server.reload().returncode == 0
    server.write_zone("other.test", "broken")
    assert server.reload().returncode == 1
    server.assert_serving()


def test_log_to_a_closed_pipe(rondo):
    server = rondo.prepare()
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        server.process = subprocess.Popen(server.command(), cwd=server.dir, env=server.env, stdin=subprocess.DEVNULL,
                                          stdout=pipe, stderr=pipe)
    os.close(reader)
    server.wait_ready(["example.com"])
    server.write_zone("example.com", "broken")
    assert server.reload().returncode == 1
    server.assert_serving()


def test_log_to_a_pipe_that_nobody_reads(rondo):
    """The pipe is full after a few lines: reloads, answers and SIGTERM go on, and what is missing is counted."""
    server = rondo.prepare(zones=BOTH)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
    with os.fdopen(writer, "wb") as pipe:
        server.process = subprocess.Popen(server.command(), cwd=server.dir, env=server.env, stdin=subprocess.DEVNULL,
                                          stdout=pipe, stderr=pipe)
    with os.fdopen(reader, "rb", buffering=0) as log:
        server.wait_ready(BOTH)
        for i in range(60):
            good = DEFAULT_ZONE.replace(" 1 3600", f" {i + 2} 3600")
            server.write_zone("other.test", "broken\n" * 20 if i % 2 else good)
            assert server.ctl("-t", "10s", "reload").returncode == i % 2
        server.assert_serving()
        log.read(65536)
        server.ctl("-t", "10s", "reload")
        more = log.read(65536).decode()
        lost = re.match(r"warning: (\d+) log lines lost, standard error took none\n", more)
        assert lost and int(lost.group(1)) > 100, more
        assert "reloading" in more
        for _ in range(30):
            server.ctl("-t", "10s", "reload")
        server.stop()


@pytest.mark.skipif(not ROOT, reason="only root can mount a small file system")
def test_state_on_a_full_disk(rondo):
    """state_dir and the control socket's folder are full: a start says so or does without, a running server runs on."""
    server = rondo.prepare()
    state = server.dir / "state"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "rondo-test", str(state)], capture_output=True,
                             check=False)
    if mounted.returncode:
        pytest.skip("cannot mount here")
    try:
        with contextlib.suppress(OSError), open(state / "filler", "wb") as filler:
            while True:
                filler.write(b"x" * 4096)
                filler.flush()
        server.start()
        server.write_zone("example.com", DEFAULT_ZONE.replace(" 1 3600", " 2 3600"))
        assert server.reload().returncode == 0
        server.assert_serving()
        server.stop()
    finally:
        server.kill()
        subprocess.run(["umount", str(state)], check=False)


# ---- control clients


CONTROL_GARBAGE = {
    "nothing": b"",
    "one byte": b"\x00",
    "half a length": b"\x00\x00",
    "half a message": struct.pack("!I", 100) + b'{"rondo": 1',
    "length of 4 GiB": b"\xff\xff\xff\xff" + b"x" * 1000,
    "length over the limit": struct.pack("!I", 64 * 1024 + 1) + b"x" * 1000,
    "empty message": struct.pack("!I", 0),
    "no JSON": struct.pack("!I", 5) + b"hello",
    "zeroes": struct.pack("!I", 1000) + b"\0" * 1000,
    "JSON, but no object": struct.pack("!I", 2) + b"[]",
    "deep JSON": struct.pack("!I", 60000) + b"[" * 60000,
    "bytes behind it": struct.pack("!I", 34) + b'{"rondo": 1, "command": "status" }' + b"more",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "random": random.Random(3).randbytes(5000),
}


def control_request(text):
    return struct.pack("!I", len(text)) + text.encode()


@pytest.mark.parametrize("text,status", [
    ('{"rondo": 1, "command": "status", "args": []}', 0),
    ('{"rondo": 2, "command": "status", "args": []}', 2),
    ('{"rondo": "1", "command": "status"}', 2),
    ('{"rondo": 1}', 2),
    ('{"rondo": 1, "command": 5}', 2),
    ('{"rondo": 1, "command": "status", "args": "x"}', 2),
    ('{"rondo": 1, "command": "status", "args": [1, null]}', 2),
    ('{"rondo": 1, "command": "no such command"}', 2),
    ('{"rondo": 1, "command": "\\u0000"}', 2),
])
def test_control_requests(rondo, text, status):
    server = rondo()
    until(server.control_path.exists, "the control socket")
    with server.control_socket() as sock:
        sock.sendall(control_request(text))
        head = sock.recv(4, socket.MSG_WAITALL)
        body = sock.recv(struct.unpack("!I", head)[0], socket.MSG_WAITALL)
    answer = json.loads(body)
    assert answer["rondo"] == 1
    assert answer["status"] == status or (status == 2 and answer["status"] == 1), answer
    if status:
        assert answer["error"]


def test_control_garbage(rondo):
    server = rondo()
    until(server.control_path.exists, "the control socket")
    held = []
    for what, data in CONTROL_GARBAGE.items():
        sock = server.control_socket()
        with contextlib.suppress(OSError):
            sock.sendall(data)
        held.append(sock)
        done = server.ctl("status")
        assert done.returncode == 0, f"after {what}: {done.stderr}"
    for sock in held:
        sock.close()
    server.assert_serving()


def test_control_client_that_never_reads(rondo):
    """Many of them, each asking for an answer it will not take."""
    zones = {f"zone{i:03}.test": DEFAULT_ZONE for i in range(100)}
    server = rondo(zones=zones)
    request = control_request('{"rondo": 1, "command": "zones", "args": []}')
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            with contextlib.suppress(OSError):
                sock.connect(str(server.control_path))
                sock.sendall(request)
        until(lambda: server.ctl("status").returncode == 0, "an honest client is served")
        server.assert_serving("www.zone000.test")


def test_control_clients_that_say_nothing(rondo):
    """More connections than the server keeps: an honest one gets its turn, now or when the silent ones are dropped."""
    server = rondo()
    until(server.control_path.exists, "the control socket")
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.connect(str(server.control_path))
        until(lambda: server.ctl("status").returncode == 0, "an honest client is served", timeout=40)
    server.assert_serving()


def test_control_socket_mode(rondo):
    server = rondo()
    until(server.control_path.exists, "the control socket")
    assert oct(server.control_path.stat().st_mode & 0o777) == "0o660"


def test_control_socket_left_over(rondo):
    """kill -9 leaves the socket file behind; the next start takes it over.
    Something that is no socket is left alone."""
    server = rondo()
    until(server.control_path.exists, "the control socket")
    server.kill()
    assert server.control_path.exists()
    server.start()
    assert server.ctl("status").returncode == 0
    server.stop()
    assert not server.control_path.exists()
    server.control_path.write_text("precious")
    done = server.run()
    assert done.returncode == 1 and "control.sock" in done.stderr
    assert server.control_path.read_text() == "precious"


# ---- packets


def mutated(rng, wires):
    wire = bytearray(rng.choice(wires))
    for _ in range(rng.randrange(1, 5)):
        what = rng.randrange(4)
        at = rng.randrange(len(wire)) if wire else 0
        if what == 0 and wire:
            wire[at] = rng.randrange(256)
        elif what == 1 and wire:
            wire[at] = rng.choice((0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF))
        elif what == 2:
            del wire[at:at + rng.randrange(1, 8)]
        else:
            wire[at:at] = rng.randbytes(rng.randrange(1, 8))
    return bytes(wire)


def test_packets_of_any_shape(rondo):
    """64 K random and mutated packets, paced by an honest question every 64, which must always be answered right. Not a
    line is logged for any of them."""
    server = rondo(server="workers = 1;")
    mark = server.log_mark()
    rng = random.Random(20260101)
    wires = [make_query("www.example.com.").to_wire(), make_query("www.example.com.", "ANY", use_edns=0).to_wire(),
             make_query("missing.example.com.", "TXT", use_edns=0, payload=512, want_dnssec=True).to_wire(),
             make_query(".".join(["a" * 63] * 3) + ".example.com.", "AAAA").to_wire()]
    honest = make_query("www.example.com.")
    with server.udp_socket() as noise:
        noise.setblocking(False)
        for i in range(65536):
            kind = i % 4
            some = rng.choice((0, 1, 11, 12, 13, 17, 60, 512, 1500, 4000))
            wire = mutated(rng, wires) if kind else rng.randbytes(some)
            with contextlib.suppress(OSError):
                noise.send(wire)
            if i % 64 == 63:
                assert server.send(honest).rcode() == dns.rcode.NOERROR
                with contextlib.suppress(OSError):
                    while True:
                        answer = noise.recv(65535)
                        assert len(answer) >= 12 and answer[2] & 0x80, "what it sends are answers"
    server.assert_serving()
    assert server.log_since(mark) == ""


def test_packets_from_forbidden_ports_and_sizes(rondo):
    server = rondo()
    with server.udp_socket() as sock:
        sock.settimeout(1)
        sock.send(b"")
        sock.send(b"x" * 65507)
        sock.send(make_query("www.example.com.").to_wire() + b"x" * 60000)
    server.assert_serving()


def test_a_flood_of_garbage_streams(rondo):
    server = rondo()
    rng = random.Random(4)
    for _ in range(300):
        with contextlib.suppress(OSError):
            sock = server.tcp_socket()
            sock.sendall(rng.randbytes(rng.randrange(1, 3000)))
            sock.close()
    server.assert_serving()

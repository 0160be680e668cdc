"""EDNS options and the server's own names, as dig shows them: NSID, cookies, client subnet, keepalive, extended errors,
class CH."""

import re
import socket
import subprocess

import pytest

from rondo import until

SECRET, OLD_SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
ZONE = """\
$TTL 300
@ IN SOA ns1 hostmaster 1 3600 900 604800 60
@ IN NS ns1
ns1 IN A 192.0.2.53
www IN A 192.0.2.1
down IN A 127.0.0.1
hash IN A 192.0.2.1
hash IN A 192.0.2.2
hash IN A 192.0.2.3
"""
KEYS = """balance = ( { name = "down"; probe = "closed"; }, { name = "hash"; policy = "hash"; } );"""
PROBES = """probes = ( { name = "closed"; type = "tcp"; port = 9; interval = "100ms"; fast_interval = "100ms";
    timeout = "100ms"; fall = 1; } );"""


def start(make, server):
    return make(zones={"example.com": ZONE}, keys={"example.com": KEYS}, server=server, extra=PROBES)


@pytest.fixture(scope="module")
def server(rondo_module):
    return start(rondo_module, f"""nsid = "ns1"; version = "rondo of the test"; identity = "one";
        cookie_secrets = [ "{SECRET}" ]; ecs_trusted = [ "127.0.0.0/8" ]; tcp_idle = "20s";""")


def dig(server, *words):
    done = subprocess.run(["dig", "@127.0.0.1", "-p", str(server.port), "+norecurse", "+tries=2", *words],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout, done.stdout
    return done.stdout


def test_nsid(server):
    assert '; NSID: 6e 73 31 ("ns1")' in dig(server, "www.example.com", "+nsid")
    assert "NSID" not in dig(server, "www.example.com")


def test_cookie(server):
    """dig keeps no cookies between runs: it is given the one that it was sent."""
    text = dig(server, "www.example.com", "+cookie=0123456789abcdef")
    found = re.search(r"; COOKIE: (0123456789abcdef01000000[0-9a-f]{24}) \(good\)", text)
    assert found, text
    again = dig(server, "www.example.com", "+cookie=" + found[1])
    assert f"; COOKIE: {found[1]} (good)" in again
    counters = server.ctl_json("status")["answers"]
    assert counters["cookie_new"] >= 1 and counters["cookie_good"] >= 1


def test_cookies_shared_by_name_servers(server, rondo):
    """Another name server with the same secret, be it an old one, takes the cookie; one with another does not."""
    cookie = re.search(r"COOKIE: ([0-9a-f]{48})", dig(server, "www.example.com", "+cookie=0123456789abcdef"))[1]
    same = start(rondo, f'cookie_secrets = [ "{OLD_SECRET}", "{SECRET}" ]; require_cookie = "always";')
    other = start(rondo, 'require_cookie = "always";')
    assert "status: NOERROR" in dig(same, "www.example.com", "+nobadcookie", "+cookie=" + cookie)
    assert "status: BADCOOKIE" in dig(other, "www.example.com", "+nobadcookie", "+cookie=" + cookie)
    # A client that does as it is told gets its answer; who has no cookies gets one too.
    assert "status: NOERROR" in dig(other, "www.example.com", "+cookie=" + cookie)
    assert "status: NOERROR" in dig(other, "www.example.com", "+nocookie")


def test_a_random_secret_survives_a_reload(rondo):
    server = start(rondo, 'require_cookie = "always";')
    cookie = re.search(r"COOKIE: ([0-9a-f]{48})", dig(server, "www.example.com", "+cookie=0123456789abcdef"))[1]
    assert server.ctl("reload").returncode == 0
    assert "status: NOERROR" in dig(server, "www.example.com", "+nobadcookie", "+cookie=" + cookie)


def test_client_subnet(server):
    assert "CLIENT-SUBNET: 198.51.100.0/24/0" in dig(server, "www.example.com", "+subnet=198.51.100.0/24")
    assert "CLIENT-SUBNET: 2001:db8::/56/0" in dig(server, "www.example.com", "+subnet=2001:db8::/56")
    # A hash pool goes by it: each network keeps its server, and they do not all have the same.
    chosen = set()
    for network in range(24):
        texts = [dig(server, "hash.example.com", f"+subnet=10.0.{network}.0/24") for _ in range(2)]
        assert all(f"CLIENT-SUBNET: 10.0.{network}.0/24/24" in text for text in texts)
        answers = {re.search(r"\sA\s+(192\.0\.2\.\d)", text)[1] for text in texts}
        assert len(answers) == 1
        chosen |= answers
    assert len(chosen) == 3


def test_malformed_client_subnet(server):
    """A bit is set behind the prefix."""
    text = dig(server, "www.example.com", "+ednsopt=8:00011700c63365", "+nocookie")
    assert "status: FORMERR" in text


def test_keepalive(server):
    assert "; TCP KEEPALIVE: 20.0 secs" in dig(server, "www.example.com", "+keepalive", "+tcp")
    assert "KEEPALIVE" not in dig(server, "www.example.com", "+keepalive", "+notcp")


def test_extended_errors(server):
    assert "; EDE: 20 (Not Authoritative)" in dig(server, "example.net")
    assert "; EDE: 21 (Not Supported)" in dig(server, "example.com", "+opcode=STATUS")
    until(lambda: "EDE: 0 (Other): (no server of this name is known to be up)" in dig(server, "down.example.com"),
          lambda: "the pool is down and its answer says so\n" + dig(server, "down.example.com"))
    assert re.search(r"\sA\s+127\.0\.0\.1", dig(server, "down.example.com"))


def test_not_loaded(rondo):
    broken = rondo(zones={"example.com": ZONE, "broken.example": "@ IN NONSENSE\n"}, wait=["example.com"])
    text = dig(broken, "broken.example")
    assert "status: SERVFAIL" in text and "; EDE: 14 (Not Ready)" in text


def test_class_ch(server, rondo):
    for name, answer in (("version.bind", "rondo of the test"), ("hostname.bind", "one"), ("id.server", "one")):
        assert f'"{answer}"' in dig(server, name, "CH", "TXT")
    assert "status: REFUSED" in dig(server, "authors.bind", "CH", "TXT")
    plain = start(rondo, "")
    assert "status: REFUSED" in dig(plain, "version.bind", "CH", "TXT")
    assert f'"{socket.gethostname()}"' in dig(plain, "id.server", "CH", "TXT")
    silent = start(rondo, 'identity = "";')
    assert "status: REFUSED" in dig(silent, "id.server", "CH", "TXT")

"""Probes of type https and tls: real TLS servers on loopback, whose certificates rondo believes or does not. What strange
servers do within TLS is in tests/unit/probe/test_driver_curl.c."""

import re
import socket
import subprocess

import pytest

from backends import ENDLESS_BODY, ENDLESS_HEADER_LINE, ENDLESS_HEADERS, OK, Backend, hang, hang_up, status
from balancing import QUICK, a_records, arrange, balanced
from peers import find
from pki import Pki, server_context
from rondo import free_port, until

HOST = "www.example.com"
# One result decides; a handshake may take its time on a busy machine.
ONCE = {"interval": "1s", "fast_interval": "1s", "timeout": "1s", "rise": 1, "fall": 1}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


class SecureBackend(Backend):
    """Speaks TLS with this certificate; with None, whatever it says, it says at once."""

    def __init__(self, address, port, certificate, manner):
        super().__init__(address, port, manner)
        self.names = []
        self.context = server_context(certificate, self.names) if certificate else None

    def serve(self, connection, visit):
        try:
            connection.settimeout(10)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            else:
                self.manner(connection, b"", self)
        except OSError:
            connection.close()
            return
        super().serve(connection, visit)


@pytest.fixture
def secure():
    """`secure(certificate, manner)`: a server on an address of its own."""
    made = []

    def make(certificate, manner=OK):
        address = f"127.0.0.{30 + len(made)}"
        made.append(SecureBackend(address, free_port([address]), certificate, manner).start())
        return made[-1]

    yield make
    for backend in made:
        backend.stop()


def row(kind, name, port, **keys):
    return {"name": name, "type": kind, "port": port, **ONCE, **keys}


def arranged(rondo, cases, **kwargs):
    """A server with a pool a case: (backend, keys of the probe)."""
    rows, groups, records = [], [], ""
    for number, (backend, keys) in enumerate(cases):
        keys = {"type": "https", "host": HOST, **keys}
        rows.append(row(keys.pop("type"), f"p{number}", backend.port, **keys))
        groups.append({"name": f"n{number}", "probe": f"p{number}"})
        records += a_records(f"n{number}", [backend.address])
    return balanced(rondo, records, groups, rows, **kwargs)


def found(server):
    """The members of the pools, by number."""
    pools = {row["name"]: row["members"] for row in server.ctl_json("pools")["pools"]}
    return [pools[f"n{number}.example.com"][0] for number in range(len(pools))]


def wait_found(server, *verdicts):
    """Until that is what they are."""
    until(lambda: tuple(member["verdict"] for member in found(server)) == verdicts,
          lambda: "the verdicts are " + ", ".join(verdicts) + f", but {found(server)}\n{server.log()}", pause=0.05)
    return found(server)


# what passes


def test_what_passes(rondo, secure, pki):
    ca, nobody = str(pki.ca.path), "127.0.0.29"
    good, self_signed = pki.issue(HOST, days=61), pki.issue(HOST, days=61, issuer="self")
    refused = Backend(nobody, free_port([nobody]))
    # backend, the probe's keys, is up, the reason, days left
    cases = [
        (secure(good), {"ca_file": ca}, True, "status 200", 61),
        (secure(good), {"ca_file": ca, "type": "tls"}, True, "TLS handshake done", 61),
        (secure(good), {"ca_file": ca, "min_days_left": 61}, True, "status 200", 61),
        (secure(good), {"ca_file": ca, "min_days_left": 90}, False, "certificate: days left: 61, fewer than 90", 61),
        (secure(good), {}, False, "certificate: issuer unknown", 61),
        (secure(good), {"verify": False, "type": "tls"}, True, "TLS handshake done", 61),
        (secure(good), {"ca_file": ca, "host": "mail.example.com"}, False, 'certificate: not for "mail.example.com"', 61),
        (secure(self_signed), {"ca_file": ca}, False, "certificate: self-signed", 61),
        (secure(self_signed), {"ca_file": str(self_signed.path)}, True, "status 200", 61),
        (secure(self_signed), {"verify": False}, True, "status 200", 61),
        (secure(pki.issue(HOST, begins=-30, days=-3)), {"ca_file": ca}, False, "certificate: expired 2 days ago", -3),
        (secure(pki.issue(HOST, begins=5, days=90)), {"ca_file": ca, "type": "tls"}, False,
         "certificate: not valid yet, but in 4 days", 90),
        (secure(pki.issue("*.example.com", days=61)), {"ca_file": ca}, True, "status 200", 61),
        (secure(good, status(301, headers=("Location: /elsewhere",))), {"ca_file": ca}, False, "status 301", 61),
        (secure(good, status(503)), {"ca_file": ca}, False, "status 503", 61),
        (secure(good, status(200, b"all is good")), {"ca_file": ca, "expect_body": "good$"}, True, "status 200", 61),
        (secure(good, status(200, b"all is bad")), {"ca_file": ca, "expect_body": "good$"}, False,
         "status 200, but the body does not match", 61),
        (secure(good, ENDLESS_BODY), {"ca_file": ca, "expect_body": "never"}, False,
         "status 200, but no match in the first 64 KiB of the body", 61),
        (secure(good, ENDLESS_HEADERS), {"ca_file": ca}, False, "headers of more than 16 KiB", 61),
        (secure(good, ENDLESS_HEADER_LINE), {"ca_file": ca}, False, "headers of more than 16 KiB", 61),
        (secure(good, hang_up), {"ca_file": ca}, False, "closed without an answer", 61),
        (secure(good), {"ca_file": ca, "http_version": "2"}, False, "HTTP/1.1, but HTTP/2 is expected", 61),
        (secure(None), {"ca_file": ca}, False, "TLS: handshake failed: wrong version number", None),
        (secure(None, hang), {"ca_file": ca}, False, "no TLS handshake within 1s", None),
        (refused, {"ca_file": ca}, False, "connection refused", None),
    ]
    proxies = {name: "http://127.0.0.1:1" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")}
    server = arranged(rondo, [case[:2] for case in cases], env={**proxies, "SSL_CERT_FILE": ca})

    def wrong():
        """One check may miss its time on a busy machine; the next is as good."""
        lines = []
        for member, (_, keys, passes, reason, days) in zip(found(server), cases):
            is_so = member["verdict"], member["reason"], member["certificate_days_left"]
            if is_so != ("up" if passes else "down", reason, days):
                lines.append(f"{keys}: {is_so}, expected {passes}, {reason!r}, {days}")
        return lines

    until(lambda: not wrong(), lambda: "\n".join(wrong()) + "\n" + server.log(), pause=0.05)
    assert set(cases[0][0].names) == {HOST} and set(cases[6][0].names) == {"mail.example.com"}
    lines = (rf"{cases[0][0].address} .* status 200; certificate: 61 days left$",
             rf"{cases[3][0].address} .* certificate: days left: 61, fewer than 90$",
             rf"{cases[14][0].address} .* status 503; certificate: 61 days left$")
    until(lambda: all(re.search(line, table, re.M) for table in (server.ctl("pools").stdout,) for line in lines),
          lambda: "people are shown the days left\n" + server.ctl("pools").stdout)


def test_every_check_is_a_handshake_of_its_own(rondo, secure, pki):
    """The certificate of a server that got another one is found at the next check, though it would go on with the session
    that it had before."""
    backend = secure(pki.issue(HOST, days=61))
    server = arranged(rondo, [(backend, {"ca_file": str(pki.ca.path), **QUICK, "timeout": "300ms"})])
    wait_found(server, "up")
    (check,) = server.ctl_json("check", "n0.example.com", backend.address)["checks"]
    assert check["result"] == "passed" and check["sent_ms"] is None
    assert 0 < check["connected_ms"] <= check["handshake_ms"] <= check["first_byte_ms"] <= check["ended_ms"]
    expired = pki.issue(HOST, begins=-30, days=-1)
    backend.context.load_cert_chain(expired.path, expired.key)
    (member,) = wait_found(server, "down")
    assert member["reason"] == "certificate: expired less than a day ago"


# HTTP/2

NGINX = """\
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ }}
http {{
    log_format version '$server_protocol $request_uri $host'; access_log {dir}/access.log version;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
    scgi_temp_path {dir}/t5;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    server {{
        listen 127.0.0.28:{port} ssl http2;
        location / {{ return 200 "Active connections: 3\\n"; }}
        location /gone {{ return 301 /; }}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path, pki):
    program = find("nginx")
    if program is None:
        pytest.skip("no nginx here")
    certificate, port = pki.issue(HOST, days=61), free_port(["127.0.0.28"])
    (tmp_path / "conf").write_text(NGINX.format(dir=tmp_path, certificate=certificate.path, key=certificate.key, port=port))
    process = subprocess.Popen([program, "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "conf")],
                               stdin=subprocess.DEVNULL)
    try:
        until(lambda: answers(port) or process.poll() is not None, "nginx listens")
        assert process.poll() is None, (tmp_path / "error.log").read_text()
        yield Nginx(port, tmp_path / "access.log")
    finally:
        process.terminate()
        process.wait(20)


class Nginx:
    address = "127.0.0.28"

    def __init__(self, port, log):
        self.port, self.log = port, log


def answers(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.28", port)) == 0


def test_http_2(rondo, nginx, pki):
    ca = {"ca_file": str(pki.ca.path)}
    cases = [
        (nginx, {**ca, "path": "/any?x=1", "expect_body": "^Active", "load": "body",
                 "load_pattern": "^Active connections: ([0-9]+)"}),
        (nginx, {**ca, "path": "/two", "http_version": "2"}),
        (nginx, {**ca, "path": "/one", "http_version": "1.1"}),
        (nginx, {**ca, "path": "/gone", "http_version": "2"}),
        (nginx, {**ca, "path": "/body", "expect_body": "waiting"}),
    ]
    server = arranged(rondo, cases)
    members = wait_found(server, "up", "up", "up", "down", "down")
    assert members[0]["load"] == {"kind": "connections", "value": 3}
    assert [member["reason"] for member in members[3:]] == ["status 301", "status 200, but the body does not match"]
    asked = {"HTTP/2.0 /any?x=1 " + HOST, "HTTP/2.0 /two " + HOST, "HTTP/1.1 /one " + HOST}
    until(lambda: asked <= set(nginx.log.read_text().splitlines()), nginx.log.read_text)


# the file of those who are trusted


def test_a_changed_ca_file_counts_from_the_next_reload(rondo, secure, pki, tmp_path):
    backend, ca = secure(pki.issue(HOST, days=61)), tmp_path / "ca.pem"
    other = pki.issue("another issuer", days=10, issuer="self", kind="issuer")
    ca.write_text(other.text)
    server = arranged(rondo, [(backend, {"ca_file": str(ca)})])
    (member,) = wait_found(server, "down")
    assert member["reason"] == "certificate: issuer unknown"
    ca.write_text(other.text + pki.ca.text)
    assert server.reload().returncode == 0
    wait_found(server, "up")


def test_a_ca_file_that_is_none(rondo, pki):
    server = arrange(rondo, a_records("www", ["127.0.0.30"]), [{"name": "www", "probe": "web"}],
                     [{"name": "web", "type": "https", "ca_file": "ca.pem"}])
    path = server.dir / "ca.pem"
    line = 1 + server.conf_path.read_text()[:server.conf_path.read_text().index("ca_file")].count("\n")

    def refused(words):
        done = server.validate()
        told = f'rondo.conf:{line}: error: "probes.ca_file": "{path}": {words}'
        assert done.returncode == 1 and told in done.stderr.replace(str(server.dir) + "/rondo", "rondo"), done.stderr

    refused("cannot be read: No such file or directory")
    path.write_text("nothing\n")
    refused("expected certificates in PEM, found none")
    path.write_text(pki.ca.text + pki.ca.text.replace("MII", "MIX"))
    refused("certificate 2 in it is malformed")
    path.write_text(pki.ca.text)
    assert server.validate().returncode == 0


REFUSED = [
    ({"type": "http", "ca_file": "x.pem"}, 'only a probe of type "https" or "tls" has it'),
    ({"type": "tcp", "port": 1, "verify": False}, 'only a probe of type "https" or "tls" has it'),
    ({"type": "tls", "path": "/x"}, 'only a probe of type "http" or "https" has it'),
    ({"type": "https", "host": "a%62"}, "expected a host name"),
    ({"type": "https", "http_version": "3"}, 'expected "any", "1.1" or "2"'),
    ({"type": "https", "min_days_left": -1}, "expected a whole number from 0"),
]


def test_keys_that_are_refused(rondo):
    rows = [{"name": f"p{number}", **keys} for number, (keys, _) in enumerate(REFUSED)]
    server = arrange(rondo, a_records("www", ["127.0.0.30"]), [{"name": "www"}], rows)
    done = server.validate()
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    assert done.returncode == 1 and len(lines) == len(REFUSED), done.stderr
    for _, words in REFUSED:
        assert any(words in line for line in lines), words + "\n" + done.stderr

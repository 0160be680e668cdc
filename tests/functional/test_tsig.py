"""Signed questions and answers (TSIG, RFC 8945), with BIND's dig and dnspython on the other side."""

import base64
import hashlib
import hmac
import shutil
import struct
import subprocess
import time
from unittest import mock

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

from rondo import PATIENCE_SEC, make_query, rcode, tc

SECRET = base64.b64encode(bytes(range(64))).decode()
OTHER = base64.b64encode(bytes(range(1, 65))).decode()
ALGORITHMS = ["hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha256-128", "hmac-sha384", "hmac-sha384-192",
              "hmac-sha512", "hmac-sha512-256"]
QUESTION_LEN = len(make_query("www.example.com").to_wire())
ZONE = "$TTL 60\n@ SOA ns host 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n" + "".join(
    f'big TXT "{i}{"x" * 80}"\n' for i in range(5))


def keys(rows):
    return "keys = (\n" + ",\n".join(f'    {{ name = "{name}"; algorithm = "{algorithm}"; secret = "{secret}"; }}'
                                     for name, algorithm, secret in rows) + "\n);"


@pytest.fixture(scope="module")
def server(rondo_module):
    return rondo_module(zones={"example.com": ZONE}, extra=keys([(f"{a}.key.", a, SECRET) for a in ALGORITHMS]))


def signed(question, algorithm="hmac-sha256", secret=SECRET, name=None, when=None):
    """The question's bytes with a signature, and the question, which knows its MAC."""
    wire_name = "hmac-md5.sig-alg.reg.int." if algorithm == "hmac-md5" else algorithm + "."
    question.use_tsig(dns.tsig.Key(dns.name.from_text(name or f"{algorithm}.key."), secret,
                                   dns.name.from_text(wire_name)))
    with mock.patch("time.time", lambda: when or time.time_ns() / 10**9):
        return question.to_wire()


def dig(server, algorithm, *more, secret=SECRET, name=None, question=("www.example.com", "A")):
    """What dig says, who complains when the answer's signature is not good."""
    assert shutil.which("dig")
    done = subprocess.run(
        ["dig", f"@{server.address}", "-p", str(server.port), "+tries=1", "+norec", f"+time={int(PATIENCE_SEC)}", "-y",
         f"{algorithm}:{name or algorithm + '.key'}:{secret}", *more, *question],
        capture_output=True, text=True, timeout=PATIENCE_SEC * 3, check=False)
    return done.stdout + done.stderr


def assert_verified(said, status):
    assert f"status: {status}" in said, said
    assert "TSIG PSEUDOSECTION" in said and "NOERROR 0" in said, said
    assert "WARNING" not in said and "verify" not in said and "BAD" not in said, said


# what is good


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dig_verifies(server, algorithm):
    for transport in ("+notcp", "+tcp"):
        assert_verified(dig(server, algorithm, transport), "NOERROR")
        assert_verified(dig(server, algorithm, transport, question=("nothing.example.com", "A")), "NXDOMAIN")
        # A zone of somebody else's is refused with a signature.
        assert_verified(dig(server, algorithm, transport, question=("example.org", "A")), "REFUSED")
        assert_verified(dig(server, algorithm, transport, "+noedns"), "NOERROR")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_verifies(server, algorithm):
    for edns in (False, True):
        for tcp in (False, True):
            question = make_query("www.example.com", use_edns=edns)
            signed(question, algorithm)
            reply = server.send(question, tcp=tcp)
            assert reply.had_tsig and rcode(reply) == "NOERROR" and len(reply.answer) == 1
            assert reply.edns == (0 if edns else -1)


def test_case_does_not_matter(server):
    assert_verified(dig(server, "HMAC-SHA256", name="hmac-SHA256.KEY"), "NOERROR")


def test_what_is_cut_is_signed(server):
    """RFC 8945 5.3: the question, TC and the signature."""
    said = dig(server, "hmac-sha256", "+ignore", "+noedns", question=("big.example.com", "TXT"))
    assert_verified(said, "NOERROR")
    assert "flags: qr aa tc" in said and "ANSWER: 0" in said
    assert_verified(dig(server, "hmac-sha256", "+noedns", question=("big.example.com", "TXT")), "NOERROR")
    assert not tc(server.query("big.example.com", "TXT"))


def test_other_opcodes_and_types_are_signed(server):
    assert_verified(dig(server, "hmac-sha256", "+opcode=update"), "FORMERR")
    assert_verified(dig(server, "hmac-sha256", "+opcode=notify", question=("example.com", "SOA")), "REFUSED")
    question = make_query("example.com", "AXFR")
    signed(question)
    reply = server.send(question, tcp=True)
    assert reply.had_tsig and rcode(reply) == "REFUSED"


def test_counters(server):
    before = server.ctl_json("status")["answers"]
    dig(server, "hmac-sha256")
    dig(server, "hmac-sha256", secret=OTHER)
    after = server.ctl_json("status")["answers"]
    assert after["tsig_good"] == before["tsig_good"] + 1
    assert after["tsig_bad"] == before["tsig_bad"] + 1


# what is not


def test_wrong_secret(server):
    said = dig(server, "hmac-sha256", secret=OTHER)
    assert "status: NOTAUTH" in said and "BADSIG" in said, said
    question = make_query("www.example.com")
    signed(question, secret=OTHER)
    with pytest.raises(dns.tsig.PeerBadSignature):
        server.send(question)


def test_wrong_key(server):
    for algorithm, name in (("hmac-sha256", "nobody.key"), ("hmac-sha512", "hmac-sha256.key")):
        said = dig(server, algorithm, name=name)
        assert "status: NOTAUTH" in said and "BADKEY" in said, said
        question = make_query("www.example.com")
        signed(question, algorithm, name=name + ".")
        with pytest.raises(dns.tsig.PeerBadKey):
            server.send(question)


def test_what_was_wrong_is_logged(server):
    """Whose signature, by what key, and what was wrong with it; and what was asked of a zone that is not served."""
    dig(server, "hmac-sha256", name="nobody.key")
    server.wait_log(r'query from 127\.0\.0\.1 for "www\.example\.com" refused: there is no key "nobody\.key\." here')
    dig(server, "hmac-sha256", secret=OTHER)
    server.wait_log(r'refused: wrong signature, key "hmac-sha256\.key\."')
    server.exchange(signed(make_query("www.example.com"), when=int(time.time()) - 400))
    server.wait_log(r'refused: the time of the signature, key "hmac-sha256\.key\.", differs from ours by more than 300 s')
    server.send(dns.update.Update("nosuch.test"))
    server.wait_log(r'UPDATE from 127\.0\.0\.1 for "nosuch\.test" refused: no such zone is served here')


def read_tsig(wire, question_len):
    """The TSIG of an answer without other records, and the answer as it was before that. (dns.message.from_wire stops at
    the error in it.)"""
    rdata_at = question_len + len(dns.name.from_text("hmac-sha256.key.").to_wire()) + 10
    tsig = dns.rdata.from_wire(dns.rdataclass.ANY, dns.rdatatype.TSIG, wire, rdata_at, len(wire) - rdata_at)
    return tsig, wire[:10] + b"\0\0" + wire[12:question_len]


def mac_of(tsig, rest, request_mac, name):
    """HMAC-SHA256 of an answer by the text of RFC 8945 4.3."""
    times = struct.pack("!HIH", tsig.time_signed >> 32, tsig.time_signed & 0xFFFFFFFF, tsig.fudge)
    data = (struct.pack("!H", len(request_mac)) + request_mac + rest + dns.name.from_text(name).to_wire() +
            struct.pack("!HI", dns.rdataclass.ANY, 0) + tsig.algorithm.to_wire() + times +
            struct.pack("!HH", tsig.error, len(tsig.other)) + tsig.other)
    return hmac.new(base64.b64decode(SECRET), data, hashlib.sha256).digest()


def test_wrong_time(server):
    """The answer is signed, with the client's time in its place and ours beside it (RFC 8945 5.2.3)."""
    now = int(time.time())
    for when in (now - 400, now + 400, 1, 2**47):
        question = make_query("www.example.com")
        wire = signed(question, when=when)
        tsig, rest = read_tsig(server.exchange(wire), QUESTION_LEN)
        assert rest[3] & 15 == dns.rcode.NOTAUTH and tsig.error == dns.rcode.BADTIME
        assert tsig.time_signed == when and tsig.fudge == 300
        assert now <= int.from_bytes(tsig.other, "big") <= now + PATIENCE_SEC and len(tsig.other) == 6
        assert tsig.mac == mac_of(tsig, rest, question.mac, "hmac-sha256.key.")
    assert server.exchange(signed(make_query("www.example.com"), when=now - 200))[3] & 15 == dns.rcode.NOERROR


def cut_mac(wire, length):
    """The same message with its hmac-sha256 cut."""
    fixed, mac_at = len(b"\x0bhmac-sha256\x00") + 8, len(wire) - 6 - 32
    rdata_at = mac_at - 2 - fixed
    return (wire[:rdata_at - 2] + struct.pack("!H", fixed + 2 + length + 6) + wire[rdata_at:mac_at - 2] +
            struct.pack("!H", length) + wire[mac_at:mac_at + length] + wire[-6:])


def test_truncated_mac(server):
    question = make_query("www.example.com")
    wire = signed(question)
    for length in (0, 1, 9, 10, 15):
        answer = server.exchange(cut_mac(wire, length))
        assert answer[3] & 15 == dns.rcode.FORMERR and answer[10:12] == b"\0\0"
    for length in (16, 31):
        tsig, rest = read_tsig(server.exchange(cut_mac(wire, length)), QUESTION_LEN)
        assert rest[3] & 15 == dns.rcode.NOTAUTH and tsig.error == 22
        assert tsig.mac == mac_of(tsig, rest, question.mac[:length], "hmac-sha256.key.")


def test_place_of_the_tsig(server):
    wire = signed(make_query("www.example.com"))
    record = wire[QUESTION_LEN:]
    for bad in (wire[:10] + b"\0\2" + wire[12:] + record,  # twice
                wire[:10] + b"\0\2" + wire[12:] + b"\0\0\51\4\320\0\0\0\0\0\0",  # before an OPT
                wire[:6] + b"\0\1\0\0\0\0" + wire[12:],  # in the answer section
                wire + b"\0"):
        answer = server.exchange(bad)
        assert answer[3] & 15 == dns.rcode.FORMERR and answer[6:12] == bytes(6)
    server.assert_serving()


# configuration


def test_reload_replaces_keys(rondo):
    server = rondo(extra=keys([("old.key", "hmac-sha256", SECRET)]))
    assert_verified(dig(server, "hmac-sha256", name="old.key"), "NOERROR")
    server.dir.joinpath("new.key").write_text(OTHER + "\n")
    server.extra = 'keys = ( { name = "new.key."; secret_file = "new.key"; } );'
    server.write_config()
    assert server.reload().returncode == 0
    assert_verified(dig(server, "hmac-sha256", name="new.key", secret=OTHER), "NOERROR")
    assert "BADKEY" in dig(server, "hmac-sha256", name="old.key")
    # A reload that is refused leaves them in force.
    server.dir.joinpath("new.key").unlink()
    failed = server.reload()
    assert failed.returncode == 1 and "new.key" in failed.stdout + failed.stderr
    assert_verified(dig(server, "hmac-sha256", name="new.key", secret=OTHER), "NOERROR")
    server.extra = ""
    server.write_config()
    assert server.reload().returncode == 0
    assert "BADKEY" in dig(server, "hmac-sha256", name="new.key", secret=OTHER)
    for secret in (SECRET, OTHER):
        assert secret not in server.log() and secret[:12] not in server.log()


def test_errors_do_not_tell_secrets(rondo):
    bad = SECRET[:-2] + "!!"
    done = rondo.prepare(extra=keys([("a.", "hmac-sha256", bad), ("b.", "hmac-sha3", SECRET), ("c.", "hmac-sha1", SECRET),
                                     ("C", "hmac-sha1", SECRET)])).validate()
    assert done.returncode == 1
    assert "expected base64 text" in done.stderr and "hmac-sha512-256" in done.stderr
    assert 'key "C." stands twice' in done.stderr
    assert SECRET[:12] not in done.stdout + done.stderr

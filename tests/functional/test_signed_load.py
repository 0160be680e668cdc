"""Zones that others have signed: how they are loaded, what is said of them, and that they are not balanced. What is
answered out of them is another file's."""

import re

import pytest
from dns.rdatatype import NSEC3

from balancing import a_records, balance, zone
from rondo import addresses, rcode, until
from signing import CHAINS, TOOLS, Signer

WWW = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]

# A delegation without DS, and glue; empty non-terminals; wildcards; a name that sorts among the hashes.
NAMES = """\
* TXT "anything"
deep.er.and.deeper TXT x
*.wild TXT x
sub NS ns.sub
ns.sub A 192.0.2.7
signed NS ns1.example.net.
signed DS 12345 13 2 0123456789012345678901234567890123456789012345678901234567890123
\\000.odd TXT x
odd TXT x
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A 192.0.2.9
alias CNAME www
"""


def text(serial, names=40):
    return zone(a_records("www", WWW) + NAMES + "".join(f"host{n} A 192.0.2.{n + 10}\n" for n in range(names)), serial)


def row(server, name="example.com"):
    (found,) = server.ctl_json("zones", name)["zones"]
    return found


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("tool", TOOLS)
def test_signed_zones_load_without_a_word(rondo, tmp_path, tool, chain):
    """Nothing is to be warned of: the chain is there, and closed; nor after changes, when it was changed too."""
    signer = Signer(tmp_path, "example.com", tool, chain)
    kind = "nsec" if chain == "nsec" else "nsec3"
    server = rondo(zones={"example.com": signer.sign(text(1)), "plain.test": zone("")})
    done = server.validate()
    assert done.returncode == 0 and "warning:" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert row(server)["signed"] == kind and row(server, "plain.test")["signed"] == "no"
    for name, said in (("example.com", kind), ("plain.test", "no")):
        assert re.search(rf"^signed +{said}$", server.ctl("zones", name).stdout, re.MULTILINE)
    for serial, names in ((2, 60), (3, 20), (4, 21)):
        server.write_zone("example.com", signer.sign(text(serial, names)))
        done = server.reload()
        assert done.returncode == 0 and "warning:" not in done.stdout, done.stdout
        assert row(server)["serial"] == serial and row(server)["signed"] == kind


def test_signed_names_are_served_whole(rondo, tmp_path):
    """Annotated as they are: all addresses with their own TTL, and no pool; it comes and goes with the signature."""
    signer = Signer(tmp_path, "example.com", "bind", "nsec3")
    groups = [{"name": "www", "policy": "weighted", "ttl": 5}, {"below": "@", "policy": "random", "answers": 1}]
    server = rondo.prepare(zones={"example.com": signer.sign(text(1, 2))}, keys={"example.com": balance(groups)})
    warning = ('zone "example.com" is signed: its 4 annotated names ("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.com", '
               '"host0.example.com", "host1.example.com", ...) are served whole, not balanced')
    done = server.validate()
    output = done.stdout + done.stderr
    # Without ns1, which is no pool without an annotation of its own: NS records point to it.
    assert done.returncode == 0 and output.count("is signed") == 1 and warning in output, output
    server.start()
    assert "is signed" in server.log()

    def answer():
        reply = server.query("www.example.com")
        return sorted(addresses(reply)), reply.answer[0].ttl

    assert server.ctl_json("pools")["pools"] == []
    done = server.ctl("pools", "www.example.com")
    assert done.returncode == 1 and '"www.example.com" is no pool: zone "example.com" is signed' in done.stderr
    assert all(answer() == (WWW, 300) for _ in range(20))
    server.write_zone("example.com", text(2, 2))
    done = server.reload()
    assert done.returncode == 0 and "is signed" not in done.stdout
    assert row(server)["signed"] == "no"
    assert {pool["name"] for pool in server.ctl_json("pools")["pools"]} >= {"www.example.com", "host0.example.com"}
    assert answer()[1] == 5 and len(answer()[0]) == 1
    server.write_zone("example.com", signer.sign(text(3, 2)))
    done = server.reload()
    assert done.returncode == 0 and "is signed" in done.stdout
    assert row(server)["signed"] == "nsec3" and server.ctl_json("pools")["pools"] == []
    until(lambda: answer() == (WWW, 300), "the whole rrset is answered")
    mark = server.log_mark()
    assert server.reload().returncode == 0
    assert row(server)["signed"] == "nsec3"
    assert "is signed" in server.log_since(mark), "an unchanged zone is told of too"


def warnings_of(rondo, signed):
    server = rondo.prepare(zones={"example.com": signed})
    done = server.validate()
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("warning: ", 1)[1] for line in (done.stdout + done.stderr).splitlines() if "warning: " in line]


def test_signatures_that_expired(rondo, tmp_path):
    signer = Signer(tmp_path, "example.com", "ldns", "nsec", times=("20200101000000", "20200201000000"))
    said = warnings_of(rondo, signer.sign(text(1, 0)))
    assert [re.sub(r"\d+ rrsets", "N rrsets", line) for line in said] == [
        "the signature of the zone's SOA expired on 2020-02-01 00:00:00 UTC: validating resolvers fail",
        "the signature of the zone's DNSKEY expired on 2020-02-01 00:00:00 UTC: validating resolvers fail",
        'N rrsets have no signature that is valid now: the first is "example.com." NS']


@pytest.mark.parametrize("gone, said", [
    ("SOA", "the zone's SOA has no signature: validating resolvers fail"),
    ("DNSKEY", "the zone's DNSKEY has no signature: validating resolvers fail"),
    ("AAAA", None),
    ("CNAME", '1 rrset has no signature: "alias.example.com." CNAME'),
    ("DS", '1 rrset has no signature: "signed.example.com." DS')])
@pytest.mark.parametrize("chain", CHAINS)
def test_signatures_that_are_missing(rondo, tmp_path, chain, gone, said):
    lines = Signer(tmp_path, "example.com", "ldns", chain).sign(text(1, 0)).splitlines(keepends=True)
    kept = [line for line in lines if not re.search(rf"\tIN\tRRSIG\t{gone} ", line)]
    assert (len(kept) < len(lines)) == (said is not None)
    assert warnings_of(rondo, "".join(kept)) == ([said] if said else [])


def test_signatures_of_tomorrow(rondo, tmp_path):
    signer = Signer(tmp_path, "example.com", "bind", "nsec", times=("20600101000000", "20600201000000"))
    assert "the signature of the zone's SOA is not valid before 2060-01-01 00:00:00 UTC: validating resolvers fail" in \
        warnings_of(rondo, signer.sign(text(1, 0)))


@pytest.mark.parametrize("chain", ["nsec", "nsec3"])
def test_a_broken_chain(rondo, tmp_path, chain):
    signed = Signer(tmp_path, "example.com", "ldns", chain).sign(text(1, 0))
    lines = signed.splitlines(keepends=True)
    of_chain = [line for line in lines if re.search(rf"\tIN\t{chain.upper()}\t", line)]
    gone = of_chain[len(of_chain) // 2]
    (said,) = warnings_of(rondo, "".join(line for line in lines if line != gone))
    assert said.startswith(f'zone "example.com": the {chain.upper()} chain is broken in 1 place: the one at "')
    assert f'names "{gone.split()[0].lower()}" as the next' in said


def test_many_iterations(rondo, tmp_path):
    def warned(iterations):
        signer = Signer(tmp_path, "example.com", "ldns", "nsec3", iterations=iterations)
        return [re.sub(r":.*", "", said.split(": ", 1)[1]) for said in warnings_of(rondo, signer.sign(text(1, 0)))]

    assert warned(50) == []
    assert warned(51) == ["51 iterations"]
    assert warned(501) == ["more than 500 iterations"]


def test_too_many_iterations_are_not_made(rondo, tmp_path):
    """The zone is signed and served, what is missing goes without proof."""
    signer = Signer(tmp_path, "example.com", "ldns", "nsec3", iterations=501)
    server = rondo(zones={"example.com": signer.sign(text(1, 0).replace('* TXT "anything"', ""))})
    assert row(server)["signed"] == "nsec3"
    for name, expected in (("nothing", "NXDOMAIN"), ("x.host", "NXDOMAIN"), ("er.and.deeper", "NOERROR"),
                           ("odd", "NOERROR"), ("x.sub", "NOERROR"), ("x.wild", "NOERROR"), ("www", "NOERROR")):
        reply = server.query(f"{name}.example.com", "A", want_dnssec=True)
        assert rcode(reply) == expected, reply
        assert not [rrset for rrset in reply.authority if rrset.rdtype == NSEC3], reply
    server.assert_alive()

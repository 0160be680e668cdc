"""Where named, nsd and knotd all give the same answer, rondo gives it too: a few hundred questions on one zone."""

import tempfile

import dns.rdatatype
import dns.zone
import pytest

import peers
from rondo import aa, rcode, rrs, tc
from test_answers import ZONE

# nsd and knotd refuse a zone with data below a DNAME.
SAME = "".join(line + "\n" for line in ZONE.splitlines() if not line.startswith("shadow.dn"))
TYPES = ("A", "AAAA", "NS", "CNAME", "SOA", "MX", "TXT", "DS", "DNAME", "TYPE65280")


@pytest.fixture(scope="module")
def others():
    missing = [peer.program for peer in peers.ALL if not peer.installed()]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="rondo-peers-") as folder:
        started = []
        try:
            for peer in peers.ALL:
                started.append(peer(f"{folder}/{peer.program}", {"example.com": SAME}))
                started[-1].start()
            yield started
        finally:
            for peer in started:
                peer.stop()


@pytest.fixture(scope="module")
def server(rondo_module):
    return rondo_module(zones={"example.com": SAME})


def questions():
    """Every name of the zone (of the long series only some), its neighbours, and names in between."""
    zone = dns.zone.from_text(SAME, "example.com.", check_origin=False)
    names = {name.derelativize(zone.origin).to_text() for name in zone.nodes}
    names = {name for name in names if not name.startswith("c") or name.split(".")[0] in ("c0", "c12", "c20", "child")}
    names = {name for name in names if not name.startswith("ns") or "fat" not in name or name.startswith("ns1.")}
    near = {prefix + name for prefix in ("x.", "x.y.") for name in names if not name.startswith("*")}
    between = {"ent.example.com.", "b.ent.example.com.", "target.example.com.", "wild.example.com.", "*.example.com.",
               "zzz.example.com."}
    return [(name, rdtype) for name in sorted(names | near | between) for rdtype in TYPES]


def picture(message):
    """Rcode, AA, TC and the sections as sets. Additional data is each server's own choice, but for glue."""
    referral = not message.answer and any(rrset.rdtype == dns.rdatatype.NS for rrset in message.authority)
    return (rcode(message), aa(message), tc(message), rrs(message.answer), rrs(message.authority),
            rrs(message.additional) if referral else [])


def test_where_the_others_agree(server, others):
    asked = agreed = 0
    problems = []
    for name, rdtype in questions():
        asked += 1
        theirs = [picture(peer.query(name, rdtype, use_edns=0, payload=1232)) for peer in others]
        if theirs[0] == theirs[1] == theirs[2]:
            agreed += 1
            ours = picture(server.query(name, rdtype, use_edns=0, payload=1232))
            if ours != theirs[0]:
                problems.append(f"{name} {rdtype}:\n  they  {theirs[0]}\n  rondo {ours}")
    assert asked >= 300
    assert agreed >= asked * 0.6, f"the others agree on {agreed} of {asked} only: the comparison says little"
    assert not problems, f"{len(problems)} of {agreed} differ\n" + "\n".join(problems[:20])

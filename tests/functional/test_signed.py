"""Zones that somebody else signed: where named, nsd and knotd all give the same answer to a DO question, rondo gives it
too, signatures and proofs included; and delv validates each kind of answer."""

import pathlib
import random
import re
import subprocess
import tempfile

import dns.flags
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

import peers
from rondo import PATIENCE_SEC, aa, rcode, rrs, tc

TEXT = """\
$TTL 300
@        3600 IN SOA ns1 hostmaster 1 3600 900 604800 60
         IN NS    ns1
         IN MX    10 mail
         IN CDS   0 0 0 00
         IN CDNSKEY 0 3 0 AA==
ns1      IN A     192.0.2.53
mail     IN A     192.0.2.25
www      IN A     192.0.2.1
         IN A     192.0.2.2
         IN AAAA  2001:db8::1
web      IN HTTPS 1 . alpn=h2
a.b.ent  IN TXT   "deep"
z.b.ent  IN TXT   "deep"
*.wild   IN A     192.0.2.77
         IN TXT   "wild"
host.wild IN TXT  "not wild"
a.*.went IN TXT   "below a wildcard without data"
*.walias IN CNAME www
*.wgone  IN CNAME missing.ent
*.wtwice IN CNAME x.y.walias
*.wthrice IN CNAME a.wtwice
*.wcut   IN CNAME host.insecure
*.wout   IN CNAME www.other.test.
alias    IN CNAME www
lost     IN CNAME missing
tolost   IN CNAME x.wgone
incut    IN CNAME host.insecure
insecure IN NS    ns.insecure
ns.insecure IN A  198.51.100.1
secure   IN NS    ns.secure
         IN NS    ns1
         IN DS    12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.secure IN A    198.51.100.2
cut.deep.unsigned IN NS ns.example.net.
tosecure IN CNAME host.secure
dn       600 IN DNAME target
one.target IN A   192.0.2.66
*.star.target IN A 192.0.2.67
UPPER    IN TXT   "case"
"""

OTHER = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 900 604800 60\n  IN NS ns1\nns1 IN A 192.0.2.53\nwww IN A 192.0.2.9\n"

# How each zone is signed: by BIND's tool or ldns's, since each has its own mind about opt-out, order and bitmaps.
SIGNERS = {
    "nsec.test": ("dnssec-signzone", []),
    "nsec3.test": ("dnssec-signzone", ["-3", "-", "-H", "0"]),
    "optout.test": ("dnssec-signzone", ["-3", "-", "-H", "0", "-A"]),
    "salted.test": ("ldns-signzone", ["-n", "-s", "aabbccdd", "-t", "7"]),
    "nsec.ldns.test": ("ldns-signzone", []),
}
QUESTIONS_A_ZONE = 140
SEED = 4035


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SEC * 3, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sign(folder, name):
    """The signed zone's text and its DNSKEY as a trust anchor."""
    tool, options = SIGNERS[name]
    (folder / name).write_text(f"$ORIGIN {name}.\n" + TEXT)
    if tool == "dnssec-signzone":
        key = run(folder, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", name).strip()
        run(folder, tool, "-q", "-S", "-z", "-o", name, "-f", f"{name}.signed", *options, name)
    else:
        key = run(folder, "ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name).strip()
        run(folder, tool, "-f", f"{name}.signed", *options, name, key)
    record = re.search(r"DNSKEY\s+(\d+) (\d+) (\d+) (.+?)(?:\s*;.*)?$", (folder / f"{key}.key").read_text(), re.M)
    flags, protocol, algorithm, data = record.groups()
    return (folder / f"{name}.signed").read_text(), f'"{name}" static-key {flags} {protocol} {algorithm} "{data}";'


@pytest.fixture(scope="module")
def signed():
    """Zone texts by name, and a file of trust anchors for delv."""
    missing = [tool for tool in ("dnssec-signzone", "ldns-signzone", "delv") if not peers.find(tool)]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="rondo-signed-") as name:
        folder = pathlib.Path(name)
        made = {zone: sign(folder, zone) for zone in SIGNERS}
        anchors = folder / "anchors"
        anchors.write_text("trust-anchors {\n" + "\n".join(anchor for _, anchor in made.values()) + "\n};\n")
        yield {zone: text for zone, (text, _) in made.items()} | {"other.test": OTHER}, anchors


@pytest.fixture(scope="module")
def others(signed):
    missing = [peer.program for peer in peers.ALL if not peer.installed()]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="rondo-peers-") as folder:
        started = []
        try:
            for peer in peers.ALL:
                started.append(peer(f"{folder}/{peer.program}", signed[0]))
                started[-1].start()
            yield started
        finally:
            for peer in started:
                peer.stop()


@pytest.fixture(scope="module")
def server(rondo_module, signed):
    return rondo_module(zones=signed[0])


def near(name, origin):
    """Names around one of the zone: below it, before and behind it in the order of names, wildcards below."""
    text = name.to_text()
    yield text
    yield from ("x." + text, "x.y." + text, "*." + text)
    if name != origin:
        first, rest = text.split(".", 1)
        yield from (f"{first}0.{rest}", f"{first[:-1] or 'm'}.{rest}", f"zz.{rest}", rest)


def questions(text, zone):
    """A choice, the same in every run, of names of the zone and their neighbours with a type each."""
    origin = dns.name.from_text(zone)
    parsed = dns.zone.from_text(text, origin, relativize=False)
    # Owners of NSEC3 are no names (RFC 5155 7.2.8); nsd takes them for closest enclosers. One of them will do.
    hashed = [name for name, node in parsed.nodes.items() if node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.NSEC3)]
    named = [name for name in parsed.nodes if name not in hashed] + hashed[:1]
    names = sorted({near_name for name in named for near_name in near(name, origin)} - {origin.parent().to_text()})
    every = [(name, rdtype) for name in names for rdtype in ("A", "DS", "MX", "NS", "TXT", "NSEC", "CNAME")]
    always = [(zone + ".", rdtype) for rdtype in ("SOA", "NS", "DNSKEY", "CDS", "CDNSKEY", "NSEC3PARAM", "DS", "AAAA")]
    always += [(f"{name}.{zone}.", "A") for name in (
        "www", "nope", "x.wild", "x.host.wild", "x.walias", "x.wgone", "x.wtwice", "x.wthrice", "x.wcut", "x.wout",
        "x.went", "tolost", "ent", "b.ent", "m.b.ent", "insecure", "x.secure", "x.cut.deep.unsigned", "deep.unsigned",
        "x.deep.unsigned", "one.dn", "x.dn", "x.star.dn", "tosecure", "incut")]
    always += [(f"{name}.{zone}.", "DS") for name in ("insecure", "secure", "cut.deep.unsigned", "x.insecure", "www")]
    return always + random.Random(SEED).sample(every, QUESTIONS_A_ZONE - len(always))


def picture(message):
    """Rcode, AA, TC and the sections as sets. Additional data is each server's own choice."""
    return rcode(message), aa(message), tc(message), rrs(message.answer), rrs(message.authority)


@pytest.mark.parametrize("zone", SIGNERS)
def test_where_the_others_agree(server, others, signed, zone):
    asked = agreed = 0
    problems = []
    for name, rdtype in questions(signed[0][zone], zone):
        asked += 1
        theirs = [picture(peer.query(name, rdtype, want_dnssec=True, payload=1232)) for peer in others]
        if theirs[0] == theirs[1] == theirs[2]:
            agreed += 1
            ours = picture(server.query(name, rdtype, want_dnssec=True, payload=1232))
            if ours != theirs[0]:
                problems.append(f"{name} {rdtype}:\n  they  {theirs[0]}\n  rondo {ours}")
    assert agreed >= asked * 0.8, f"the others agree on {agreed} of {asked} only: the comparison says little"
    assert not problems, f"{len(problems)} of {agreed} differ\n" + "\n".join(problems[:20])


@pytest.mark.parametrize("zone", ["nsec.test", "optout.test"])
def test_nothing_of_it_without_do(server, signed, zone):
    for name, rdtype in questions(signed[0][zone], zone):
        reply = server.query(name, rdtype, use_edns=0, payload=1232)
        types = {rrset.rdtype for section in (reply.answer, reply.authority, reply.additional) for rrset in section}
        mine = {dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3, dns.rdatatype.DS}
        assert types & mine <= {dns.rdatatype.from_text(rdtype)}, f"{name} {rdtype}:\n{reply}"


# Kinds of answers, each with what delv may call it; what does not validate is neither. In a zone with opt-out, the
# proof that a name does not exist leaves room for a delegation without DS: an answer that rests on it may be unsigned.
ALWAYS = {"fully validated"}
OPT_OUT = ALWAYS | {"unsigned answer"}
KINDS = [
    ("@", "SOA", ALWAYS),
    ("@", "DNSKEY", ALWAYS),
    ("@", "CDS", ALWAYS),
    ("WwW", "AAAA", ALWAYS),
    ("www", "MX", ALWAYS),  # NODATA
    ("www", "DS", ALWAYS),
    ("b.ent", "A", ALWAYS),  # NODATA of an empty non-terminal
    ("nope", "A", OPT_OUT),  # NXDOMAIN
    ("a.nope.www", "A", OPT_OUT),
    ("x.host.wild", "A", OPT_OUT),
    ("x.y.wild", "TXT", OPT_OUT),  # a wildcard's answer
    ("x.wild", "MX", OPT_OUT),  # and its NODATA
    ("alias", "A", ALWAYS),
    ("x.wthrice", "A", OPT_OUT),
    ("one.dn", "A", ALWAYS),
    ("secure", "DS", ALWAYS),
    ("insecure", "DS", OPT_OUT),
]


@pytest.mark.parametrize("zone", SIGNERS)
def test_delv_validates(server, signed, zone):
    for name, rdtype, trust in KINDS:
        owner = f"{zone}." if name == "@" else f"{name}.{zone}."
        done = subprocess.run(["delv", "-a", signed[1], f"+root={zone}", "@127.0.0.1", "-p", str(server.port), owner,
                               rdtype], capture_output=True, text=True, timeout=PATIENCE_SEC, check=False)
        said = re.findall(r"^; (?:negative response, )?([a-z ]+)$", done.stdout, re.M)
        want = trust if zone == "optout.test" else ALWAYS
        assert said and set(said) <= want, f"{owner} {rdtype}: {want}?\n{done.stdout}{done.stderr}"


def test_annotated_names_are_served_whole(rondo, signed):
    """Members left out, or another TTL, and nobody could validate: balancing a signed name is refused, loudly."""
    server = rondo(zones={"nsec.test": signed[0]["nsec.test"]}, keys={
        "nsec.test": 'balance = ( { name = "www"; policy = "weighted"; answers = 1; ttl = 20; } );'})
    for do in (False, True):
        reply = server.query("www.nsec.test", "A", want_dnssec=do)
        plain = [line for line in rrs(reply.answer) if " RRSIG " not in line]
        assert plain == ["www.nsec.test. 300 A 192.0.2.1", "www.nsec.test. 300 A 192.0.2.2"]
        assert len(rrs(reply.answer)) == len(plain) + do
    server.wait_log(r'warning: .*"nsec.test" is signed')

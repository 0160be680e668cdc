"""What a resolver gets to hear: one server with a zone that has a bit of everything, asked over UDP and TCP."""

import collections

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import dns.rrset
import pytest

from rondo import aa, addresses, frame, has_ipv6, make_query, rcode, read_frame, rrs, tc

LONG = ".".join(["t" * 60] * 3)  # as a DNAME target, leaves little room in 255 octets

ZONE = f"""\
$ORIGIN example.com.
$TTL 300
@        3600 IN SOA ns1 hostmaster 2026010101 3600 900 604800 60
         IN NS    ns1
         IN NS    ns2
         IN MX    10 mail
         IN TXT   "apex"
ns1      IN A     192.0.2.53
         IN AAAA  2001:db8::53
ns2      IN A     192.0.2.54
mail     IN A     192.0.2.25
www      IN A     192.0.2.1
         IN A     192.0.2.2
         IN A     192.0.2.3
         IN AAAA  2001:db8::1
         IN AAAA  2001:db8::2
one      120 IN A 192.0.2.9

alias    IN CNAME www
outside  IN CNAME www.example.net.
lost     IN CNAME missing
first    IN CNAME second
second   IN CNAME third
third    IN CNAME one
loop1    IN CNAME loop2
loop2    IN CNAME loop1
incut    IN CNAME host.child

*.wild   IN A     192.0.2.77
         IN TXT   "wild"
host.wild IN TXT  "not wild"
*.wildc  IN CNAME www
a.b.ent  IN TXT   "deep"

dn       600 IN DNAME target
one.target IN A   192.0.2.66
shadow.dn IN A    192.0.2.99
dnlong   IN DNAME {LONG}

child    IN NS    ns.child
         IN NS    ns.example.net.
         IN DS    12345 13 2 {"AB" * 32}
ns.child IN A     198.51.100.1
         IN AAAA  2001:db8:1::1
host.child IN A   198.51.100.2
nods     IN NS    ns1

big      IN TXT   {" ".join('"' + chr(97 + i) * 200 + '"' for i in range(10))}
many     IN A     198.51.100.1
""" + "".join(f"         IN A     198.51.100.{i}\n" for i in range(2, 61)) + "".join(
    f"fat      IN NS    ns{i}.fat\nns{i}.fat  IN A     203.0.113.{i}\nns{i}.fat  IN AAAA  2001:db8:2::{i:x}\n"
    for i in range(1, 13)
) + "".join(f"c{i}       IN CNAME c{i + 1}\n" for i in range(20)) + "c20      IN A     192.0.2.20\n"

CHILD_AND_PARENT = {
    "example.com": ZONE,
    "sub.example.org": """\
$TTL 300
@    IN SOA ns1 hostmaster 1 3600 900 604800 30
     IN NS  ns1
ns1  IN A   198.51.100.53
www  IN A   198.51.100.80
back IN CNAME www.example.org.
""",
    "example.org": """\
$TTL 300
@    IN SOA ns1 hostmaster 1 3600 900 604800 60
     IN NS  ns1
ns1  IN A   192.0.2.53
www  IN A   192.0.2.80
sub  IN NS  ns1.sub
     IN DS  4711 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns1.sub IN A 198.51.100.53
hidden.sub IN A 198.51.100.99
*.sub IN TXT "occluded"
far  IN CNAME www.sub
""",
}

SOA = "example.com. 60 SOA ns1.example.com. hostmaster.example.com. 2026010101 3600 900 604800 60"
WWW = [f"www.example.com. 300 A 192.0.2.{i}" for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def server(rondo_module):
    listen = ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",)
    return rondo_module(zones=CHILD_AND_PARENT, listen=listen)


def ask(server, name, rdtype="A", under="example.com", **kwargs):
    """Asks for a name relative to the zone, over both transports."""
    return server.both(f"{name}.{under}." if name != "@" else f"{under}.", rdtype, **kwargs)


def assert_nodata(reply, soa=SOA):
    assert (rcode(reply), aa(reply), rrs(reply.answer), rrs(reply.authority)) == ("NOERROR", True, [], [soa])


def assert_nxdomain(reply, soa=SOA):
    assert (rcode(reply), aa(reply), rrs(reply.answer), rrs(reply.authority)) == ("NXDOMAIN", True, [], [soa])


# ---- exact matches


@pytest.mark.parametrize("name,rdtype,want", [
    ("one", "A", ["one.example.com. 120 A 192.0.2.9"]),
    ("www", "A", WWW),
    ("www", "AAAA", [f"www.example.com. 300 AAAA 2001:db8::{i}" for i in (1, 2)]),
    ("@", "MX", ["example.com. 300 MX 10 mail.example.com."]),
    ("@", "NS", [f"example.com. 300 NS ns{i}.example.com." for i in (1, 2)]),
    ("@", "TXT", ['example.com. 300 TXT "apex"']),
    ("a.b.ent", "TXT", ['a.b.ent.example.com. 300 TXT "deep"']),
    ("*.wild", "A", ["*.wild.example.com. 300 A 192.0.2.77"]),
    ("dn", "DNAME", ["dn.example.com. 600 DNAME target.example.com."]),
    ("alias", "CNAME", ["alias.example.com. 300 CNAME www.example.com."]),
])
def test_positive(server, name, rdtype, want):
    reply = ask(server, name, rdtype)
    assert (rcode(reply), aa(reply), rrs(reply.answer)) == ("NOERROR", True, sorted(want))
    assert rrs(reply.authority) == []  # minimal answers


def test_soa_has_its_own_ttl(server):
    reply = ask(server, "@", "SOA")
    assert rrs(reply.answer) == [SOA.replace(" 60 SOA", " 3600 SOA")]


def test_flags(server):
    request = make_query("one.example.com.", "A", recurse=True)
    reply = server.send(request)
    assert reply.flags & dns.flags.QR
    assert reply.flags & dns.flags.RD, "RD is copied"
    assert not reply.flags & dns.flags.RA, "no recursion here"
    assert not reply.flags & dns.flags.AD


def test_question_is_echoed_with_its_case(server):
    reply = ask(server, "wWw.eXaMpLe", "A", under="cOm")
    assert reply.question[0].name.to_text() == "wWw.eXaMpLe.cOm."
    assert rrs(reply.answer) == WWW
    assert reply.answer[0].name.to_text() == "wWw.eXaMpLe.cOm."


# ---- nothing there


@pytest.mark.parametrize("name", ["missing", "x.www", "deep.below.missing", "x.host.wild", "b.a.b.ent", "x.alias"])
@pytest.mark.parametrize("rdtype", ["A", "SOA", "TXT", "NS"])
def test_nxdomain(server, name, rdtype):
    assert_nxdomain(ask(server, name, rdtype))


@pytest.mark.parametrize("name,rdtype", [
    ("one", "AAAA"), ("one", "SOA"), ("@", "A"), ("ent", "A"), ("b.ent", "TXT"), ("wild", "A"), ("host.wild", "A"),
    ("x.wild", "MX"),
    ("target", "A"), ("dn", "A"), ("@", "DS"), ("one", "TYPE65280"), ("alias", "NSEC"), ("alias", "RRSIG"),
])
def test_nodata(server, name, rdtype):
    assert_nodata(ask(server, name, rdtype))


@pytest.mark.parametrize("name",
                         ["example.net.", "com.", ".", "www.example.net.", "xexample.com.", "example.com.example.net."])
def test_outside_our_zones_is_refused(server, name):
    for tcp in (False, True):
        reply = server.query(name, "A", tcp=tcp, use_edns=0)
        assert (rcode(reply), aa(reply), reply.edns) == ("REFUSED", False, 0)
        assert not reply.answer and not reply.authority and not reply.additional


# ---- wildcards


@pytest.mark.parametrize("name", ["x.wild", "x.y.wild", "*.x.wild", "deep.er.and.deeper.wild"])
def test_wildcard(server, name):
    assert rrs(ask(server, name, "A").answer) == [f"{name}.example.com. 300 A 192.0.2.77"]
    assert rrs(ask(server, name, "TXT").answer) == [f'{name}.example.com. 300 TXT "wild"']


def test_wildcard_cname(server):
    assert rrs(ask(server, "x.wildc", "A").answer) == sorted(["x.wildc.example.com. 300 CNAME www.example.com.", *WWW])
    # Asked for as such it is the answer, not followed.
    assert rrs(ask(server, "x.wildc", "CNAME").answer) == ["x.wildc.example.com. 300 CNAME www.example.com."]


# ---- CNAME


def test_cname_is_followed(server):
    reply = ask(server, "alias", "A")
    assert (rcode(reply), aa(reply)) == ("NOERROR", True)
    assert rrs(reply.answer) == sorted(["alias.example.com. 300 CNAME www.example.com.", *WWW])


def test_cname_chain_in_order(server):
    reply = ask(server, "first", "A")
    owners = [rrset.name.to_text().split(".")[0] for rrset in reply.answer]
    assert owners == ["first", "second", "third", "one"]
    assert addresses(reply) == ["192.0.2.9"]


def test_cname_then_nodata(server):
    reply = ask(server, "alias", "MX")
    assert (rcode(reply), rrs(reply.authority)) == ("NOERROR", [SOA])
    assert rrs(reply.answer) == ["alias.example.com. 300 CNAME www.example.com."]


def test_cname_to_missing_name(server):
    reply = ask(server, "lost", "A")
    assert (rcode(reply), aa(reply), rrs(reply.authority)) == ("NXDOMAIN", True, [SOA])
    assert rrs(reply.answer) == ["lost.example.com. 300 CNAME missing.example.com."]


def test_cname_out_of_our_zones(server):
    reply = ask(server, "outside", "A")
    assert (rcode(reply), aa(reply)) == ("NOERROR", True)
    assert rrs(reply.answer) == ["outside.example.com. 300 CNAME www.example.net."]


def test_cname_into_a_delegation(server):
    reply = ask(server, "incut", "A")
    assert (rcode(reply), aa(reply)) == ("NOERROR", True)
    assert rrs(reply.answer) == ["incut.example.com. 300 CNAME host.child.example.com."]
    assert rrs(reply.authority) == [f"child.example.com. 300 NS {ns}"
                                    for ns in ("ns.child.example.com.", "ns.example.net.")]


def test_cname_loop_ends(server):
    reply = ask(server, "loop1", "A")
    assert rcode(reply) == "NOERROR"
    assert rrs(reply.answer) == ["loop1.example.com. 300 CNAME loop2.example.com.",
                                 "loop2.example.com. 300 CNAME loop1.example.com."]


def test_cname_chain_limit(server):
    assert addresses(ask(server, "c8", "A")) == ["192.0.2.20"]  # 12 links
    reply = ask(server, "c0", "A")  # 20 links: the first 16
    assert rcode(reply) == "NOERROR"
    assert [rrset.name.to_text().split(".")[0] for rrset in reply.answer] == [f"c{i}" for i in range(16)]


# ---- DNAME


def test_dname_synthesises(server):
    reply = ask(server, "one.dn", "A")
    assert (rcode(reply), aa(reply)) == ("NOERROR", True)
    assert rrs(reply.answer) == sorted([
        "dn.example.com. 600 DNAME target.example.com.",
        "one.dn.example.com. 600 CNAME one.target.example.com.",
        "one.target.example.com. 300 A 192.0.2.66",
    ])
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.answer] == ["DNAME", "CNAME", "A"]


def test_dname_to_missing_name(server):
    reply = ask(server, "nobody.dn", "A")
    assert (rcode(reply), rrs(reply.authority)) == ("NXDOMAIN", [SOA])
    assert len(reply.answer) == 2


def test_cname_asked_below_a_dname(server):
    assert rrs(ask(server, "one.dn", "CNAME").answer) == [
        "dn.example.com. 600 DNAME target.example.com.", "one.dn.example.com. 600 CNAME one.target.example.com."]


def test_names_below_a_dname_are_occluded(server):
    reply = ask(server, "shadow.dn", "A")
    assert rcode(reply) == "NXDOMAIN"
    assert "192.0.2.99" not in addresses(reply)


def test_dname_target_too_long(server):
    reply = ask(server, "x" * 63, "A", under="dnlong.example.com")
    assert rcode(reply) == "YXDOMAIN"
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.answer] == ["DNAME"]


# ---- delegations


@pytest.mark.parametrize("name,rdtype", [
    ("child", "A"), ("child", "NS"), ("child", "ANY"), ("host.child", "A"), ("x.y.child", "TXT"), ("ns.child", "A"),
    ("host.child", "DS"),
])
def test_referral(server, name, rdtype):
    reply = ask(server, name, rdtype)
    assert (rcode(reply), aa(reply), rrs(reply.answer)) == ("NOERROR", False, [])
    assert rrs(reply.authority) == [f"child.example.com. 300 NS {ns}"
                                    for ns in ("ns.child.example.com.", "ns.example.net.")]
    assert rrs(reply.additional) == ["ns.child.example.com. 300 A 198.51.100.1",
                                     "ns.child.example.com. 300 AAAA 2001:db8:1::1"]


def test_ds_at_the_cut_is_the_parents(server):
    reply = ask(server, "child", "DS")
    assert (rcode(reply), aa(reply), rrs(reply.authority)) == ("NOERROR", True, [])
    assert len(reply.answer) == 1 and reply.answer[0].rdtype == dns.rdatatype.DS
    assert_nodata(ask(server, "nods", "DS"))


def test_glue_that_does_not_fit_sets_tc(server):
    reply = server.query("x.fat.example.com.", "A")
    assert tc(reply), "12 in-domain servers with two addresses each do not fit into 512 octets (RFC 9471)"
    whole = server.query("x.fat.example.com.", "A", tcp=True)
    assert not tc(whole)
    assert len(rrs(whole.authority)) == 12 and len(rrs(whole.additional)) == 24


def test_parent_and_child_on_one_server(server):
    child_soa = "sub.example.org. 30 SOA ns1.sub.example.org. hostmaster.sub.example.org. 1 3600 900 604800 30"
    reply = ask(server, "www.sub", under="example.org")
    assert (aa(reply), addresses(reply)) == (True, ["198.51.100.80"])
    assert_nxdomain(ask(server, "hidden.sub", under="example.org"), child_soa)
    assert_nxdomain(ask(server, "x.sub", "TXT", under="example.org"), child_soa)
    reply = ask(server, "sub", "NS", under="example.org")
    assert (aa(reply), len(reply.answer)) == (True, 1)
    reply = ask(server, "sub", "DS", under="example.org")
    assert (aa(reply), rcode(reply)) == (True, "NOERROR")
    assert reply.answer and reply.answer[0].name.to_text() == "sub.example.org."


def test_chains_cross_our_zones(server):
    assert addresses(ask(server, "far", under="example.org")) == ["198.51.100.80"]
    assert addresses(ask(server, "back.sub", under="example.org")) == ["192.0.2.80"]


# ---- ANY


def test_any_is_one_rrset(server):
    for name in ("www", "@", "x.wild"):
        reply = ask(server, name, "ANY")
        assert (rcode(reply), aa(reply)) == ("NOERROR", True)
        assert len(reply.answer) == 1, "RFC 8482: one rrset, not all"
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in ask(server, "alias", "ANY").answer] == ["CNAME"]
    assert_nxdomain(ask(server, "missing", "ANY"))
    assert_nodata(ask(server, "ent", "ANY"))


# ---- EDNS, size


def test_edns_only_when_asked(server):
    assert server.query("one.example.com.").edns == -1
    for name in ("one", "missing", "child"):
        reply = ask(server, name, use_edns=0, payload=1232)
        assert (reply.edns, reply.payload) == (0, 1232)


def test_do_bit_is_copied(server):
    assert ask(server, "one", want_dnssec=True).ednsflags & dns.flags.DO
    assert not ask(server, "one", use_edns=0).ednsflags & dns.flags.DO


def test_unknown_edns_option_is_ignored(server):
    reply = ask(server, "one", use_edns=0, options=[dns.edns.GenericOption(65001, b"hello")])
    assert addresses(reply) == ["192.0.2.9"]
    assert not [option for option in reply.options if option.otype == 65001]


def test_badvers(server):
    wire = bytearray(make_query("one.example.com.", use_edns=0).to_wire())
    wire[-5] = 1  # the OPT's version
    reply = dns.message.from_wire(server.exchange(bytes(wire)))
    assert (rcode(reply), reply.edns) == ("BADVERS", 0)
    assert not reply.answer


@pytest.mark.parametrize("payload", [None, 512, 100, 1232, 4096])
def test_big_answer_is_truncated_over_udp(server, payload):
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    wire = server.exchange(make_query("big.example.com.", "TXT", **edns).to_wire())
    assert len(wire) <= (1232 if payload and payload >= 1232 else 512)
    reply = dns.message.from_wire(wire)
    assert tc(reply)
    assert not reply.answer, "no partial rrset"
    whole = server.query("big.example.com.", "TXT", tcp=True, **edns)
    assert not tc(whole)
    assert sum(len(string) for string in whole.answer[0][0].strings) == 2000


def test_payload_decides(server):
    """60 addresses are about 990 octets: too much for 512, not for 1232."""
    assert tc(server.query("many.example.com."))
    reply = server.query("many.example.com.", use_edns=0, payload=1232)
    assert not tc(reply)
    assert len(addresses(reply)) == 60
    assert len(addresses(server.query("many.example.com.", tcp=True))) == 60


def test_udp_payload_is_configurable(rondo):
    server = rondo(zones={"example.com": ZONE}, server="udp_payload = 4096;")
    reply = server.query("big.example.com.", "TXT", use_edns=0, payload=4096)
    assert not tc(reply) and reply.payload == 4096
    assert tc(server.query("big.example.com.", "TXT", use_edns=0, payload=1232))


# ---- messages that are no plain question


def test_two_questions(server):
    request = make_query("one.example.com.")
    wire = bytearray(request.to_wire())
    wire += wire[12:]
    wire[5] = 2
    reply = server.exchange(bytes(wire))
    assert reply is not None and reply[3] & 15 == 1, "FORMERR (RFC 9619)"


def test_opt_with_an_owner(server):
    wire = bytearray(make_query("one.example.com.", use_edns=0).to_wire())
    at = len(wire) - 11
    wire[at:at + 1] = b"\x01x\x00"
    assert server.exchange(bytes(wire))[3] & 15 == 1


def test_two_opts(server):
    wire = bytearray(make_query("one.example.com.", use_edns=0).to_wire())
    wire += wire[-11:]
    wire[11] = 2
    assert server.exchange(bytes(wire))[3] & 15 == 1


@pytest.mark.parametrize("opcode", [1, 2, 3, 6, 9, 15])
def test_unknown_opcode(server, opcode):
    request = make_query("one.example.com.", use_edns=0)
    wire = bytearray(request.to_wire())
    wire[2] = opcode << 3
    reply = server.exchange(bytes(wire))
    assert (reply[2] >> 3, reply[3] & 15) == (0x10 | opcode, 4), "NOTIMP, the opcode copied"
    assert reply[11] == 1, "an OPT answers an OPT"


@pytest.mark.parametrize("opcode", [dns.opcode.UPDATE, dns.opcode.NOTIFY])
def test_update_and_notify_change_nothing(server, opcode):
    request = make_query("example.com.", "SOA")
    request.set_opcode(opcode)
    assert server.exchange(request.to_wire())[3] & 15 in (4, 5, 9), "NOTIMP, REFUSED or NOTAUTH, but an answer"


@pytest.mark.parametrize("rdtype", ["AXFR", "IXFR"])
def test_transfers_are_refused(server, rdtype):
    request = make_query("example.com.", rdtype)
    if rdtype == "IXFR":  # RFC 1995 3: from which serial; without it the request is malformed
        request.authority.append(dns.rrset.from_text("example.com.", 0, "IN", "SOA", ". . 1 0 0 0 0"))
    with server.tcp_socket() as sock:
        sock.sendall(frame(request.to_wire()))
        reply = dns.message.from_wire(read_frame(sock), xfr=True)
    assert rcode(reply) == "REFUSED" and not reply.answer


def test_other_class_is_refused(server):
    request = dns.message.make_query("version.bind.", "TXT", rdclass="CH")
    assert rcode(server.send(request)) == "REFUSED"
    request = dns.message.make_query("one.example.com.", "A", rdclass="CH")
    assert rcode(server.send(request)) == "REFUSED"


def test_responses_are_never_answered(server):
    request = make_query("one.example.com.")
    request.flags |= dns.flags.QR
    assert server.exchange(request.to_wire(), timeout=0.3) is None
    server.assert_alive()


# ---- rotation


def test_rotation_is_fair(server):
    """Every address stands first about equally often, and an answer is one of the rotations."""
    rounds = 600
    firsts = collections.Counter()
    orders = set()
    for _ in range(rounds):
        reply = addresses(server.query("www.example.com."))
        assert sorted(reply) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        firsts[reply[0]] += 1
        orders.add(tuple(reply))
    assert len(orders) == 3, orders
    # The start is drawn anew each time: 200 ± 11.5, so six standard deviations.
    assert all(130 <= firsts[address] <= 270 for address in firsts), firsts


def test_rotation_reaches_large_rrsets_and_aliases(server):
    firsts = {addresses(server.query("alias.example.com."))[0] for _ in range(60)}
    assert len(firsts) == 3
    firsts = {addresses(server.query("many.example.com.", use_edns=0))[0] for _ in range(100)}
    assert len(firsts) > 20


# ---- addresses to listen on


def test_ipv6(server):
    if not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    for tcp in (False, True):
        assert rrs(server.query("www.example.com.", address="::1", tcp=tcp).answer) == WWW


def test_two_workers_two_addresses_same_answers(rondo):
    server = rondo(zones={"example.com": ZONE}, listen=("127.0.0.1", "127.0.0.2"), server="workers = 2;")
    for address in ("127.0.0.1", "127.0.0.2"):
        for _ in range(20):  # new source ports, so both workers are met
            assert rrs(server.query("www.example.com.", address=address).answer) == WWW
        assert rrs(server.query("www.example.com.", address=address, tcp=True).answer) == WWW


# ---- a zone that cannot be served


def test_broken_zone_stops_no_other(rondo):
    server = rondo(zones={"example.com": ZONE, "broken.test": "@ IN SOA this is no zone\n"}, wait=["example.com"])
    for tcp in (False, True):
        reply = server.query("www.broken.test.", tcp=tcp)
        assert (rcode(reply), aa(reply)) == ("SERVFAIL", False)
        assert rrs(server.query("www.example.com.", tcp=tcp).answer) == WWW
    assert "broken.test.zone:1" in server.log()

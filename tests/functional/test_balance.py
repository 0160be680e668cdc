"""What balanced names answer: policies and their shares, tiers, all_down, TTLs, and what is left alone. Health has its
own file; where members must be up or down here, they are by backends that live or don't."""

import collections
import itertools
import re

import dns.message
import pytest

from backends import status
from balancing import (Asker, a_records, arrange, asked, balance, balanced, http, literal, members, pool, seen, soa_ttl,
                       tcp, ttls, wait_seen, zone)
from rondo import DEFAULT_ZONE, addresses, frame, has_ipv6, make_query, rcode, read_frame, rrs, until

THREE = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
FOUR = THREE + ["192.0.2.4"]
SIX = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]


def weighted(weights):
    return [{"address": address, "weight": weight} for address, weight in weights.items()]


# Pools without probes, which change nothing: one server for all of them.
RECORDS = (
    a_records("rr", FOUR) + a_records("rr", SIX) + a_records("two", FOUR) + a_records("w41", THREE[:2])
    + a_records("w", FOUR) + a_records("wk", FOUR) + a_records("rnd", THREE) + a_records("drain", THREE)
    + a_records("drained", THREE)
    + a_records("others", THREE) + a_records("named", THREE) + a_records("tiers", THREE)
    + a_records("lonely", THREE[:1]) + a_records("asleep", THREE[:2]) + a_records("plain", FOUR) + "plain 77 TXT left\n"
    + a_records("mixed", THREE) + "mixed TXT untouched\nmixed MX 10 rr\nmixed 33 CAA 0 issue \"ca.example\"\n"
    + "short 7 A 192.0.2.1\nshort 7 A 192.0.2.2\n" + a_records("ttl", THREE) + a_records("default", THREE)
    + a_records("apps", THREE) + a_records("one.apps", THREE) + a_records("two.apps", THREE)
    + a_records("deep.one.apps", THREE) + a_records("deep", THREE) + a_records("in.deep", THREE)
    + a_records("x.in.deep", THREE) + a_records("@", THREE)
    + a_records("*.wild", THREE) + "text.wild TXT here\n" + "alias CNAME w41\n"
    + "_balance.plain TXT \"policy=hash answers=1\"\n"
    + a_records("x._balance", THREE) + "cut.apps NS ns.cut.apps\n" + a_records("ns.cut.apps", THREE)
    + a_records("many", [f"192.0.2.{i}" for i in range(1, 41)])
    + a_records("all", [f"192.0.2.{i}" for i in range(1, 41)])
    + a_records("big", [f"198.51.{i // 250}.{i % 250}" for i in range(1024)])
)
GROUPS = [
    {"name": "rr"},
    {"name": "two", "answers": 2},
    {"name": "w41", "policy": "weighted", "members": weighted({"192.0.2.1": 4, "192.0.2.2": 1})},
    {"name": "w", "policy": "weighted",
     "members": weighted({"192.0.2.1": 40, "192.0.2.2": 10, "192.0.2.3": 10, "192.0.2.4": 30})},
    {"name": "wk", "policy": "weighted", "answers": 2,
     "members": weighted({"192.0.2.1": 5, "192.0.2.2": 1, "192.0.2.3": 1, "192.0.2.4": 1})},
    {"name": "rnd", "policy": "random", "members": weighted({"192.0.2.1": 4, "192.0.2.2": 1, "192.0.2.3": 1})},
    {"name": "drain", "members": weighted({"192.0.2.2": 0})},
    {"name": "drained", "members": weighted({"192.0.2.1": 0, "192.0.2.2": 0, "192.0.2.3": 0})},
    {"name": "others", "policy": "weighted", "members": weighted({"192.0.2.1": 3})},
    {"name": "named", "others": "ignore", "members": weighted({"192.0.2.1": 1, "192.0.2.3": 1})},
    {"name": "tiers", "members": [{"address": "192.0.2.1", "tier": 2}, {"address": "192.0.2.3", "tier": 3}]},
    {"name": "lonely"},
    {"name": "asleep", "members": weighted({"192.0.2.3": 1})},
    {"name": "mixed"},
    {"name": "short", "ttl": "1h"},
    {"name": "ttl", "ttl": "45s"},
    {"name": "default"},
    {"below": "apps", "policy": "weighted", "ttl": 11},
    {"name": "two.apps", "answers": 2},
    {"below": "deep", "ttl": 12},
    {"below": "in.deep", "ttl": 13},
    {"name": "@", "ttl": 14, "answers": 1},
    {"name": "*.wild", "ttl": 15, "answers": 1},
    {"name": "many"},
    {"name": "all", "answers": "all", "policy": "weighted"},
    {"name": "big", "policy": "hash"},
]


@pytest.fixture(scope="module")
def server(rondo_module):
    return balanced(rondo_module, RECORDS, GROUPS)


# ---- policies


@pytest.mark.parametrize("rdtype,expected", [("A", FOUR), ("AAAA", SIX)])
def test_round_robin_rotates_over_all_members(server, rdtype, expected):
    with Asker(server, "rr.example.com", rdtype) as asker:
        answers = asker.many(len(expected) * 3)
    for found in answers:
        assert sorted(found) == sorted(expected)
    firsts = [found[0] for found in answers]
    n = len(expected)
    assert set(firsts[:n]) == set(expected)
    assert firsts[:n] == firsts[n:2 * n] == firsts[2 * n:]
    turns = {tuple(found) for found in answers}
    assert len(turns) == n  # the rotations, nothing else
    turn = answers[0]
    assert turns == {tuple(turn[i:] + turn[:i]) for i in range(n)}


def test_fewer_answers_than_members(server):
    answers = asked(server, "two.example.com", 400)
    assert {len(set(found)) for found in answers} == {2}
    assert len({frozenset(found) for found in answers}) <= 4  # at most n answer sets for n members
    assert collections.Counter(found[0] for found in answers) == dict.fromkeys(FOUR, 100)
    assert collections.Counter(itertools.chain(*answers)) == dict.fromkeys(FOUR, 200)


def test_weighted_four_to_one_is_exact(server):
    with Asker(server, "w41.example.com") as asker:
        assert asker.firsts(5000) == {"192.0.2.1": 4000, "192.0.2.2": 1000}
        answers = asker.many(5)
    assert all(len(found) == 1 for found in answers)
    # Never two of the lesser member's within five, whatever the window.
    firsts = [found[0] for found in asked(server, "w41.example.com", 100)]
    for i in range(95):
        assert firsts[i:i + 5].count("192.0.2.2") == 1


def test_weights_are_spread_smoothly(server):
    """At any moment less than two answers from the ideal (DESIGN: over any window)."""
    share = {"192.0.2.1": 4 / 9, "192.0.2.2": 1 / 9, "192.0.2.3": 1 / 9, "192.0.2.4": 3 / 9}
    firsts = [found[0] for found in asked(server, "w.example.com", 1800)]
    assert collections.Counter(firsts) == {"192.0.2.1": 800, "192.0.2.2": 200, "192.0.2.3": 200, "192.0.2.4": 600}
    for start in range(0, 40):
        given = collections.Counter()
        for count, first in enumerate(firsts[start:start + 40], 1):
            given[first] += 1
            assert all(abs(given[address] - part * count) < 2 for address, part in share.items())


def test_weighted_with_two_answers(server):
    """Weights 5:1:1:1 and two answers: the first is in every answer (2·5 ≥ 8), the others share the second place."""
    answers = asked(server, "wk.example.com", 600)
    assert {len(set(found)) for found in answers} == {2}
    inside = collections.Counter(itertools.chain(*answers))
    assert inside == {"192.0.2.1": 600, "192.0.2.2": 200, "192.0.2.3": 200, "192.0.2.4": 200}
    assert len({frozenset(found) for found in answers}) <= 4
    # Within a set each address stands first equally often.
    assert collections.Counter(found[0] for found in answers) == {
        "192.0.2.1": 300, "192.0.2.2": 100, "192.0.2.3": 100, "192.0.2.4": 100}


def test_random_keeps_its_shares(server):
    count = 6000
    firsts = [found[0] for found in asked(server, "rnd.example.com", count)]
    counted = collections.Counter(firsts)
    # Six standard deviations: once in 500 million runs.
    for address, share in (("192.0.2.1", 4 / 6), ("192.0.2.2", 1 / 6), ("192.0.2.3", 1 / 6)):
        assert abs(counted[address] - count * share) < 6 * (count * share * (1 - share)) ** 0.5, counted
    # ... and is no cycle: the same six answers again and again.
    assert len({tuple(firsts[i:i + 6]) for i in range(0, count, 6)}) > 50


def test_at_most_sixteen_answers(server):
    answers = asked(server, "many.example.com", 80)
    assert {len(set(found)) for found in answers} == {16}
    assert len(set(itertools.chain(*answers))) == 40
    firsts = collections.Counter(found[0] for found in answers)
    assert firsts == dict.fromkeys((f"192.0.2.{i}" for i in range(1, 41)), 2)
    answers = asked(server, "all.example.com", 40)
    assert {len(set(found)) for found in answers} == {16}


# ---- hash


CLIENTS = [f"127.0.1.{i}" for i in range(1, 121)]


def choices(server, name, clients=CLIENTS):
    """client → the address it gets"""
    chosen = {}
    for client in clients:
        with Asker(server, name, source=client) as asker:
            (chosen[client],) = asker.ask().addresses
    return chosen


def test_hash_same_client_same_server(server):
    first = choices(server, "big.example.com")
    assert choices(server, "big.example.com") == first
    assert len(set(first.values())) > 90  # of 1,024 members, 120 clients hardly meet
    with Asker(server, "big.example.com", source="127.0.1.77") as asker:
        assert {tuple(found) for found in asker.many(200)} == {(first["127.0.1.77"],)}


def test_hash_moves_only_the_clients_of_the_dead(rondo, backends):
    web = backends(5)
    groups = [{"name": "app", "policy": "hash", "probe": "web"}]
    server = balanced(rondo, a_records("app", web.addresses), groups, [http(web.port)])
    wait_seen_by_clients(server, web.addresses)
    before = choices(server, "app.example.com")
    shares = collections.Counter(before.values())
    assert set(shares) == set(web.addresses)
    assert all(abs(shares[address] - 24) < 24 for address in web.addresses), shares
    dead = web.addresses[2]
    web.at(dead).stop()
    wait_seen_by_clients(server, set(web.addresses) - {dead})
    during = choices(server, "app.example.com")
    orphans = {client for client in CLIENTS if before[client] == dead}
    assert {client for client in CLIENTS if during[client] != before[client]} == orphans
    assert len({during[client] for client in orphans}) > 1  # not all to one neighbour
    web.at(dead).start()
    wait_seen_by_clients(server, web.addresses)
    assert choices(server, "app.example.com") == before


def wait_seen_by_clients(server, expected):
    until(lambda: set(choices(server, "app.example.com").values()) == set(expected),
          "clients are spread over " + " ".join(expected), pause=0.1)


def test_hash_is_equal_on_all_nameservers(rondo):
    groups = [{"name": "app", "policy": "hash", "members": weighted({"192.0.2.1": 3})}]
    one, other = (balanced(rondo, a_records("app", found), groups) for found in (FOUR, FOUR[::-1]))
    assert choices(one, "app.example.com") == choices(other, "app.example.com")


def test_hash_with_several_answers(rondo):
    server = balanced(rondo, a_records("app", FOUR), [{"name": "app", "policy": "hash", "answers": 2}])
    for client in CLIENTS[:20]:
        with Asker(server, "app.example.com", source=client) as asker:
            answers = asker.many(10)
        assert len({tuple(found) for found in answers}) == 1
        assert len(set(answers[0])) == 2


# ---- members, drains, tiers


def test_drain_by_weight_zero(server):
    assert seen(server, "drain.example.com") == {"192.0.2.1", "192.0.2.3"}


def test_when_all_are_drained_drains_are_ignored(server):
    assert seen(server, "drained.example.com") == set(THREE)
    assert re.search(r"warning: .*drained", server.log()), server.log()


def test_addresses_that_no_member_names_are_members(server):
    with Asker(server, "others.example.com") as asker:
        assert asker.firsts(500) == {"192.0.2.1": 300, "192.0.2.2": 100, "192.0.2.3": 100}


def test_others_ignored(server):
    assert seen(server, "named.example.com") == {"192.0.2.1", "192.0.2.3"}


def test_the_first_tier_serves(server):
    assert asked(server, "tiers.example.com", 10) == [["192.0.2.2"]] * 10


def test_a_pool_of_one(server):
    assert asked(server, "lonely.example.com", 3) == [["192.0.2.1"]] * 3
    assert ttls(server.query("lonely.example.com")) == {20}


def test_annotated_address_that_the_rrset_lacks_sleeps(server):
    assert seen(server, "asleep.example.com") == set(THREE[:2])
    assert re.search(r"warning: .*192\.0\.2\.3", server.log()), server.log()


def test_tiers_and_min_up(rondo, backends):
    web = backends(5)
    first, second, last = web.addresses[:2], web.addresses[2:4], web.addresses[4:]
    rows = [{"address": address, "tier": 2} for address in second]
    rows += [{"address": address, "tier": 3} for address in last]
    records = a_records("db", web.addresses) + a_records("half", web.addresses)
    groups = [{"name": "db", "probe": "tcp", "members": rows},
              {"name": "half", "probe": "tcp", "min_up": 0.6, "members": rows}]
    server = balanced(rondo, records, groups, [tcp(web.port)])

    def expect(db, half):
        wait_seen(server, "db.example.com", db)
        wait_seen(server, "half.example.com", half)

    expect(first, first)
    web[0].stop()
    expect(first[1:], second)  # 1 of 2 is less than 0.6
    web[2].stop()
    expect(first[1:], last)  # tier 2 has too few as well
    web[4].stop()
    expect(first[1:], first[1:])  # none has enough: the first with any
    web[1].stop()
    expect(second[1:], second[1:])
    web[0].start()
    web[1].start()
    expect(first, first)


def test_min_up_counts_what_is_not_drained(rondo, backends):
    web = backends(4)
    rows = [{"address": web.addresses[0], "weight": 0}, {"address": web.addresses[1], "weight": 0},
            {"address": web.addresses[3], "tier": 2}]
    server = balanced(rondo, a_records("db", web.addresses),
                      [{"name": "db", "probe": "tcp", "min_up": 1.0, "members": rows}],
                      [tcp(web.port)])
    wait_seen(server, "db.example.com", [web.addresses[2]])  # all that is not drained is up
    web[2].stop()
    wait_seen(server, "db.example.com", [web.addresses[3]])


# ---- when all are down


def down(rondo, backends, **keys):
    """A server whose name "www" has three members, all dead; two of them in tier 1, one of those drained."""
    web = backends(3)
    for backend in web:
        backend.manner = status(500)
    rows = [{"address": web.addresses[1], "weight": 0}, {"address": web.addresses[2], "tier": 2}]
    server = balanced(rondo, a_records("www", web.addresses),
                      [{"name": "www", "probe": "web", "members": rows, **keys}], [http(web.port)])
    return server, web


def test_all_down_serve_all(rondo, backends):
    """Every undrained member as if it were up, then the pipeline: so tier 1 alone."""
    server, web = down(rondo, backends)
    wait_seen(server, "www.example.com", web.addresses[:1])
    assert pool(server, "www.example.com")["state"] != "live"
    web[2].manner = status(200)
    wait_seen(server, "www.example.com", web.addresses[2:])


def test_all_down_serve_none(rondo, backends):
    server, web = down(rondo, backends, all_down="serve_none", ttl=30)
    reply = server.both("www.example.com")
    assert (rcode(reply), reply.answer) == ("NOERROR", [])
    assert soa_ttl(reply) == 30  # min(ttl, MINIMUM)
    assert rcode(server.query("www.example.com", "TXT")) == "NOERROR"
    web[0].manner = status(200)
    wait_seen(server, "www.example.com", web.addresses[:1])
    assert ttls(server.query("www.example.com")) == {30}


def test_negative_ttl_is_at_most_the_minimum(rondo, backends):
    server, _ = down(rondo, backends, all_down="serve_none", ttl="5m")
    assert soa_ttl(server.query("www.example.com")) == 60


def test_all_down_servfail(rondo, backends):
    server, web = down(rondo, backends, all_down="servfail")
    reply = server.both("www.example.com")
    assert (rcode(reply), reply.answer, reply.authority) == ("SERVFAIL", [], [])
    assert rcode(server.query("www.example.com", "TXT")) == "NOERROR"
    assert rcode(server.query("ns1.example.com")) == "NOERROR"
    web[0].manner = status(200)
    wait_seen(server, "www.example.com", web.addresses[:1])


def test_all_down_to_other_addresses(rondo, backends):
    sorry = ["192.0.2.99", "2001:db8::99", "192.0.2.98"]
    server, web = down(rondo, backends, all_down=sorry, ttl=17)
    assert seen(server, "www.example.com") == {"192.0.2.99", "192.0.2.98"}
    assert ttls(server.query("www.example.com")) == {17}
    web[0].manner = status(200)
    wait_seen(server, "www.example.com", web.addresses[:1])


# ---- which group applies


def test_below_takes_what_is_under_it(server):
    for name, ttl, count in (("one.apps", 11, 1), ("deep.one.apps", 11, 1), ("in.deep", 12, 3), ("x.in.deep", 13, 3)):
        for over_tcp in (False, True):
            reply = server.query(name + ".example.com", tcp=over_tcp)
            assert (ttls(reply), len(addresses(reply))) == ({ttl}, count), name
    for name in ("apps", "deep"):  # not at it
        assert ttls(server.query(name + ".example.com")) == {300}


def test_an_exact_name_wins_and_applies_alone(server):
    reply = server.query("two.apps.example.com")
    assert (ttls(reply), len(addresses(reply))) == ({20}, 2)
    firsts = collections.Counter(found[0] for found in asked(server, "two.apps.example.com", 30))
    assert firsts == dict.fromkeys(THREE, 10)


def test_apex(server):
    reply = server.query("example.com")
    assert (ttls(reply), len(addresses(reply))) == ({14}, 1)
    assert seen(server, "example.com") == set(THREE)
    assert rcode(server.query("example.com", "NS")) == "NOERROR"
    assert server.query("example.com", "SOA").answer[0].ttl == 300


def test_wildcard_owner(server):
    for name in ("a.wild", "b.wild", "c.d.wild"):
        reply = server.query(name + ".example.com")
        assert (ttls(reply), len(addresses(reply))) == ({15}, 1)
        assert reply.answer[0].name.to_text() == name + ".example.com."
        assert seen(server, name + ".example.com") == set(THREE)
    reply = server.query("text.wild.example.com")
    assert (rcode(reply), reply.answer) == ("NOERROR", [])


def test_alias_leads_to_the_pool(server):
    found = collections.Counter()
    for _ in range(50):
        reply = server.query("alias.example.com")
        assert reply.answer[0].to_text() == "alias.example.com. 300 IN CNAME w41.example.com."
        assert len(reply.answer) == 2 and reply.answer[1].ttl == 20
        found[reply.answer[1][0].address] += 1
    assert set(found) == {"192.0.2.1", "192.0.2.2"}


def test_case_of_the_question(server):
    reply = server.query("Lonely.eXample.com")
    assert (addresses(reply), reply.question[0].name.to_text()) == (["192.0.2.1"], "Lonely.eXample.com.")
    assert ttls(reply) == {20}


def test_glue_is_no_pool(server):
    reply = server.query("www.cut.apps.example.com")
    glue = [rrset for rrset in reply.additional]
    assert {rrset.ttl for rrset in glue} == {300}
    assert {rdata.address for rrset in glue for rdata in rrset} == set(THREE)
    assert reply.answer == []


# ---- TTLs


@pytest.mark.parametrize("name,ttl", [("default", 20), ("ttl", 45), ("short", 7)])
def test_ttl(server, name, ttl):
    assert ttls(server.both(name + ".example.com")) == {ttl}


def test_ttl_min_while_a_member_in_use_is_unsettled(rondo, backends):
    web = backends(2)
    probe = http(web.port, interval="200ms", fast_interval="200ms", timeout="200ms", fall=4, rise=4)
    server = balanced(rondo, a_records("www", web.addresses),
                      [{"name": "www", "probe": "web", "ttl": 30, "ttl_min": 3}], [probe])
    with Asker(server, "www.example.com") as asker:
        until(lambda: asker.ask().ttl == 30 and len(asker.ask().addresses) == 2, "all is calm")
        web[0].manner = status(500)
        until(lambda: asker.ask().ttl == 3, "the member's first bad check")
        assert set(asker.ask().addresses) == set(web.addresses)
        until(lambda: len(asker.ask().addresses) == 1, "it leaves")
        assert asker.ask().ttl == 30  # all that serve are settled
        web[0].manner = status(200)
        began = len(web[0].visits)
        until(lambda: len(web[0].visits) > began + 2, "it is on its way back")
        assert asker.ask().ttl == 30  # it is not in use
        until(lambda: len(asker.ask().addresses) == 2, "it is back")
        assert asker.ask().ttl == 30
        web[1].manner = status(500)
        until(lambda: asker.ask().ttl == 3, "the other's first bad check")
        web[1].manner = status(200)
        until(lambda: asker.ask().ttl == 30, "false alarm")
        assert len(asker.ask().addresses) == 2


# ---- what is left alone


def test_other_family_is_nodata(server):
    reply = server.both("w41.example.com", "AAAA")
    assert (rcode(reply), reply.answer, soa_ttl(reply)) == ("NOERROR", [], 60)


def test_other_types_at_the_owner_are_untouched(server):
    assert rrs(server.query("mixed.example.com", "TXT").answer) == ['mixed.example.com. 300 TXT "untouched"']
    assert rrs(server.query("mixed.example.com", "MX").answer) == ["mixed.example.com. 300 MX 10 rr.example.com."]
    assert rrs(server.query("mixed.example.com", "CAA").answer) == ['mixed.example.com. 33 CAA 0 issue "ca.example"']
    assert ttls(server.query("mixed.example.com")) == {20}


def test_unannotated_names_are_unchanged(server):
    firsts = set()
    for _ in range(40):
        reply = server.query("plain.example.com")
        assert sorted(addresses(reply)) == FOUR
        assert ttls(reply) == {300}
        firsts.add(addresses(reply)[0])
    assert firsts == set(FOUR)
    assert ttls(server.query("plain.example.com", "TXT")) == {77}


def test_balance_records_are_ordinary_data(server):
    reply = server.query("_balance.plain.example.com", "TXT")
    assert rrs(reply.answer) == ['_balance.plain.example.com. 300 TXT "policy=hash answers=1"']
    assert sorted(addresses(server.query("x._balance.example.com"))) == THREE


def test_interleaved_families_see_every_member(server):
    """A client that always asks for A, then for AAAA, must not meet one half of the members for ever."""
    found = {"A": set(), "AAAA": set()}
    with Asker(server, "rr.example.com", "A") as a, Asker(server, "rr.example.com", "AAAA") as aaaa:
        for _ in range(12):
            found["A"].add(a.ask().addresses[0])
            found["AAAA"].add(aaaa.ask().addresses[0])
    assert found == {"A": set(FOUR), "AAAA": set(SIX)}


def test_interleaved_families_over_one_socket(server):
    found = {"A": set(), "AAAA": set()}
    with server.tcp_socket() as sock:
        for _ in range(12):
            for rdtype in found:
                sock.sendall(frame(make_query("rr.example.com", rdtype).to_wire()))
                found[rdtype].add(addresses(dns.message.from_wire(read_frame(sock)))[0])
    assert found == {"A": set(FOUR), "AAAA": set(SIX)}


def test_any_is_one_rrset_of_the_pool(server):
    reply = server.query("w41.example.com", "ANY", tcp=True)
    assert rcode(reply) == "NOERROR"
    assert len(reply.answer) == 1


def test_edns_and_size(server):
    reply = server.query("many.example.com", use_edns=0, payload=512)
    assert len(addresses(reply)) == 16 and reply.edns == 0  # 16 addresses fit 512 bytes
    assert sorted(addresses(server.query("plain.example.com", use_edns=0))) == FOUR


# ---- more than a pool takes


def test_more_than_1024_members_are_served_whole(rondo):
    found = [f"198.51.{i // 250}.{i % 250}" for i in range(1025)]
    server = balanced(rondo, a_records("big", found) + a_records("www", THREE),
                      [{"name": "big"}, {"name": "www", "ttl": 9}])
    assert re.search(r"warning: .*big\.example\.com.*1,?024", server.log()), server.log()
    reply = server.query("big.example.com", tcp=True)
    assert sorted(addresses(reply)) == sorted(found)
    assert ttls(reply) == {300}
    assert ttls(server.query("www.example.com")) == {9}


# ---- what is refused


WWW = {"name": "www"}

BAD = {
    "later_policy": ([{**WWW, "policy": "fastest"}], r"fastest"),
    "failback_word": ([{"name": "www", "failback": "never"}], "failback.*manual"),
    "trickle_of_round_robin": ([{"name": "www", "trickle": 0.1}], "trickle.*round_robin"),
    "neither_name_nor_below": ([{"policy": "hash"}], r"name.*below|below.*name"),
    "both_name_and_below": ([{"name": "www", "below": "www"}], r"name.*below|below.*name"),
    "two_groups_with_one_name": ([WWW, {"name": "WWW.example.com.", "ttl": 5}], r"www"),
    "outside": ([{"name": "www.example.net."}], r"example\.net"),
    "unknown_probe": ([{**WWW, "probe": "nobody"}], r"nobody"),
    "unknown_policy": ([{**WWW, "policy": "wieghted"}], r"wieghted.*weighted"),
    "unknown_key": ([{**WWW, "polcy": "hash"}], r"polcy.*policy"),
    "address_twice": ([{**WWW, "members": [{"address": "192.0.2.1"}, {"address": "192.0.2.1"}]}], r"192\.0\.2\.1"),
    "no_address": ([{**WWW, "members": [{"weight": 1}]}], r"address"),
    "bad_address": ([{**WWW, "members": [{"address": "192.0.2.256"}]}], r"192\.0\.2\.256"),
    "weight_too_large": ([{**WWW, "members": [{"address": "192.0.2.1", "weight": 65536}]}], r"weight.*65535"),
    "weight_negative": ([{**WWW, "members": [{"address": "192.0.2.1", "weight": -1}]}], r"weight"),
    "tier_zero": ([{**WWW, "members": [{"address": "192.0.2.1", "tier": 0}]}], r"tier"),
    "answers_zero": ([{**WWW, "answers": 0}], r"answers"),
    "answers_seventeen": ([{**WWW, "answers": 17}], r"answers.*16"),
    "answers_some": ([{**WWW, "answers": "some"}], r"answers"),
    "min_up_above_one": ([{**WWW, "min_up": 1.5}], r"min_up"),
    "all_down_word": ([{**WWW, "all_down": "panic"}], r"all_down"),
    "all_down_address": ([{**WWW, "all_down": ["192.0.2.999"]}], r"192\.0\.2\.999|all_down"),
    "others_word": ([{**WWW, "others": "maybe"}], r"others"),
    "ttl_negative": ([{**WWW, "ttl": -5}], r"ttl"),
    "wildcard_without_host": ([{"name": "*.wild", "probe": "web"}], r"host"),
    "probe_of_tcp_without_port": ([{**WWW, "probe": "portless"}], r"port"),
    "balance_is_no_list": ("balance = 5;", r"balance"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(rondo, case):
    """Exit status 1, and a line with file, line number and what is wrong."""
    groups, pattern = BAD[case]
    rows = [http(80)]
    if case == "probe_of_tcp_without_port":
        rows = [{"name": "portless", "type": "tcp"}]
    keys = groups if isinstance(groups, str) else balance(groups)
    done = rondo.prepare(keys={"example.com": keys}, extra="probes = " + literal(rows) + ";").validate()
    assert done.returncode == 1
    assert re.search(rf"rondo\.conf:\d+: error: .*{pattern}", done.stderr), done.stderr


def test_refused_at_start(rondo):
    done = rondo.prepare(keys={"example.com": balance([{**WWW, "policy": "fastest"}, {"name": "www"}])}).run()
    assert done.returncode == 1
    assert re.search(r"error: .*rondo\.conf:\d+: .*fastest", done.stderr), done.stderr


def test_server_keys_that_are_not_there_yet_are_refused(rondo):
    done = rondo.prepare(server='http = "";').validate()
    assert done.returncode == 1
    assert re.search(r"rondo\.conf:\d+: error: .*http", done.stderr), done.stderr


def test_round_robin_with_weights_is_warned_of(rondo):
    group = {"name": "www", "members": weighted({"192.0.2.1": 4})}
    done = rondo.prepare(keys={"example.com": balance([group])}).validate()
    assert done.returncode == 0, done.stderr
    assert re.search(r"rondo\.conf:\d+: warning: .*weight", done.stderr)


def test_a_pool_for_a_name_server_is_warned_of(rondo):
    """By an exact name it may be; `below` passes it over."""
    done = arrange(rondo, a_records("www", THREE), [{"name": "ns1"}]).validate()
    assert done.returncode == 0, done.stderr
    assert re.search(r"warning: .*ns1\.example\.com", done.stderr), done.stderr
    server = balanced(rondo, a_records("www", THREE), [{"below": "@", "ttl": 5}])
    assert ttls(server.query("ns1.example.com")) == {300}
    assert ttls(server.query("www.example.com")) == {5}


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_families_are_apart(rondo, backends):
    """A dead IPv6 member is no matter of the IPv4 ones."""
    web = backends(2)
    records = a_records("www", web.addresses + ["::1"])
    six = backends(addresses=["::1"])
    server = balanced(rondo, records, [{"name": "www", "probe": "web"}], [http(web.port)])
    del six
    wait_seen(server, "www.example.com", web.addresses)
    assert seen(server, "www.example.com", rdtype="AAAA") == {"::1"}  # dead, alone: all_down
    assert members(server, "www.example.com", "AAAA")["::1"]["verdict"] == "down"


def test_the_same_zone_without_annotations(rondo):
    """What the groups say is all there is to it: without them nothing is a pool."""
    server = rondo(zones={"example.com": zone(RECORDS), "example.net": DEFAULT_ZONE})
    assert ttls(server.query("rr.example.com")) == {300}
    assert len(addresses(server.query("w41.example.com"))) == 2
    assert server.ctl_json("pools")["pools"] == []

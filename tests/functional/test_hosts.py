"""Members by host name: resolved through a resolver that the test speaks for, or read in our own zones; at the zone's
own name too, and never lost because a resolver fails."""

import collections
import re

import dns.rdatatype
import pytest

from balancing import Asker, arrange, balance, http, pool, probes, seen, soa_ttl, wait_seen, wait_verdicts, zone
from resolver import Resolver
from rondo import addresses, rcode, until

APEX, WWW = "example.com", "www.example.com"


@pytest.fixture
def names():
    resolver = Resolver()
    yield resolver
    resolver.close()


def hosting(rondo, names, groups, records="", rows=(), **kwargs):
    """A server with these groups in example.com, that asks `names`; not started."""
    server = arrange(rondo, records, groups, rows, **kwargs)
    server.extra += "\n" + names.config()
    server.write_config()
    return server


def group(name, *hosts, **keys):
    return {"name": name, "members": [host if isinstance(host, dict) else {"host": host} for host in hosts], **keys}


def host(server, name, family="A", number=0):
    return pool(server, name, family)["hosts"][number]


def test_the_apex_gets_a_hosts_addresses(rondo, names):
    names.set("app.example.net", a=["192.0.2.1", "192.0.2.2"], aaaa=["2001:db8::1"], ttl=300)
    names.set("v4.example.net", a=["192.0.2.9"], ttl=300)
    names.set("many.example.net", a=[f"192.0.2.{i}" for i in range(1, 101)], ttl=300)
    server = hosting(rondo, names, [group("@", "app.example.net"), group("txt", "v4.example.net"),
                                    group("many", "many.example.net")], "txt TXT here\nmany TXT x\n").start()
    assert set(addresses(server.both(APEX))) == {"192.0.2.1", "192.0.2.2"}
    assert addresses(server.both(APEX, "AAAA")) == ["2001:db8::1"]
    assert {rrset.ttl for rrset in server.query(APEX).answer} == {20}
    # Everything else is as it was.
    assert server.both(APEX, "SOA").answer[0].rdtype == dns.rdatatype.SOA
    assert server.both(APEX, "NS").answer[0].rdtype == dns.rdatatype.NS
    assert rcode(server.both(APEX, "MX")) == "NOERROR" and not server.query(APEX, "MX").answer
    assert server.both(APEX, "ANY").answer[0].rdtype == dns.rdatatype.NS
    assert server.both("txt.example.com", "TXT").answer
    # A family without addresses is no failure, and asked for again soon.
    assert addresses(server.both("txt.example.com")) == ["192.0.2.9"]
    nothing = server.both("txt.example.com", "AAAA", use_edns=0)
    assert (rcode(nothing), nothing.answer, soa_ttl(nothing), nothing.options) == ("NOERROR", [], 20, ())
    assert server.ctl_json("status")["answers"]["pool_down"] == 0
    # What is shown.
    shown = host(server, APEX)
    assert shown["name"] == "app.example.net" and shown["source"] == "resolver" and shown["error"] is None
    assert shown["addresses"] == ["192.0.2.1", "192.0.2.2"] and 200 < shown["ttl_left_seconds"] <= 300
    assert {member["host"] for member in pool(server, APEX)["members"]} == {"app.example.net"}
    assert re.search(r"host app\.example\.net +2 addresses .*from resolver, again in", server.ctl("pools").stdout)
    # More than fit into a datagram come by TCP, more than a host may have are left out.
    assert host(server, "many.example.com")["addresses"] == [f"192.0.2.{i}" for i in range(1, 65)]
    assert names.transports["tcp"] >= 1
    server.wait_log(r'host "many.example.net" A: 36 addresses beyond the first 64 are left out')


def test_addresses_share_the_hosts_weight(rondo, names):
    names.set("two.example.net", a=["192.0.2.1", "192.0.2.2"], ttl=300)
    names.set("one.example.net", a=["192.0.2.3"], ttl=300)
    server = hosting(rondo, names, [group("@", {"host": "two.example.net", "weight": 3},
                                          {"host": "one.example.net", "weight": 3}, policy="weighted"),
                                    group("www", {"host": "two.example.net", "weight": 3}, policy="weighted")],
                     "www A 192.0.2.1\nwww A 192.0.2.7\n").start()
    with Asker(server, APEX) as asker:
        assert asker.firsts(400) == {"192.0.2.1": 100, "192.0.2.2": 100, "192.0.2.3": 200}
    # Whom the zone names too is one member, of the weight that it has there.
    with Asker(server, WWW) as asker:
        assert asker.firsts(500) == {"192.0.2.1": 100, "192.0.2.7": 100, "192.0.2.2": 300}
    # A table: what stands in a column begins, or ends, where its head does.
    head, *rows = server.ctl("pools").stdout.splitlines()
    assert len([row for row in rows if row.startswith("  host ")]) == 6, rows  # a line in each family
    for row in rows:
        assert not row[head.index("REASON") - 2:head.index("REASON")].strip(), row
        assert row[head.index("REASON"):][:1] != " ", row


def test_each_address_is_checked(rondo, names, backends):
    web = backends(2)
    names.set("app.example.net", a=web.addresses, ttl=300)
    server = hosting(rondo, names, [group("@", "app.example.net", probe="web")], rows=[http(web.port)]).start()
    # Nobody's name server makes this machine talk to itself, unless the operator says that it may.
    assert {(member["verdict"], bool(member["reason"])) for member in pool(server, APEX)["members"]} == {("down", True)}
    assert not web[0].visits and not web[1].visits
    server.extra = server.extra.replace(names.config(), names.config(probe_allow='"127.0.0.0/8"'))
    server.write_config()
    assert server.reload().returncode == 0
    wait_verdicts(server, APEX, {address: "up" for address in web.addresses})
    assert web[0].visits[0].host == f"example.com:{web.port}" or web[0].visits[0].host == "example.com"
    web[0].stop()
    wait_seen(server, APEX, [web.addresses[1]])
    # The one that stays keeps its verdict when others come and go.
    names.set("app.example.net", a=[web.addresses[0], web.addresses[1], "127.0.0.99"], ttl=300)
    visits = len(web[1].visits)
    server.reload()
    until(lambda: len(pool(server, APEX)["members"]) == 3, "the third is a member")
    assert {member["address"]: member["verdict"] for member in pool(server, APEX)["members"]}[web.addresses[0]] == "down"
    assert seen(server, APEX) == {web.addresses[1]}
    assert len(web[1].visits) - visits < 20


def test_changes_failures_and_ends(rondo, names):
    """All wait for the same five seconds of TTL."""
    for name in ("new", "failing", "silent", "half", "gone", "back"):
        names.set(f"{name}.example.net", a=["192.0.2.1"], aaaa=["2001:db8::1"], ttl=1)
    names.set("chain.example.net", a=["192.0.2.1"], ttl=3600, aliases=[("end.example.org", 1)])
    names.set("slow.example.net", a=["192.0.2.1"], ttl=3600)
    groups = [group(name, f"{name}.example.net") for name in ("new", "failing", "silent", "half", "chain", "slow")]
    groups += [group("back", "back.example.net"), group("gone", "gone.example.net", host_hold="1s")]
    server = hosting(rondo, names, groups, "".join(f"{one['name']} TXT x\n" for one in groups)).start()
    for one in groups:
        assert addresses(server.query(f"{one['name']}.example.com")) == ["192.0.2.1"]
    before = collections.Counter(names.asked)
    names.set("new.example.net", a=["192.0.2.2", "192.0.2.3", "0.0.0.0", "224.0.0.1"], ttl=1)
    names.fail("failing.example.net", "SERVFAIL")
    names.fail("silent.example.net", "silence")
    names.set("half.example.net", a=["192.0.2.4"], ttl=1)
    names.fail("half.example.net", "SERVFAIL", "AAAA")
    names.fail("gone.example.net", "NXDOMAIN")
    names.set("back.example.net")
    names.set("chain.example.net", a=["192.0.2.5"], ttl=3600, aliases=[("end.example.org", 1)])
    wait_seen(server, "new.example.com", ["192.0.2.2", "192.0.2.3"], timeout=11)
    wait_seen(server, "half.example.com", ["192.0.2.4"], timeout=11)
    wait_seen(server, "chain.example.com", ["192.0.2.5"], timeout=11)
    until(lambda: host(server, "half.example.com", "AAAA")["error"] == "SERVFAIL", "one family has failed")
    until(lambda: host(server, "failing.example.com")["error"] == "SERVFAIL", "it has failed")
    until(lambda: names.asked["silent.example.net", "A"] > before["silent.example.net", "A"], "it is asked again")
    assert addresses(server.query("half.example.com", "AAAA")) == ["2001:db8::1"]
    assert addresses(server.query("failing.example.com")) == ["192.0.2.1"]
    assert addresses(server.query("silent.example.com")) == ["192.0.2.1"]
    assert host(server, "half.example.com")["error"] is None
    assert names.asked["slow.example.net", "A"] == before["slow.example.net", "A"] == 1
    server.wait_log(r'host "failing.example.net" A: SERVFAIL; its address is kept')
    # A denial counts when it has lasted for host_hold.
    until(lambda: host(server, "back.example.com")["kept_since"], "it is denied")
    assert addresses(server.query("back.example.com")) == ["192.0.2.1"]
    names.set("back.example.net", a=["192.0.2.6"], ttl=300)
    wait_seen(server, "back.example.com", ["192.0.2.6"])
    until(lambda: not server.query("gone.example.com").answer, "it leaves", timeout=5)
    assert (rcode(server.query("gone.example.com")), soa_ttl(server.query("gone.example.com"))) == ("NOERROR", 20)
    server.wait_log(r'host "gone.example.net" A: no such name; its address is used no more')
    assert pool(server, "gone.example.com")["state"] == "empty"
    assert host(server, "gone.example.com")["error"] == "no such name"
    names.set("gone.example.net", a=["192.0.2.7"], ttl=300)
    assert server.reload().returncode == 0  # which asks for all
    wait_seen(server, "gone.example.com", ["192.0.2.7"])
    assert names.asked["slow.example.net", "A"] == 2
    # A TTL of 1 s is taken for 5.
    assert names.asked["new.example.net", "A"] - before["new.example.net", "A"] <= 3


def test_nobody_answers_at_the_start(rondo, names):
    """The rrset serves until a host can be asked, and the start waits no longer than it may."""
    names.fail("app.example.net", "silence")
    server = hosting(rondo, names, [group("www", "app.example.net"), group("@", "app.example.net")],
                     "www A 192.0.2.7\n", server='start_wait = "300ms";').start()
    assert addresses(server.query(WWW)) == ["192.0.2.7"]
    assert (rcode(server.query(APEX)), server.query(APEX).answer) == ("NOERROR", [])
    assert "not resolved yet" in server.ctl("pools", APEX).stdout
    # Another resolver is asked at once.
    with_another = Resolver()
    with_another.set("app.example.net", a=["192.0.2.8"], ttl=300)
    server.extra = with_another.config()
    server.write_config()
    assert server.reload().returncode == 0
    wait_seen(server, WWW, ["192.0.2.7", "192.0.2.8"])
    wait_seen(server, APEX, ["192.0.2.8"])
    with_another.close()


def test_hosts_in_our_own_zones(rondo, names):
    names.set("far.example.net", a=["192.0.2.60"], ttl=300)
    names.set("pooled.example.net", a=["192.0.2.70"], ttl=300)
    groups = [group("@", "app.example.org"), group("far", "away.example.org"),
              group("chained", "pool.example.org"), group("loop", "circle.example.org")]
    org = zone("app A 192.0.2.1\napp A 192.0.2.2\nalias CNAME app\naway CNAME far.example.net.\npool A 192.0.2.71\n"
               "circle CNAME loop.example.com.\n")
    server = rondo.prepare(
        zones={"example.com": zone("far TXT x\nchained TXT x\nloop A 192.0.2.80\n"), "example.org": org},
        keys={"example.com": balance(groups), "example.org": balance([group("pool", "pooled.example.net")])},
        extra=names.config())
    server.start()
    assert set(addresses(server.query(APEX))) == {"192.0.2.1", "192.0.2.2"}
    assert host(server, APEX)["source"] == "zone" and host(server, APEX)["ttl_left_seconds"] is None
    assert addresses(server.query("far.example.com")) == ["192.0.2.60"]
    # A pool's records, and what its own hosts have.
    wait_seen(server, "chained.example.com", ["192.0.2.70", "192.0.2.71"])
    # A way back is ignored, loudly.
    assert addresses(server.query("loop.example.com")) == ["192.0.2.80"]
    server.wait_log(r'error: host "circle.example.org" leads to pool "loop.example.com", whose hosts lead back to it')
    assert not [name for name in names.asked if name[0].endswith((".com", ".org"))]
    # A new version is heeded at once, a name that is gone too.
    server.write_zone("example.org", zone("app A 192.0.2.3\npool TXT none\n", serial=2))
    assert server.reload().returncode == 0
    wait_seen(server, APEX, ["192.0.2.3"], timeout=5)
    wait_seen(server, "chained.example.com", ["192.0.2.70"], timeout=5)
    until(lambda: not server.query("far.example.com").answer, "the alias is gone", timeout=5)


def test_what_is_refused(rondo, names):
    rows = [
        group("a", "b.example.com"), group("b", "c.example.com"), group("c", "a.example.com"),
        group("self", "self.example.com"), group("lit", "192.0.2.1"), group("short", "app"), group("bad", "a b.example"),
        {"name": "both", "members": [{"address": "192.0.2.1", "host": "x.example.net"}]},
        {"name": "none", "members": [{"weight": 1}]},
        group("twice", "x.example.net", "X.example.net."),
        group("checked", {"host": "x.example.net", "check_address": "192.0.2.1"}),
    ]
    server = hosting(rondo, names, rows)
    done = server.validate()
    assert done.returncode == 1
    for said in ("is a pool whose own hosts lead back to this one", 'host "self.example.com" is a name of the pool itself',
                 '"address" is the key for it', "expected a whole name", "no host name", "this one has both",
                 "this one has neither", "stands twice", '"check_address" is for one address'):
        assert said in done.stderr, done.stderr
    assert done.stderr.count("lead back") == 1
    alias = hosting(rondo, names, [group("alias", "x.example.net"), group("nowhere", "x.example.net")],
                    "alias CNAME www\n").validate()
    assert alias.returncode == 0
    assert '"alias.example.com." is not balanced: it has a CNAME record' in alias.stderr
    assert "one of any type, such as a TXT, is enough" in alias.stderr
    assert alias.stderr.count("nothing matches") == 1

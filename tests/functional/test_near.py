"""Sites: clients get the members that are near them, and what `rondoctl explain` says of it."""

import json
import re
import struct
import time

import dns.edns
import pytest

from balancing import (Asker, a_records, arrange, balanced, http, literal, rearrange, seen, wait_seen, wait_verdicts,
                       zone)
from rondo import addresses, read_exact, until

WWW = "www.example.com"
EU, US, ELSEWHERE = "127.0.1.1", "127.0.2.1", "127.0.3.1"
NETWORKS = {"eu": ["127.0.1.0/24", "10.0.0.0/8", "2001:db8::/32"], "us": ["127.0.2.0/24", "10.1.0.0/16"]}


def sites(networks, **files):
    rows = [{"name": name, "networks": list(found)} for name, found in networks.items()]
    rows += [{"name": name, "networks_file": path} for name, path in files.items()]
    return f"sites = {literal(rows)};\n"


def of_site(address, site, **keys):
    return {"address": address, "site": site, **keys}


def start_near(rondo, members, groups, rows=(), networks=None, server=""):
    prepared = arrange(rondo, a_records("www", members), groups, rows, server=server)
    prepared.extra += "\n" + sites(networks or NETWORKS)
    prepared.write_config()
    return prepared.start()


def seen_from(server, source, count=24, name=WWW):
    """All addresses that stand in `count` answers to a client."""
    with Asker(server, name, source=source) as asker:
        return {address for found in asker.many(count) for address in found}


def wait_seen_from(server, source, expected):
    until(lambda: seen_from(server, source) == set(expected),
          lambda: f"{source} gets {sorted(expected)}, but {sorted(seen_from(server, source))}\n" + server.log())


def explained(server, *args):
    """The answer of `explain`, by the control socket itself: a process for each would take most of the time."""
    request = json.dumps({"rondo": 1, "command": "explain", "args": list(args)}).encode()
    with server.control_socket() as sock:
        sock.sendall(struct.pack("!I", len(request)) + request)
        return json.loads(read_exact(sock, struct.unpack("!I", read_exact(sock, 4))[0]))


def explain(server, *args):
    answer = explained(server, *args)
    assert answer["status"] == 0, answer
    return answer["data"]


FOUR = [f"192.0.2.{i}" for i in range(1, 5)]
TWO_SITES = [of_site(FOUR[0], "eu"), of_site(FOUR[1], "eu"), of_site(FOUR[2], "us")]


# ---- answers


def test_clients_get_what_is_near(rondo):
    server = start_near(rondo, FOUR, [{"name": "www", "policy": "weighted", "members": TWO_SITES}])
    assert seen_from(server, EU) == set(FOUR[:2])
    assert seen_from(server, US) == {FOUR[2]}
    assert seen_from(server, ELSEWHERE) == set(FOUR)
    # Two sites that ask in turns: each sees its members in turns nevertheless.
    with Asker(server, WWW, source=EU) as eu, Asker(server, WWW, source=ELSEWHERE) as other:
        pairs = [(eu.ask().addresses[0], other.ask().addresses[0]) for _ in range(40)]
    assert {a for a, _ in pairs} == set(FOUR[:2]) and {b for _, b in pairs} == set(FOUR)


def test_a_site_dies_and_comes_back(rondo, backends):
    web = backends(4)
    members = [of_site(web.addresses[0], "eu"), of_site(web.addresses[1], "eu", tier=2),
               of_site(web.addresses[2], "us"), {"address": web.addresses[3], "tier": 2}]
    server = start_near(rondo, web.addresses, [{"name": "www", "probe": "web", "members": members}], [http(web.port)])
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "up"))
    wait_seen_from(server, EU, {web.addresses[0]})
    web[0].stop()
    wait_seen_from(server, EU, {web.addresses[1]})  # the site's own second tier, not the others' first
    web[1].stop()
    wait_seen_from(server, EU, {web.addresses[2]})  # all others, by tier
    web[2].stop()
    wait_seen_from(server, EU, {web.addresses[3]})
    web[1].start()
    wait_seen_from(server, EU, {web.addresses[1]})
    assert seen_from(server, US) == {web.addresses[1], web.addresses[3]}


def test_subnets_of_trusted_resolvers(rondo):
    """The scope is the prefix within which everybody gets the same, and no longer than what was told."""
    server = start_near(rondo, FOUR, [{"name": "www", "answers": 1, "members": TWO_SITES},
                                      {"name": "ns1", "policy": "hash", "hash_prefix4": 24}],
                        server='ecs_trusted = [ "127.0.0.0/8" ];')

    def ask(subnet, bits, name=WWW):
        reply = server.query(name, "A", use_edns=0, options=[dns.edns.ECSOption(subnet, bits)])
        option, = [option for option in reply.options if option.otype == dns.edns.ECS]
        assert (option.address, option.srclen) == (subnet, bits)
        return addresses(reply)[0], option.scopelen

    eu, us = set(FOUR[:2]), {FOUR[2]}
    for subnet, bits, expected, scope in [
            ("10.200.1.0", 24, eu, 9), ("10.0.1.0", 24, eu, 16), ("10.1.1.0", 24, us, 16), ("10.0.0.0", 8, eu, 8),
            ("2001:db8:7::", 56, eu, 32), ("192.168.1.0", 24, set(FOUR), 1), ("0.0.0.0", 0, set(FOUR), 0)]:
        found = [ask(subnet, bits) for _ in range(12)]
        assert {address for address, _ in found} == expected, subnet
        assert {told for _, told in found} == {scope}, subnet
    assert ask("10.1.1.0", 24, "ns1.example.com")[1] == 24


def test_reload_changes_networks_and_sites(rondo):
    server = start_near(rondo, FOUR, [{"name": "www", "members": TWO_SITES}])
    path = server.dir / "us.txt"
    path.write_text("# the others\n127.0.1.0/24\n")
    probes, _ = server.extra.split("sites", 1)
    server.extra = probes + sites({"eu": ["127.0.2.0/24"], "asia": ["127.0.3.0/24"]}, us="us.txt")
    server.write_config()
    assert server.reload().returncode == 0
    assert seen_from(server, EU) == {FOUR[2]}
    assert seen_from(server, US) == set(FOUR[:2])
    path.write_text("127.0.3.0/25\n")
    assert server.reload().returncode == 0
    assert seen_from(server, ELSEWHERE) == {FOUR[2]}
    assert seen_from(server, EU) == set(FOUR)
    path.write_text("127.0.3.0/25\n127.0.3.0/33\n127.0.2.0/24\n")
    done = server.reload()
    assert done.returncode == 1
    assert re.search(r"us\.txt:2: error: expected an address or a network", done.stdout), done.stdout
    assert re.search(r'us\.txt:3: error: .*127\.0\.2\.0/24 is in site "eu" too', done.stdout), done.stdout
    assert seen_from(server, ELSEWHERE) == {FOUR[2]}
    rearrange(server, [{"name": "www"}])
    assert server.reload().returncode == 0
    assert seen_from(server, EU) == set(FOUR)


def test_errors_are_told_at_once(rondo):
    server = arrange(rondo, a_records("www", FOUR),
                     [{"name": "www", "hash_prefix4": 7, "hash_prefix6": 129,
                       "members": [of_site(FOUR[0], "uss"), of_site(FOUR[1], "mars")]}])
    server.extra += "\n" + sites({"us": ["192.0.2.0/24", "10.0.0.1/8"], "eu": ["192.0.2.0/24"]}, asia="none.txt")
    server.write_config()
    done = server.validate()
    assert done.returncode == 1
    for words in ('there is no site "uss"; did you mean "us"?', 'there is no site "mars"',
                  '"sites.networks": expected an address or a network', 'network 192.0.2.0/24 is in site "us" too',
                  "none.txt: error: cannot be read", "a whole number from 8 to 32", "a whole number from 16 to 128"):
        assert words in done.stderr, words + "\n" + done.stderr


def test_a_hundred_thousand_networks(rondo):
    server = arrange(rondo, a_records("www", FOUR), [{"name": "www", "members": TWO_SITES}])
    lines = [f"{1 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24\n" for i in range(100000)]
    (server.dir / "us.txt").write_text("".join(lines))
    server.extra += "\n" + sites({"eu": NETWORKS["eu"]}, us="us.txt")
    server.write_config()
    began = time.monotonic()
    done = server.validate()
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 10  # half a second without a sanitizer
    server.start()
    assert explain(server, WWW, "A", "--client", "2.5.5.5")["client"]["in"] == "2.5.5.0/24"
    assert seen_from(server, EU) == set(FOUR[:2])


# ---- hash_prefix


def test_clients_of_one_prefix_are_one(rondo):
    server = balanced(rondo, a_records("www", FOUR) + a_records("fine", FOUR),
                      [{"name": "www", "policy": "hash", "hash_prefix4": 16}, {"name": "fine", "policy": "hash"}])
    clients = [f"127.7.{i}.1" for i in range(12)]
    assert len({address for client in clients for address in seen_from(server, client, 2)}) == 1
    assert len({address for client in clients for address in seen_from(server, client, 2, "fine.example.com")}) > 1


# ---- explain


def test_explain_a_pool(rondo, backends):
    web = backends(3)
    members = [of_site(web.addresses[0], "eu", weight=3), of_site(web.addresses[1], "eu"),
               of_site(web.addresses[2], "us", tier=2)]
    groups = [{"name": "www", "probe": "web", "policy": "weighted", "members": members}]
    server = start_near(rondo, web.addresses, groups, [http(web.port)])
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "up"))
    told = explain(server, WWW, "A", "--client", EU, "--if-down", ",".join(web.addresses[:2]))
    pool = told["pool"]
    assert told["client"] == {"network": EU, "in": "127.0.1.0/24", "site": "eu", "scope": 24}
    assert told["names"][0]["found"] == "name" and told["names"][0]["zone"] == "example.com"
    assert (pool["group_by"], pool["group"], pool["policy"]) == ("name", WWW, "weighted")
    assert "balance" in server.conf_path.read_text().splitlines()[pool["line"] - 2]
    now, then = pool["now"], pool["then"]
    assert (now["chosen_from_site"], now["near_live"], now["tier"], now["ttl"]) == ("eu", 2, 1, 20)
    assert [member["share"] for member in now["members"]] == pytest.approx([0.75, 0.25, 0])
    assert [member["used"] for member in now["members"]] == [True, True, False]
    assert "200" in now["members"][0]["reason"]
    assert (then["chosen_from_site"], then["near_live"], then["tier"]) == (None, 0, 2)
    assert [member["share"] for member in then["members"]] == [0, 0, 1]
    assert [tier["live"] for tier in then["tiers"]] == [0, 1]
    assert seen_from(server, EU) == set(web.addresses[:2])  # nothing has been done
    text = server.ctl("explain", WWW, "a", "--client", EU, "--if-down", web.addresses[0]).stdout
    for words in ('site "eu": 2 of 2 members live: chosen from these', f"if      {web.addresses[0]} is down",
                  'site "eu": 1 of 2 members live', f"{server.conf_path}:{pool['line']}", "WHY"):
        assert words in text, words + "\n" + text


def test_explain_says_what_happens(rondo, backends):
    """What it predicts of a death is what comes."""
    web = backends(3)
    rows = [{"address": web.addresses[0]}, {"address": web.addresses[1], "tier": 2},
            {"address": web.addresses[2], "weight": 0}]
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web", "members": rows}],
                      [http(web.port)])
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "up"))

    def used(outcome):
        return {member["address"] for member in outcome["members"] if member["used"]}

    pool = explain(server, WWW, "A", "--if-down", web.addresses[0])["pool"]
    assert used(pool["now"]) == seen(server, WWW) == {web.addresses[0]}
    assert [member["why"] for member in pool["now"]["members"]] == ["up", "tier 1 is used", "drained"]
    assert [member["why"] for member in pool["then"]["members"]] == ["down", "up", "drained"]
    web[0].stop()
    wait_seen(server, WWW, used(pool["then"]))
    wait_verdicts(server, WWW, dict(zip(web.addresses, ("down", "up", "up"))))
    pool = explain(server, WWW, "A", "--if-up", web.addresses[0], "--if-down", web.addresses[1])["pool"]
    assert used(pool["now"]) == {web.addresses[1]}
    assert used(pool["then"]) == {web.addresses[0]}


def test_explain_who_a_hash_gives(rondo):
    server = balanced(rondo, a_records("www", FOUR), [{"name": "www", "policy": "hash"}])
    for i in range(6):
        client = f"127.9.9.{i + 1}"
        now = explain(server, WWW, "A", "--client", client)["pool"]["now"]
        assert {member["address"] for member in now["members"] if member["given"]} == seen_from(server, client, 2)
        assert 0 <= now["slot"] < now["slots"] == 4096
    assert explain(server, WWW, "A")["pool"]["now"]["members"][0]["given"] is False


MORE = """\
alias CNAME far
far CNAME www
plain A 192.0.2.9
plain A 192.0.2.10
*.wild A 192.0.2.1
sub NS ns.sub
ns.sub A 192.0.2.99
d DNAME wild
"""


def test_explain_names(rondo):
    server = balanced(rondo, a_records("www", FOUR) + MORE,
                      [{"name": "www"}, {"below": "wild"}, {"name": "plain2"}])

    def told(name, rdtype="A"):
        return explain(server, name, rdtype)

    def found(answer):
        return [row["found"] for row in answer["names"]]

    answer = told("alias.example.com")
    assert [row["name"] for row in answer["names"]] == ["alias.example.com", "far.example.com", WWW]
    assert answer["pool"]["name"] == WWW
    answer = told("x.wild.example.com")
    assert found(answer) == ["wildcard"] and answer["names"][0]["at"] == "*.wild.example.com"
    assert (answer["pool"]["group_by"], answer["pool"]["group"]) == ("below", "wild.example.com")
    assert found(told("a.d.example.com")) == ["dname", "wildcard"]
    answer = told("plain.example.com")
    assert answer["pool"] is None and "no group" in answer["why_no_pool"]
    assert sorted(row["data"] for row in answer["reply"]["answer"]) == ["192.0.2.10", "192.0.2.9"]
    answer = told("host.sub.example.com")
    assert found(answer) == ["cut"] and answer["names"][0]["at"] == "sub.example.com"
    answer = told("nobody.example.com")
    assert found(answer) == ["none"] and answer["reply"]["rcode"] == "NXDOMAIN"
    answer = told("example.org")
    assert found(answer) == ["no zone"] and answer["reply"]["rcode"] == "REFUSED"
    assert "no records of this type" in told(WWW, "AAAA")["why_no_pool"]
    assert "A and AAAA" in told(WWW, "MX")["why_no_pool"]
    text = server.ctl("explain", "alias.example.com", "A").stdout
    assert re.search(rf"leads to +{re.escape(WWW)}", text), text
    text = server.ctl("explain", "plain.example.com", "A").stdout
    assert "plain.example.com 300 A 192.0.2.9" in text and "none: no group" in text


def test_explain_refuses(rondo):
    server = balanced(rondo, a_records("www", FOUR) + "plain A 192.0.2.9\n", [{"name": "www"}])
    for status, words, *args in [
            (2, "no domain name", "a..b", "A"), (2, "no type of record", WWW, "Q"),
            (2, "no client", WWW, "A", "--client", "10.0.0.1/8"), (2, "no client", WWW, "A", "--client", ""),
            (2, "no address of a member", WWW, "A", "--if-down", "192.0.2.1,"),
            (2, "unknown option", WWW, "A", "x", "y"), (2, "needs a value", WWW, "A", "x"),
            (1, f'192.0.2.9 is no member of "{WWW}" A', WWW, "A", "--if-up", "192.0.2.9"),
            (1, "is no pool", "plain.example.com", "A", "--if-down", "192.0.2.9")]:
        answer = explained(server, *args)
        assert answer["status"] == status and words in answer["error"], answer
    for args in ((WWW,), (WWW, "A", "--for", "5m"), (WWW, "A", "--client")):
        done = server.ctl("explain", *args)
        assert done.returncode == 2, done.stderr
    server.assert_serving()


def test_explain_when_nobody_is_up(rondo, backends):
    web = backends(2)
    records = "".join(a_records(name, web.addresses) for name in ("all", "none", "fail", "other"))
    groups = [{"name": "all", "probe": "web"}, {"name": "none", "probe": "web", "all_down": "serve_none"},
              {"name": "fail", "probe": "web", "all_down": "servfail"},
              {"name": "other", "probe": "web", "all_down": ["192.0.2.77", "2001:db8::77"]}]
    server = rondo.prepare(zones={"example.com": zone(records)})
    server.keys = {"example.com": f"balance = {literal(groups)};"}
    server.extra = f"probes = {literal([http(web.port)])};"
    server.write_config()
    server.start()
    for name, outcome, instead in (("all", "answer", []), ("none", "nodata", []), ("fail", "servfail", []),
                                   ("other", "answer", ["192.0.2.77"])):
        owner = name + ".example.com"
        wait_verdicts(server, owner, dict.fromkeys(web.addresses, "up"))
        then = explain(server, owner, "A", "--if-down", ",".join(web.addresses))["pool"]["then"]
        assert (then["state"], then["outcome"], then["instead"]) == ("all_down", outcome, instead)
    assert "192.0.2.77" in server.ctl("explain", owner, "A", "--if-down", ",".join(web.addresses)).stdout

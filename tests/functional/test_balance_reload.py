"""Reloads of balanced names: no question is lost, what is broken stays out,
members and groups come and go; and a kill."""

import collections
import re
import signal
import threading
import time

import pytest

from backends import hang, status
from balancing import (Asker, a_records, asked, balance, balanced, http, rearrange, seen, tcp, ttls, verdicts,
                       wait_seen, wait_verdicts)
from rondo import Load, addresses, rcode, until

WWW = "www.example.com"
THREE = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def write_records(server, serial, records):
    text = server.zones["example.com"]
    head = text[:text.index("ns1     IN A")] + "ns1     IN A   192.0.2.53\n"
    server.write_zone("example.com", head.replace(" 1 3600", f" {serial} 3600") + records)


# ---- under load


def test_nothing_is_lost_while_everything_changes(rondo, backends):
    """Members die and return, groups and zone change, all at once; every question is
    answered, and never with what is not a member."""
    web = backends(4)
    groups = [{"name": "www", "probe": "web"}]
    server = balanced(rondo, a_records("www", web.addresses) + a_records("api", web.addresses), groups,
                      [http(web.port)])
    wait_seen(server, WWW, web.addresses)

    def good(reply):
        found = addresses(reply)
        is_subset = set(found) <= set(web.addresses) and len(set(found)) == len(found)
        return rcode(reply) == "NOERROR" and found and is_subset

    with Load(server, WWW, judge=good) as www, Load(server, "api.example.com", judge=good) as api, \
            Load(server, WWW, "AAAA", judge=lambda reply: rcode(reply) == "NOERROR" and not reply.answer) as other:
        for turn in range(24):
            web[turn % 4].manner = status(500 if turn // 4 % 2 == 0 else 200)
            policy = ("round_robin", "weighted", "random", "hash")[turn % 4]
            rows = [{"address": web.addresses[turn % 4], "weight": turn % 3, "tier": 1 + turn % 2}]
            changed = [{"name": "www", "probe": "web" if turn % 5 else "tcp", "policy": policy, "answers": 1 + turn % 4,
                        "members": rows}]
            if turn % 2:
                changed.append({"below": "@", "policy": policy, "probe": "tcp"})
            rearrange(server, changed, [http(web.port), tcp(web.port)])
            write_records(server, turn + 2,
                          a_records("www", web.addresses[turn % 2:]) + a_records("api", web.addresses))
            done = server.reload()
            assert done.returncode == 0, done.stdout + done.stderr
        server.write_config(server.config_text() + "nonsense")
        assert server.reload().returncode == 1
        for load in (www, api, other):
            load.wait_sent(20)
    for load in (www, api, other):
        assert (load.lost, load.wrong) == (0, 0), load.first_wrong
        assert load.sent > 100
    print(f"{www.sent + api.sent + other.sent} questions during 25 reloads, none lost")


def test_reloads_and_signals_while_verdicts_flip(rondo, backends):
    web = backends(3)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}],
                      [http(web.port, fall=1, rise=1)])
    wait_seen(server, WWW, web.addresses)
    halt = threading.Event()

    def flip():
        turn = 0
        while not halt.wait(0.03):
            turn += 1
            web[turn % 2].manner = status(500 if turn % 3 else 200)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        with Load(server, WWW, judge=lambda reply: web.addresses[2] in addresses(reply)) as load:
            for _ in range(30):
                server.send_signal(signal.SIGHUP)
                load.wait_sent(20)
            assert server.reload().returncode == 0
    finally:
        halt.set()
        thread.join()
    assert (load.lost, load.wrong) == (0, 0), load.first_wrong
    for backend in web:
        backend.manner = status(200)
    wait_seen(server, WWW, web.addresses)


# ---- what is broken stays out


# What the options' own checks find, and what shows only when names and probes are put together.
BROKEN_KEYS = """
probes = (
    { name = "web"; type = "http"; port = 80000; },
    { name = "web2"; type = "ftp"; },
    { name = "slow"; type = "http"; interval = "1s"; timeout = "2s"; },
    { name = "regex"; type = "http"; expect_body = "(("; },
    { name = "tcp"; type = "tcp"; }
);
zones = (
    { name = "example.com"; file = "example.com.zone";
      balance = (
        { name = "www"; policy = "wieghted"; },
        { name = "api"; ttl = "never"; },
        { name = "db"; min_up = 7.5; },
        { name = "db"; polcy = "hash"; },
        { name = "m"; members = ( { address = "192.0.2.300"; }, { address = "192.0.2.1"; weight = -4; },
                                  { weight = 1; } ); }
      ); }
);
"""
BROKEN_PLAN = """
probes = (
    { name = "web"; type = "http"; }
);
zones = (
    { name = "example.com"; file = "example.com.zone";
      balance = (
        { name = "app"; probe = "wbe"; },
        { policy = "hash"; },
        { name = "www"; },
        { name = "WWW"; ttl = 5; },
        { name = "www.example.net."; },
        { name = "*.wild"; probe = "web"; },
        { name = "m"; members = ( { address = "192.0.2.1"; }, { address = "192.0.2.1"; weight = 4; } ); },
        { name = "n"; all_down = "panic"; }
      ); }
);
"""
# Words of each line that is wrong, and of what must be said of it.
COMPLAINTS = {
    BROKEN_KEYS: {
        "port = 80000": "port", '"ftp"': "type", 'timeout = "2s"': "timeout", '"(("': "expect_body",
        'type = "tcp"': "port", '"wieghted"': "weighted", '"never"': "ttl", "7.5": "min_up", "polcy": "policy",
        "192.0.2.300": "192.0.2.300", "weight = -4": "weight", "{ weight = 1;": "address",
    },
    BROKEN_PLAN: {
        '"wbe"': '"web"', "{ policy =": "name", '"WWW"': "www", "example.net": "example.net", '"*.wild"': "host",
        "weight = 4": "192.0.2.1", '"panic"': "all_down",
    },
}


@pytest.mark.parametrize("rest", COMPLAINTS, ids=["keys", "plan"])
def test_broken_configuration_is_kept_out_with_all_its_errors(rondo, backends, rest):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web", "ttl": 9}],
                      [http(web.port)])
    wait_seen(server, WWW, web.addresses)
    good = server.config_text()
    bad = good[:good.index("probes = (")] + rest
    server.write_config(bad)
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1
    for text in (done.stdout + done.stderr, server.log_since(mark)):
        for words, complaint in COMPLAINTS[rest].items():
            (line,) = [number for number, row in enumerate(bad.splitlines(), 1) if words in row]
            found = re.search(rf"rondo\.conf:{line}: .*{re.escape(complaint)}", text)
            assert found, f"line {line}, {words}, {complaint} in:\n{text}"
    assert "reload refused" in server.log_since(mark)
    until(lambda: ttls(server.query(WWW)) == {9}, "the old settings apply")
    web[0].stop()
    wait_seen(server, WWW, web.addresses[1:])
    server.write_config(good.replace("ttl = 9", "ttl = 8"))
    assert server.reload().returncode == 0
    until(lambda: ttls(server.query(WWW)) == {8}, "the new settings apply")
    wait_seen(server, WWW, web.addresses[1:])


def test_broken_zone_keeps_its_pools(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web", "ttl": 9}],
                      [http(web.port)])
    wait_seen(server, WWW, web.addresses)
    write_records(server, 2, a_records("www", web.addresses[:1]) + "bad A nonsense\n")
    assert server.reload().returncode == 1
    assert seen(server, WWW) == set(web.addresses)
    web[0].stop()
    wait_seen(server, WWW, web.addresses[1:])
    until(lambda: ttls(server.query(WWW)) == {9}, "the old settings apply")


# ---- members and groups come and go


def test_members_come_and_go(rondo):
    server = balanced(rondo, a_records("www", THREE[:2]), [{"name": "www"}])
    assert seen(server, WWW) == set(THREE[:2])
    for serial, found in ((2, THREE), (3, THREE[2:]), (4, THREE[:1] + THREE[2:]), (5, [])):
        write_records(server, serial, a_records("www", found) + "www TXT here\n")
        assert server.reload().returncode == 0
        assert seen(server, WWW) == set(found)
        assert rcode(server.query(WWW)) == "NOERROR"
    write_records(server, 6, "")
    assert server.reload().returncode == 0
    assert rcode(server.query(WWW)) == "NXDOMAIN"
    write_records(server, 7, a_records("www", THREE))
    assert server.reload().returncode == 0
    assert seen(server, WWW) == set(THREE)
    assert ttls(server.query(WWW)) == {20}


def test_groups_come_and_go_over_an_unchanged_zone(rondo):
    """The zone's bytes stay the same; only what the configuration says of it changes."""
    server = balanced(rondo, a_records("www", THREE) + a_records("api.www", THREE), [{"name": "www", "ttl": 9}])
    assert (ttls(server.query(WWW)), ttls(server.query("api.www.example.com"))) == ({9}, {300})
    for groups, www, api in (([{"below": "www", "ttl": 8}], 300, 8), ([], 300, 300), ([{"below": "@", "ttl": 7}], 7, 7),
                             ([{"below": "@", "ttl": 7}, {"name": "www", "ttl": 6}], 6, 7)):
        rearrange(server, groups)
        assert server.reload().returncode == 0
        assert (ttls(server.query(WWW)), ttls(server.query("api.www.example.com"))) == ({www}, {api}), groups


def test_zone_and_annotations_change_in_one_reload(rondo):
    """Reading a big zone takes a while; until it is read, old annotations go with old
    records. A pool whose records stay follows too."""
    rest = a_records("api", THREE) + "$GENERATE 1-100000 h$ A 10.0.0.1\n"

    def groups(turn):
        rows = [{"address": THREE[turn % 2]}]
        return [{"name": "www", "others": "ignore", "members": rows}, {"name": "api", "ttl": 5 + turn}]

    server = balanced(rondo, a_records("www", THREE[:1]) + rest, groups(0))
    until(lambda: seen(server, WWW) == set(THREE[:1]), "the first version")
    with Load(server, WWW, judge=lambda reply: addresses(reply) in (THREE[:1], THREE[1:2])) as load:
        for turn in (1, 2, 3):
            rearrange(server, groups(turn))
            write_records(server, turn + 1, a_records("www", THREE[turn % 2:][:1]) + rest)
            assert server.reload().returncode == 0
            until(lambda: seen(server, WWW) == {THREE[turn % 2]}, "the new member")
            until(lambda: ttls(server.query("api.example.com")) == {5 + turn}, "the new TTL")
    assert (load.lost, load.wrong) == (0, 0), load.first_wrong
    assert load.sent > 100


def test_settings_of_a_pool_change(rondo):
    server = balanced(rondo, a_records("www", THREE), [{"name": "www"}])
    for weights in ((4, 1, 0), (1, 1, 1), (0, 5, 5)):
        rows = [{"address": address, "weight": weight} for address, weight in zip(THREE, weights)]
        rearrange(server, [{"name": "www", "policy": "weighted", "members": rows}])
        assert server.reload().returncode == 0
        count = 100 * sum(weights)
        firsts = collections.Counter(found[0] for found in asked(server, WWW, count))
        assert firsts == {address: 100 * weight for address, weight in zip(THREE, weights) if weight}
    rearrange(server, [{"name": "www", "policy": "hash"}])
    assert server.reload().returncode == 0
    assert len(seen(server, WWW)) == 1


def test_a_zone_with_pools_comes_and_goes(rondo):
    server = balanced(rondo, a_records("www", THREE), [{"name": "www", "ttl": 9}])
    server.zones["other.test"] = server.zones["example.com"]
    server.write_zone("other.test", server.zones["other.test"])
    server.keys["other.test"] = balance([{"name": "www", "ttl": 5}])
    server.write_config()
    for _ in range(3):
        assert server.reload().returncode == 0
        assert (ttls(server.query("www.other.test")), ttls(server.query(WWW))) == ({5}, {9})
        rows = dict(server.zones)
        del server.zones["other.test"]
        server.write_config()
        assert server.reload().returncode == 0
        assert rcode(server.query("www.other.test")) == "REFUSED"
        assert ttls(server.query(WWW)) == {9}
        server.zones = rows
        server.write_config()


def test_a_cut_above_a_pool_comes_and_goes(rondo):
    server = balanced(rondo, a_records("www.sub", THREE), [{"name": "www.sub", "ttl": 9}])
    name = "www.sub.example.com"
    assert ttls(server.query(name)) == {9}
    write_records(server, 2, a_records("www.sub", THREE) + "sub NS ns.example.net.\n")
    assert server.reload().returncode == 0
    reply = server.query(name)
    assert reply.answer == [] and reply.authority[0].to_text().startswith("sub.example.com. 300 IN NS")
    write_records(server, 3, a_records("www.sub", THREE))
    assert server.reload().returncode == 0
    assert ttls(server.query(name)) == {9}
    assert seen(server, name) == set(THREE)


def test_many_reloads_keep_no_memory_and_no_files(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}], [http(web.port)])

    def turns(first, count):
        for turn in range(first, first + count):
            rearrange(server, [{"name": "www", "probe": "web", "ttl": 5 + turn % 7}, {"below": f"b{turn}"}],
                      [http(web.port, path=f"/{turn % 3}")])
            write_records(server, turn, a_records("www", web.addresses) + a_records(f"x.b{turn}", THREE))
            assert server.reload().returncode == 0

    turns(2, 10)
    before = server.open_files()
    turns(12, 40)
    until(lambda: server.open_files() <= before + 2, lambda: f"{server.open_files()} files, {before} before")
    assert len(server.ctl_json("pools")["pools"]) == 2


# ---- kill


def test_kill_and_restart(rondo, backends):
    web = backends(3)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}], [http(web.port)])
    wait_seen(server, WWW, web.addresses)
    web[0].stop()
    wait_seen(server, WWW, web.addresses[1:])
    time.sleep(1)  # verdicts are written a tenth of a second after they were reached, which nothing shows
    for _ in range(3):
        server.kill()
        mark = server.log_mark()
        server.spawn()
        server.wait_log("listening on", mark)
        with Asker(server, WWW) as asker:
            for _ in range(6):
                assert web.addresses[0] not in asker.ask().addresses
    wait_verdicts(server, WWW, {web.addresses[0]: "down", web.addresses[1]: "up", web.addresses[2]: "up"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_at_once_though_checks_are_under_way(rondo, backends, number):
    web = backends(30, first=50, manner=hang)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}],
                      [http(web.port, interval="30s", fast_interval="30s", timeout="30s")],
                      server='start_wait = "200ms";')
    until(lambda: all(backend.visits for backend in web), "all are being checked")
    began = time.monotonic()
    server.stop(number)
    assert time.monotonic() - began < 2


def test_rss_does_not_grow_by_verdicts(rondo, backends):
    """Hundreds of transitions leave nothing behind."""
    web = backends(20, first=50)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web", "policy": "hash"}],
                      [http(web.port, interval="100ms", fast_interval="100ms", timeout="100ms", fall=1, rise=1)])

    count = collections.Counter()

    def flapping(connection, request, backend):
        count[backend.address] += 1
        status(200 if count[backend.address] % 2 else 500)(connection, request, backend)

    for backend in web:
        backend.manner = flapping
    until(lambda: sum(count.values()) > 200, "200 checks")
    before = server.rss_bytes()
    until(lambda: sum(count.values()) > 500, "300 more")
    assert server.rss_bytes() < before + 16 * 2**20  # a sanitizer's quarantine and RCU's delay
    assert set(verdicts(server, WWW).values()) <= {"up", "down"}

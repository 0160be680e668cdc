"""What operators order: drain, force, check; how it is answered, shown, and what of it outlives the server."""

import datetime
import re
import time

import pytest

from backends import hang, status
from balancing import (QUICK, Asker, a_records, arrange, balanced, http, members, pool, rearrange, seen, tcp, wait_seen,
                       wait_verdicts, zone)
from rondo import until

WWW = "www.example.com"
GROUP = {"name": "www", "policy": "random", "answers": 1}
A, B = "192.0.2.1", "192.0.2.2"


def when(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def unprobed(rondo, records=a_records("www", (A, B)), groups=(GROUP,), **kwargs):
    return balanced(rondo, records, list(groups), **kwargs)


def ordered(server, *args):
    """A command that must succeed; the member in its one zone."""
    data = server.ctl_json(*args)
    assert len(data["zones"]) == 1, data
    return data["zones"][0]["member"]


def refused(server, *args, status=1):
    done = server.ctl(*args)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def zone_with_serial(server, records, serial):
    server.write_zone("example.com", zone(records, serial))
    assert server.reload().returncode == 0


# ---- drain


def test_a_drained_member_is_answered_no_more(rondo):
    server = unprobed(rondo)
    assert seen(server, WWW) == {A, B}
    before = time.time()
    with Asker(server, WWW) as asker:
        member = ordered(server, "drain", WWW, A, "--reason", "new disks")
        after = time.time()
        assert {found for answer in asker.many(200) for found in answer} == {B}
    drain = member["drain"]
    assert member["drained"] and member["drained_by"] == ["operator"] and not member["used"]
    assert member["weight"] == 1
    assert int(before) <= when(drain["last_answer"]) <= after
    assert drain["ttl"] == 20
    assert 19 <= when(drain["safe"]) - when(drain["last_answer"]) <= 21
    assert 1 <= drain["safe_in_seconds"] <= 21
    assert drain["reason"] == "new disks" and drain["until"] is None
    assert drain["uid"] is not None and drain["pid"] > 0
    assert members(server, WWW)[A]["drain"]["last_answer"] == drain["last_answer"]
    shown = server.ctl("pools", WWW).stdout
    assert re.search(rf"{A} .*drained.*drained by \S+ .*because \"new disks\", safe to stop in", shown), shown
    member = ordered(server, "undrain", WWW, A)
    assert not member["drained"] and member["drain"] is None
    assert seen(server, WWW, 100) == {A, B}
    assert re.search(rf"\"{WWW}\": {A} is drained by user \d+, process \d+: \"new disks\"", server.log())


def test_the_words_of_drain(rondo):
    server = unprobed(rondo)
    done = server.ctl("drain", "--for", "1h", WWW, A)
    assert done.returncode == 0
    for part in (rf"{A} in {WWW} A: not checked, not used; drained by \S+ since 0s, for 1h more, safe to stop in",
                 r"last answer +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", r"largest TTL +20s",
                 r"safe to stop +\d{4}.* UTC, in (20|21|19)s"):
        assert re.search(part, done.stdout), done.stdout
    assert "drain POOL MEMBER [--for TIME] [--reason TEXT]" in server.ctl("--help").stdout


def test_draining_the_last_member_is_said_loudly(rondo):
    server = unprobed(rondo)
    ordered(server, "drain", WWW, A)
    done = server.ctl("drain", WWW, B)
    assert done.returncode == 0
    assert "still answered: every member is drained, so drains are ignored" in done.stdout
    assert pool(server, WWW)["state"] == "all_drained"
    assert seen(server, WWW, 100) == {A, B}
    for member in members(server, WWW).values():
        assert member["drain"]["last_answer"] is None and member["used"]
    assert "drains are ignored" in server.log()
    ordered(server, "undrain", WWW, A)
    assert seen(server, WWW, 100) == {A}
    until(lambda: members(server, WWW)[B]["drain"]["last_answer"], "the last answer of the one that is drained yet")


def test_a_time_ends_by_itself(rondo):
    server = unprobed(rondo)
    ordered(server, "force", WWW, B, "down", "--for", "1h")
    member = ordered(server, "drain", WWW, A, "--for", "500ms")
    assert member["drain"]["left_seconds"] <= 1
    wait_seen(server, WWW, [A])
    assert members(server, WWW)[A]["drain"] is None
    assert members(server, WWW)[B]["force"]["left_seconds"] > 3500
    server.wait_log(r"is no longer drained \(its time is over\)")


def test_both_families_and_weight_0(rondo):
    records = a_records("www", (A, B, "2001:db8::1", "2001:db8::2"))
    group = {**GROUP, "members": [{"address": A, "weight": 0}]}
    server = unprobed(rondo, records, [group])
    ordered(server, "drain", WWW.upper() + ".", "2001:DB8:0::1")
    assert seen(server, WWW, rdtype="AAAA") == {"2001:db8::2"}
    assert members(server, WWW)[A]["drained_by"] == ["weight"]
    assert "its weight in the configuration is 0" in refused(server, "undrain", WWW, A)
    ordered(server, "drain", WWW, A)
    assert members(server, WWW)[A]["drained_by"] == ["weight", "operator"]


# ---- force


def test_force(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{**GROUP, "probe": "web"}], [http(web.port)])
    wait_seen(server, WWW, web.addresses)
    first, second = web.addresses
    member = ordered(server, "force", WWW, first, "down", "--reason", "lies")
    assert member["force"]["as"] == "down" and member["verdict"] == "up" and not member["used"]
    assert seen(server, WWW) == {second}
    assert re.search(rf"{first} .*up, forced down.*because \"lies\"", server.ctl("pools", WWW).stdout)
    web[1].stop()
    wait_verdicts(server, WWW, {first: "up", second: "down"})
    ordered(server, "force", WWW, second, "up")
    assert seen(server, WWW) == {second}
    ordered(server, "unforce", WWW, first)
    assert seen(server, WWW, 100) == {first, second}
    ordered(server, "unforce", WWW, second)
    assert seen(server, WWW) == {first}


# ---- what is wrong is said


def test_mistakes(rondo):
    server = unprobed(rondo)
    assert f'did you mean "{WWW}"' in refused(server, "drain", "www", A)
    assert f'did you mean "{WWW}"' in refused(server, "drain", "wwv.example.com", A)
    assert '"rondoctl pools" shows all' in refused(server, "drain", "nothing.like.it", A)
    assert '"..": ' not in refused(server, "drain", "..", A)
    assert f'"192.0.2.9" is no member of it; it has {A}, {B}' in refused(server, "drain", WWW, "192.0.2.9")
    assert f'"web1" is no address; it has {A}, {B}' in refused(server, "check", WWW, "web1")
    assert "is not drained" in refused(server, "undrain", WWW, A)
    assert "is not forced" in refused(server, "unforce", WWW, A)
    assert "expected up or down" in refused(server, "force", WWW, A, "sideways", status=2)
    assert "expected such as" in refused(server, "drain", WWW, A, "--for", "soon", status=2)
    assert "expected such as" in refused(server, "drain", WWW, A, "--for", "0", status=2)
    assert "250 bytes" in refused(server, "drain", WWW, A, "--reason", "x" * 251, status=2)
    assert "no option of undrain" in refused(server, "undrain", WWW, A, "--for", "1m", status=2)
    assert "no option of status" in refused(server, "status", "--reason", "x", status=2)
    assert "it has no probe" in refused(server, "check", WWW, A)
    assert seen(server, WWW) == {A, B}


def test_many_members_are_listed_in_part(rondo):
    server = unprobed(rondo, a_records("www", [f"192.0.2.{i}" for i in range(1, 31)]))
    assert "192.0.2.8 and 22 more" in refused(server, "drain", WWW, "192.0.2.99")


# ---- a name in two zones


def test_a_name_that_is_a_pool_in_two_zones(rondo):
    from balancing import balance
    child = zone("").replace("ns1     IN A", "ns1 IN A") + f"www A {A}\nwww A {B}\n"
    server = rondo(zones={"example.com": zone(a_records("www.sub", (A, B))), "sub.example.com": child},
                   keys={"example.com": balance([{**GROUP, "name": "www.sub"}]), "sub.example.com": balance([GROUP])})
    done = server.ctl("drain", "www.sub.example.com", A)
    assert done.returncode == 0
    assert "is a pool in 2 zones; done in each" in done.stdout
    assert "of zone sub.example.com: " in done.stdout and "of zone example.com: " in done.stdout
    assert seen(server, "www.sub.example.com") == {B}
    assert len(server.ctl_json("undrain", "www.sub.example.com", A)["zones"]) == 2
    assert seen(server, "www.sub.example.com", 100) == {A, B}


# ---- what lasts


def test_orders_last_over_reloads_and_absence(rondo):
    server = unprobed(rondo)
    ordered(server, "drain", WWW, A, "--reason", "moves")
    ordered(server, "force", WWW, B, "up")
    zone_with_serial(server, a_records("www", (B, "192.0.2.3")), 2)
    (lone,) = server.ctl_json("pools")["orders_without_member"]
    assert (lone["pool"], lone["zone"], lone["member"]) == (WWW, "example.com", A)
    assert lone["drain"]["reason"] == "moves" and lone["force"] is None
    assert f"no member now: {A} of {WWW}, drained by" in server.ctl("pools", WWW).stdout
    rearrange(server, [{**GROUP, "policy": "weighted"}])
    zone_with_serial(server, a_records("www", (A, B)), 3)
    assert "orders_without_member" not in server.ctl_json("pools")
    assert seen(server, WWW, 100) == {B}
    assert members(server, WWW)[B]["force"]["as"] == "up"
    zone_with_serial(server, a_records("www", (B, "192.0.2.3")), 4)
    done = server.ctl("undrain", WWW, A)
    assert done.returncode == 0 and "is no member of" in done.stdout
    zone_with_serial(server, a_records("www", (A, B)), 5)
    assert seen(server, WWW, 100) == {A, B}


def test_orders_last_over_a_restart(rondo):
    server = unprobed(rondo)
    drain = ordered(server, "drain", WWW, A, "--reason", "moves")["drain"]
    server.restart()
    assert "drains and forced states in force from before: 1" in server.log()
    again = members(server, WWW)[A]["drain"]
    for key in ("since", "until", "uid", "pid", "reason", "last_answer", "ttl", "safe"):
        assert again[key] == drain[key], key
    assert seen(server, WWW, 100) == {B}
    ordered(server, "undrain", WWW, A)
    server.restart()
    assert seen(server, WWW, 100) == {A, B}


def test_a_last_answer_is_not_forgotten(rondo):
    """Neither by the same order once more nor by a restart with a smaller TTL."""
    server = unprobed(rondo, groups=[{**GROUP, "ttl": 300}])
    drain = ordered(server, "drain", WWW, A)["drain"]
    assert drain["ttl"] == 300
    assert ordered(server, "drain", WWW, A, "--reason", "again")["drain"]["last_answer"] == drain["last_answer"]
    rearrange(server, [{**GROUP, "ttl": 20}])
    server.kill()
    server.start()
    again = members(server, WWW)[A]["drain"]
    assert (again["reason"], again["last_answer"], again["ttl"]) == ("again", drain["last_answer"], 300)
    ordered(server, "undrain", WWW, A)
    server.restart()
    other = ordered(server, "drain", WWW, B)["drain"]
    assert 290 < other["safe_in_seconds"] <= 302, other


def test_orders_last_over_kill_9(rondo):
    """Whatever was answered for is there again, five times."""
    server = unprobed(rondo)
    drained = False
    for i in range(5):
        drained = not drained
        ordered(server, "drain" if drained else "undrain", WWW, A)
        ordered(server, "force", WWW, B, "up" if i % 2 else "down")
        server.kill()
        server.start()
        shown = members(server, WWW)
        assert (shown[A]["drain"] is not None) == drained
        assert shown[B]["force"]["as"] == ("up" if i % 2 else "down")
    assert seen(server, WWW) == {B}


def test_a_time_that_ends_while_nobody_runs(rondo):
    server = unprobed(rondo)
    ordered(server, "drain", WWW, A, "--for", "1s")
    ends = time.time() + 1
    server.stop()
    time.sleep(max(0, ends - time.time()))
    server.start()
    wait_seen(server, WWW, [A, B], count=40)
    server.restart()
    assert "from before" not in server.log().rsplit("starting", 1)[1]


# ---- check


def test_check_shows_each_step(rondo, backends):
    web = backends(2)
    group = {**GROUP, "probe": ["web", "tcp"]}
    rows = [http(web.port, interval="1h"), tcp(web.port, interval="1h")]
    server = balanced(rondo, a_records("www", web.addresses), [group], rows)
    wait_seen(server, WWW, web.addresses)
    visits = len(web[0].visits)
    data = server.ctl_json("check", WWW, web.addresses[0])
    first, second = data["checks"]
    assert (first["probe"], first["type"], first["result"]) == ("web", "http", "passed")
    assert first["address"] == f"{web.addresses[0]}@{web.port}"
    assert 0 < first["connected_ms"] <= first["sent_ms"] <= first["first_byte_ms"] <= first["ended_ms"] < 10000
    assert first["reason"] == "status 200"
    assert (second["probe"], second["result"], second["sent_ms"]) == ("tcp", "passed", None)
    assert 0 < second["connected_ms"] <= second["ended_ms"]
    assert len(web[0].visits) >= visits + 2
    done = server.ctl("check", WWW, web.addresses[0])
    assert done.returncode == 0
    for part in (r"web \(http\) 127\.0\.0\.\d+@\d+", r"connected +\d+\.\d\d ms", r"sent +\d", r"first byte +\d",
                 r"passed +\d+\.\d\d ms +status 200", rf"{web.addresses[0]} in {WWW} is up, for"):
        assert re.search(part, done.stdout), done.stdout


def test_a_check_that_fails_counts(rondo, backends):
    """fall = 2: two of them take the member down, an hour before its next turn."""
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{**GROUP, "probe": "web"}],
                      [http(web.port, interval="1h", fast_interval="1h", fall=2)])
    wait_seen(server, WWW, web.addresses)
    web[0].manner = status(503)
    done = server.ctl("check", WWW, web.addresses[0])
    assert done.returncode == 1
    assert "1 of 1 checks did not pass" in done.stderr
    assert re.search(r"failed +\d+\.\d\d ms +status 503", done.stdout), done.stdout
    assert re.search(r"is up, unsettled", done.stdout), done.stdout
    assert server.ctl("check", WWW, web.addresses[0]).returncode == 1
    wait_seen(server, WWW, web.addresses[1:])
    web[0].manner = hang
    done = server.ctl("check", WWW, web.addresses[0])
    assert "no answer within 300ms" in done.stdout and "first byte" not in done.stdout
    web[0].stop()
    done = server.ctl("check", WWW, web.addresses[0])
    assert "refused" in done.stdout and "connected" not in done.stdout


@pytest.mark.parametrize("command", ["drain", "check"])
def test_a_client_that_leaves(rondo, backends, command):
    web = backends(1, manner=hang)
    server = arrange(rondo, a_records("www", web.addresses), [{**GROUP, "probe": "web"}],
                     [http(web.port, timeout="2s", interval="2s")], server='start_wait = "0s";').start()
    server.ctl("-t", "50ms", command, WWW, web.addresses[0])
    server.assert_serving()
    server.stop()

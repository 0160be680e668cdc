"""Failover and the way back: tiers, members that return, and failures that are our own. Bounds are doubled for busy
machines."""

import time

import pytest

from balancing import Asker, a_records, balanced, members, pool, seen, tcp, verdicts, wait_seen
from rondo import until

# A connection is made or refused at once here, however busy the machine is.
FAST = {"interval": "100ms", "fast_interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 2}


def probe(web, **keys):
    return tcp(web.port, **{**FAST, **keys})


def tiers(web):
    """Members on the fleet's addresses, a tier each."""
    return [{"address": address, "tier": 1 + number} for number, address in enumerate(web.addresses)]


def group(name, web, **keys):
    return {"name": name, "probe": "tcp", "members": tiers(web), **keys}


def name_of(name):
    return f"{name}.example.com"


def health(anchors, **keys):
    return "health: { anchors = [ " + ", ".join(f'"{anchor}"' for anchor in anchors) + " ];" + "".join(
        f' {key} = "{value}";' for key, value in keys.items()) + " };\n"


# ---- tiers


def would_be_used(server, name, rdtype="A", up=None, down=None):
    """What `explain` says of it."""
    words = [word for option, value in (("--if-up", up), ("--if-down", down)) if value for word in (option, value)]
    then = server.ctl_json("explain", name_of(name), rdtype, *words)["pool"]["then"]
    return {member["address"] for member in then["members"] if member["used"]}


def test_the_way_back_to_a_better_tier(rondo, backends):
    web = backends(2)
    first, second = web.addresses
    kinds = {"auto": "auto", "manual": "manual", "timed": "1s"}
    server = balanced(rondo, "".join(a_records(name, web.addresses) for name in kinds),
                      [group(name, web, failback=word) for name, word in kinds.items()], [probe(web)])
    for name in kinds:
        wait_seen(server, name_of(name), [first])
    web[0].stop()
    for name in kinds:
        wait_seen(server, name_of(name), [second])
    assert would_be_used(server, "auto", up=first) == {first}
    assert would_be_used(server, "manual", up=first) == {second}
    began = time.monotonic()
    web[0].start()
    wait_seen(server, name_of("auto"), [first])
    wait_seen(server, name_of("timed"), [first])
    took = time.monotonic() - began
    print(f"back after {took:.2f} s of 1 s and a check")
    assert 1 < took < 2.5
    # who is told to wait waits, and says so; a reload changes nothing
    assert seen(server, name_of("manual")) == {second}
    text = server.ctl("pools", name_of("manual")).stdout
    assert "stays on tier 2, tier 1 is good again for" in text, text
    assert server.ctl("reload").returncode == 0
    assert seen(server, name_of("manual")) == {second}
    assert pool(server, name_of("manual"))["better_tier"] == 1
    # by order
    done = server.ctl("failback", name_of("manual"))
    assert (done.returncode, done.stdout) == (0, "1 pool goes back\n"), done
    wait_seen(server, name_of("manual"), [first])
    done = server.ctl("failback", name_of("manual"))
    assert done.returncode == 1 and "on its best tier" in done.stderr
    done = server.ctl("failback", name_of("nobody"))
    assert done.returncode == 1 and "is no pool" in done.stderr
    # not with the dead
    web[0].stop()
    wait_seen(server, name_of("manual"), [second])
    web[0].start()
    until(lambda: pool(server, name_of("manual"))["better_tier"] == 1, "tier 1 is good again")
    assert server.ctl("failback", "all").stdout.endswith(" back\n")
    wait_seen(server, name_of("manual"), [first])


def test_one_tier_for_both_families(rondo, backends):
    """AAAA records are checked at addresses that this machine has."""
    web = backends(4)
    v4, v6 = web.addresses[:2], ["2001:db8::1", "2001:db8::2"]
    rows = tiers(web)[:2] + [{"address": address, "tier": 1 + i, "check_address": web.addresses[2 + i]}
                             for i, address in enumerate(v6)]
    groups = [{"name": name, "probe": "tcp", "families": name, "members": rows} for name in ("together", "apart")]
    server = balanced(rondo, a_records("together", v4 + v6) + a_records("apart", v4 + v6), groups, [probe(web)])
    for name in ("together", "apart"):
        wait_seen(server, name_of(name), v4[:1])
        wait_seen(server, name_of(name), v6[:1], "AAAA")
    assert would_be_used(server, "together", down=v6[0]) == set(v4[1:])
    assert would_be_used(server, "apart", "AAAA", down=v6[0]) == set(v6[1:])
    web[2].stop()
    wait_seen(server, name_of("together"), v6[1:], "AAAA")
    assert would_be_used(server, "together", up=v6[0]) == set(v4[:1])
    assert would_be_used(server, "together", "AAAA", up=v6[0]) == set(v6[:1])
    wait_seen(server, name_of("together"), v4[1:])
    wait_seen(server, name_of("apart"), v6[1:], "AAAA")
    assert seen(server, name_of("apart")) == set(v4[:1])
    assert pool(server, name_of("together"))["families"] == "together"
    # a family that has nobody in the tier goes to its own next one
    web[1].stop()
    wait_seen(server, name_of("together"), v4[:1])
    assert seen(server, name_of("together"), rdtype="AAAA") == set(v6[1:])


def test_trickle(rondo, backends):
    web = backends(3)
    rows = [{"address": web.addresses[0]}, {"address": web.addresses[1]}, {"address": web.addresses[2], "tier": 2}]
    groups = [{"name": "www", "probe": "tcp", "policy": "weighted", "trickle": 0.05, "members": rows},
              {"name": "two", "probe": "tcp", "policy": "random", "answers": 2, "trickle": 0.1, "members": rows}]
    server = balanced(rondo, a_records("www", web.addresses) + a_records("two", web.addresses), groups, [probe(web)])
    until(lambda: verdicts(server, name_of("www")) == dict.fromkeys(web.addresses, "up"), "all are up")
    with Asker(server, name_of("www")) as asker:
        assert asker.firsts(400) == {web.addresses[0]: 190, web.addresses[1]: 190, web.addresses[2]: 20}
    with Asker(server, name_of("two")) as asker:
        answers = asker.many(2000)
    standby = [found for found in answers if web.addresses[2] in found]
    assert all(len(found) == 1 for found in standby) and all(len(found) == 2 for found in answers if found not in standby)
    assert 120 < len(standby) < 280
    shown = pool(server, name_of("www"))
    assert (shown["tier"], shown["trickle_tier"], shown["trickle"]) == (1, 2, 0.05)
    assert [round(member["share"], 3) for member in shown["members"]] == [0.475, 0.475, 0.05]
    assert "5 % from tier 2" in server.ctl("pools", name_of("www")).stdout
    web[2].stop()
    wait_seen(server, name_of("www"), web.addresses[:2], count=60)


# ---- members


def test_slow_start(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses),
                      [{"name": "www", "probe": "tcp", "policy": "weighted", "slow_start": "2s"}], [probe(web)])
    www = name_of("www")
    wait_seen(server, www, web.addresses)

    assert members(server, www)[web.addresses[0]]["share"] == 0.5  # at a start nobody comes back
    web[0].stop()
    wait_seen(server, www, web.addresses[1:])
    web[0].start()
    with Asker(server, www) as asker:
        until(lambda: web.addresses[0] in asker.firsts(25), "it is back", pause=0.001)
        began = time.monotonic()
        shares = []
        while time.monotonic() - began < 8 and (not shares or shares[-1] < 0.5):
            if len(shares) == 3:
                member = members(server, www)[web.addresses[0]]
                assert 0 < member["share"] < 0.5 and member["weight_percent"] < 100, member
            shares.append(asker.firsts(200)[web.addresses[0]] / 200)
            time.sleep(0.02)
    took = time.monotonic() - began
    print(f"{took:.2f} s: {shares}")
    assert all(later > earlier - 0.06 for earlier, later in zip(shares, shares[1:])), shares
    assert shares[0] < 0.2 and sum(0.2 < share < 0.45 for share in shares) >= 3, shares
    assert 1.5 < took < 4
    assert members(server, www)[web.addresses[0]]["weight_percent"] == 100


def test_a_member_that_comes_and_goes(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses),
                      [{"name": "www", "probe": "tcp", "flap_hold": "2s"}], [probe(web)])
    www = name_of("www")
    wait_seen(server, www, web.addresses)
    web[0].stop()
    wait_seen(server, www, web.addresses[1:])
    died = time.monotonic()
    web[0].start()
    until(lambda: members(server, www)[web.addresses[0]]["waits_until"], "it waits")
    assert ", waits until " in server.ctl("pools", www).stdout
    with Asker(server, www) as asker:
        until(lambda: len(asker.ask().addresses) == 2, "it is back", pause=0.002)
    took = time.monotonic() - died
    print(f"back after {took:.2f} s of 2 s")
    assert 1.5 < took < 4
    web[0].stop()  # down never waits
    wait_seen(server, www, web.addresses[1:], timeout=1.5)
    web[0].start()
    until(lambda: members(server, www)[web.addresses[0]]["waits_until"], "it waits")
    web[1].stop()  # and nobody waits when nobody else is there
    wait_seen(server, www, web.addresses[:1], timeout=1.5)


# ---- our own failures


def stop_all(*backends):
    for backend in backends:
        backend.stop()


def start_all(*backends):
    for backend in backends:
        backend.start()


def hold(server):
    return server.ctl_json("status")["hold"]


def steady(server, name, expected, seconds):
    """Nothing else is answered for so long."""
    end = time.monotonic() + seconds
    with Asker(server, name) as asker:
        while time.monotonic() < end:
            assert set(asker.ask().addresses) == set(expected), server.log()
            time.sleep(0.002)


def test_a_broken_network_of_ours_empties_no_pool(rondo, backends):
    """All servers and all anchors die; what was dead before stays dead."""
    web, anchors = backends(3), backends(2, first=41)
    www = name_of("www")
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "tcp", "all_down": "servfail"}],
                      [probe(web, fall=1), probe(anchors, name="anchor")])
    server.extra += "\n" + health([f"{address} probe anchor" for address in anchors.addresses], hold_max="20s")
    server.write_config()
    assert server.ctl("reload").returncode == 0
    wait_seen(server, www, web.addresses)
    web[2].stop()
    wait_seen(server, www, web.addresses[:2])
    assert server.ctl_json("status")["anchors"] == {"total": 2, "down": 0}
    assert hold(server) is None
    time.sleep(0.3)  # an interval of the anchors: what died within one of a broken network may have died of that
    stop_all(web[0], web[1], *anchors)
    server.wait_log("hold: every anchor")
    wait_seen(server, www, web.addresses[:2])
    steady(server, www, web.addresses[:2], 0.5)
    shown = hold(server)
    assert shown["cause"] == "anchors" and shown["held"] == 2 and shown["failing"] == 5, shown
    text = server.ctl("pools", www).stdout
    assert text.startswith("HOLD for ") and "up, unsettled, held" in text, text
    assert "HOLD" in server.ctl("status").stdout
    # one comes back with the anchors, the other was really dead
    start_all(web[0], *anchors)
    server.wait_log("hold ended .* an anchor answers again")
    wait_seen(server, www, web.addresses[:1])
    assert hold(server) is None
    assert server.ctl("release").returncode == 1
    # again, ended by an operator
    mark = server.log_mark()
    web[1].start()
    wait_seen(server, www, web.addresses[:2])
    stop_all(web[1], *anchors)
    server.wait_log("hold: every anchor", mark)
    wait_seen(server, www, web.addresses[:2])
    done = server.ctl("release")
    assert (done.returncode, done.stdout) == (0, "verdicts are held no more\n"), done
    wait_seen(server, www, web.addresses[:1])
    assert hold(server) is None


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_during_a_hold_changes_nothing(rondo, backends, how):
    """Neither is a pool emptied nor are the dead believed: whoever restarts rondod then looks for the reason."""
    web = backends(12)
    www, x = name_of("www"), name_of("x")
    rows = [{"address": web.addresses[0], "tier": 1}, {"address": web.addresses[1], "tier": 2}]
    groups = [{"name": "www", "probe": "tcp", "all_down": "servfail"},
              {"name": "x", "probe": "tcp", "all_down": "servfail", "members": rows}]
    server = balanced(rondo, a_records("www", web.addresses) + a_records("x", web.addresses[:2]), groups,
                      [probe(web, interval="300ms", fall=1)])
    wait_seen(server, www, web.addresses, count=60)
    web[0].stop()
    wait_seen(server, www, web.addresses[1:], count=60)
    wait_seen(server, x, [web.addresses[1]])
    time.sleep(0.7)  # longer than within an interval
    stop_all(*web[1:])
    server.wait_log("hold: 1[01] of 12 targets")
    wait_seen(server, www, web.addresses[1:], count=60)
    time.sleep(0.3)  # what counts is written a tenth of a second after
    mark = server.log_mark()
    if how == "kill":
        server.kill()
        server.start()
    else:
        server.restart()
    steady(server, x, [web.addresses[1]], 0.5)
    server.wait_log("hold: ", mark)
    steady(server, www, web.addresses[1:], 0.5)
    start_all(*web[1:])
    server.wait_log("hold ended", mark)
    wait_seen(server, www, web.addresses[1:], count=60)


def test_nearly_all_targets_at_once(rondo, backends):
    """Eleven servers, no anchors: all die at once, most of them come back."""
    web = backends(11)
    www = name_of("www")
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "tcp", "all_down": "servfail"}],
                      [probe(web, interval="300ms", fall=3)])
    wait_seen(server, www, web.addresses)
    stop_all(*web)
    server.wait_log("hold: 1[01] of 11 targets began to fail within one interval")
    wait_seen(server, www, web.addresses)
    steady(server, www, web.addresses, 0.7)
    start_all(*web.backends[:7])
    server.wait_log("hold ended .* most targets pass again")
    wait_seen(server, www, web.addresses[:7])


def test_a_hold_has_an_end(rondo, backends):
    web, anchors = backends(1), backends(1, first=41)
    www = name_of("www")
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "tcp", "all_down": "servfail"}],
                      [probe(web), probe(anchors, name="anchor")])
    server.extra += "\n" + health([f"{anchors.addresses[0]}@{anchors.port} probe anchor"], hold_max="1s")
    server.write_config()
    assert server.ctl("reload").returncode == 0
    wait_seen(server, www, web.addresses)
    stop_all(*web, *anchors)
    server.wait_log("hold: every anchor")
    began = time.monotonic()
    with Asker(server, www) as asker:
        until(lambda: asker.ask().rcode == 2, "it is told as dead")
    took = time.monotonic() - began
    assert 0.7 < took < 2, took
    server.wait_log("hold ended .* hold_max has passed")


def test_one_of_two_sites_dies(rondo, backends):
    """With its anchor, and everything in it: that is what tiers are for."""
    east, west = backends(6), backends(6, first=31)
    www = name_of("www")
    rows = ([{"address": address, "check_address": address, "probe": "east"} for address in east.addresses[1:]]
            + [{"address": address, "tier": 2, "probe": "west"} for address in west.addresses[1:]])
    server = balanced(rondo, a_records("www", east.addresses[1:] + west.addresses[1:]),
                      [{"name": "www", "members": rows}], [probe(east, name="east"), probe(west, name="west")])
    server.extra += "\n" + health([f"{east.addresses[0]} probe east", f"{west.addresses[0]} probe west"])
    server.write_config()
    assert server.ctl("reload").returncode == 0
    wait_seen(server, www, east.addresses[1:])
    stop_all(*east)
    wait_seen(server, www, west.addresses[1:])
    assert server.ctl_json("status")["anchors"] == {"total": 2, "down": 1}
    assert hold(server) is None
    start_all(*east)
    wait_seen(server, www, east.addresses[1:])


@pytest.mark.parametrize("text, words", [
    ('health: { anchors = [ "127.0.0.1" ]; };', "without a probe, with a port"),
    ('health: { anchors = [ "127.0.0.1 probe wbe" ]; };', 'there is no probe "wbe"'),
    ('health: { hold_max = "2d"; };', "hold_max"),
])
def test_what_is_no_anchor(rondo, text, words):
    server = rondo.prepare(extra=text)
    done = server.validate()
    assert done.returncode == 1 and words in done.stderr, done.stderr

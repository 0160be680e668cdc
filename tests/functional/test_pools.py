"""What operators see of pools: rondoctl pools, status, and the bounds that rondod -t prints."""

import math
import re

import pytest

from backends import status
from balancing import (a_records, arrange, balanced, detection_ms, http, in_ms, members, pool, tcp, wait_seen,
                       wait_verdicts)
from rondo import until

THREE = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
WWW = "www.example.com"
# As long as it may be: DESIGN's defaults.
PLAIN = {"name": "web", "type": "http"}


# ---- rondoctl pools


def test_json_of_a_pool(rondo, backends):
    web = backends(3)
    probe = http(web.port, host="www.test")
    rows = [{"address": web.addresses[0], "weight": 3}, {"address": web.addresses[1], "weight": 0},
            {"address": "192.0.2.99", "tier": 2}]
    server = balanced(rondo, a_records("www", web.addresses),
                      [{"name": "www", "probe": "web", "policy": "weighted", "ttl": 7, "members": rows}], [probe])
    wait_verdicts(server, WWW, {**dict.fromkeys(web.addresses, "up"), "192.0.2.99": "unknown"})
    row = pool(server, WWW)
    expected = {"name": WWW, "zone": "example.com", "type": "A", "policy": "weighted", "state": "live", "tier": 1,
                "ttl": 7, "answers": 1, "probed": True}
    assert {key: row[key] for key in expected} == expected
    assert row["detection_ms"] == pytest.approx(detection_ms(probe), abs=1)
    found = members(server, WWW)
    assert list(found) == web.addresses + ["192.0.2.99"]
    assert [found[address]["weight"] for address in web.addresses] == [3, 0, 1]
    assert [found[address]["drained"] for address in web.addresses] == [False, True, False]
    assert [found[address]["used"] for address in web.addresses] == [True, False, True]
    assert [found[address]["share"] for address in web.addresses] == pytest.approx([0.75, 0, 0.25])
    assert found["192.0.2.99"]["sleeping"] and found["192.0.2.99"]["tier"] == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[web.addresses[0]]["since"])
    assert "200" in found[web.addresses[0]]["reason"]


def test_json_tells_of_the_dead(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}], [http(web.port)])
    wait_seen(server, WWW, web.addresses)
    web[0].manner = status(503)
    wait_verdicts(server, WWW, {web.addresses[0]: "down", web.addresses[1]: "up"})
    dead = members(server, WWW)[web.addresses[0]]
    assert (dead["used"], dead["share"]) == (False, 0)
    assert "503" in dead["reason"]
    assert 0 <= dead["since_age_seconds"] < 60
    web[1].stop()
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "down"))
    assert pool(server, WWW)["state"] == "all_down"
    counts = server.ctl_json("status")
    assert counts["pools"]["all_down"] == 1
    assert counts["members"]["down"] == 2


def test_table(rondo, backends):
    web = backends(2)
    server = balanced(rondo, a_records("www", web.addresses) + a_records("api", THREE),
                      [{"name": "www", "probe": "web"},
                       {"name": "api", "members": [{"address": THREE[0], "weight": 0}]}], [http(web.port)])
    wait_verdicts(server, WWW, dict.fromkeys(web.addresses, "up"))
    web[1].stop()
    wait_verdicts(server, WWW, {web.addresses[0]: "up", web.addresses[1]: "down"})
    done = server.ctl("pools")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for words in (["www.example.com"], ["api.example.com"], [web.addresses[0], "up", "100.0"],
                  [web.addresses[1], "down", "refused"],
                  [THREE[0], "drained"], [THREE[1], "50.0"]):
        assert any(all(word in line for word in words) for line in lines), f"{words}\n{done.stdout}"
    assert [line for line in lines if "example.com" in line][0].lstrip().startswith("api")  # by name


def test_one_name(rondo):
    server = balanced(rondo, a_records("www", THREE) + "www AAAA 2001:db8::1\n" + a_records("api", THREE),
                      [{"name": "www"}, {"name": "api"}])
    for name in (WWW, WWW + ".", "WWW.Example.COM"):
        rows = server.ctl_json("pools", name)["pools"]
        assert [(row["name"], row["type"]) for row in rows] == [(WWW, "A"), (WWW, "AAAA")]
        text = server.ctl("pools", name).stdout
        assert WWW in text and "api.example.com" not in text
    assert len(server.ctl_json("pools")["pools"]) == 3


def test_no_such_pool(rondo):
    server = balanced(rondo, a_records("www", THREE), [{"name": "www"}])
    for name in ("nobody.example.com", "ns1.example.com", "a..b", "x" * 300, ""):
        done = server.ctl("pools", name)
        assert done.returncode == 1, name
        assert len(done.stderr.splitlines()) == 1, done.stderr
    server.assert_serving()


def test_no_pools_at_all(rondo):
    server = rondo()
    done = server.ctl("pools")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.ctl_json("pools") == {"pools": [], "hold": None}


def test_shares_of_weights_that_are_no_small_numbers(rondo):
    """Beyond 4,096 slots shares are rounded, and -t says by how much."""
    rows = [{"address": THREE[0], "weight": 65521}, {"address": THREE[1], "weight": 32749},
            {"address": THREE[2], "weight": 1}]
    groups = [{"name": "www", "policy": "weighted", "members": rows}]
    server = balanced(rondo, a_records("www", THREE), groups)
    shares = [member["share"] for member in members(server, WWW).values()]
    assert sum(shares) == pytest.approx(1)
    for share, row in zip(shares, rows):
        assert share == pytest.approx(row["weight"] / 98271, abs=1 / 4096)
    assert shares[2] > 0
    done = server.validate()
    assert done.returncode == 0
    assert re.search(r"warning: .*www\.example\.com.*4,?096", done.stderr + done.stdout), done.stderr + done.stdout


# ---- rondod -t


def bounds(text):
    """name and type → (detection, staleness), in seconds, as -t prints them, in its order."""
    return {name: (float(detection), float(staleness))
            for detection, staleness, name in re.findall(r"(?m)^ *([\d.]+) s +([\d.]+) s +(\S+ (?:A|AAAA))$", text)}


def rounded_up(seconds):
    """As -t shows them: in tenths, never less."""
    return tuple(math.ceil(round(value * 1000) / 100) / 10 for value in seconds)


def test_bounds_of_the_defaults(rondo):
    done = arrange(rondo, a_records("www", THREE), [{"name": "www", "probe": "web"}], [PLAIN]).validate()
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^ +8\.6 s +26\.6 s +{re.escape(WWW)} A$", done.stdout, re.MULTILINE), done.stdout


def test_bounds_are_rounded_up(rondo):
    """A bound of 170 ms that was shown as 0.1 s would be none."""
    quick = {**PLAIN, "interval": "100ms", "fast_interval": "10ms", "timeout": "10ms", "fall": 1}
    rows = [quick, {**quick, "name": "round", "interval": "200ms", "fall": 3, "timeout": "15ms"}]
    groups = [{"name": "www", "probe": "web", "ttl": 1}, {"name": "round", "probe": "round", "ttl": 1}]
    done = arrange(rondo, a_records("www", THREE) + a_records("round", THREE), groups, rows).validate()
    assert done.returncode == 0, done.stderr
    # 110 + 10 + 50 ms; 1 s more, as ttl_min is at most the ttl. 220 + 15 + 2 * 100 (target_rate) + 50 ms, 485.
    assert bounds(done.stdout) == {WWW + " A": (0.2, 1.2), "round.example.com A": (0.5, 1.5)}


def test_bounds_by_each_key(rondo):
    """detection = interval·1.1 + timeout + (fall − 1)·max(fast_interval, timeout) + 0.05; staleness =
    max(detection + min(ttl_min, ttl), interval·1.1 + timeout + ttl + 0.05)."""
    rows = [{**PLAIN, "name": "quick", "interval": "1s", "fast_interval": "200ms", "timeout": "300ms", "fall": 2},
            {**PLAIN, "name": "slow", "interval": "60s", "fast_interval": "10s", "timeout": "5s", "fall": 4}]
    records = "".join(a_records(name, THREE) for name in ("a", "b", "c", "d", "e")) + "e AAAA 2001:db8::1\n"
    groups = [{"name": "a", "probe": "quick", "ttl": 10, "ttl_min": 2},
              {"name": "b", "probe": "slow", "ttl": 10, "ttl_min": 30},
              {"name": "c", "probe": ["quick", "slow"]}, {"name": "d"},
              {"name": "e", "probe": "quick", "ttl": 400, "members": [{"address": THREE[2], "probe": "slow"}]}]
    done = arrange(rondo, records, groups, rows).validate("-v")
    assert done.returncode == 0, done.stderr
    found = bounds(done.stdout)
    quick, slow = (detection_ms(row) / 1000 for row in rows)
    first = {row["name"]: (in_ms(row["interval"]) * 1.1 + in_ms(row["timeout"])) / 1000 + 0.05 for row in rows}
    assert (quick, slow) == pytest.approx((1.1 + 0.3 + 0.3 + 0.05, 66 + 5 + 30 + 0.05))
    expected = {
        "a": (quick, max(quick + 2, first["quick"] + 10)),
        "b": (slow, max(slow + 10, first["slow"] + 10)),
        "c": (slow, max(slow + 5, first["slow"] + 20)),  # the worst of its probes
        "e": (slow, max(slow + 5, first["slow"] + 300)),  # never above the record's TTL
    }
    for name, values in expected.items():
        assert found[f"{name}.example.com A"] == rounded_up(values), name
    assert found["e.example.com AAAA"] == rounded_up((quick, first["quick"] + 300))
    assert "d.example.com A" not in found  # not probed


def test_the_worst_ten_or_all(rondo):
    names = [f"n{i:02}" for i in range(15)]
    records = "".join(a_records(name, THREE) for name in names)
    server = arrange(rondo, records, [{"name": name, "probe": "web", "ttl": 10 + i} for i, name in enumerate(names)],
                     [PLAIN])
    short, long = server.validate(), server.validate("-v")
    assert (short.returncode, long.returncode) == (0, 0)
    assert list(bounds(short.stdout)) == [f"{name}.example.com A" for name in names[:4:-1]]
    assert "5 pools" in short.stdout
    assert set(bounds(long.stdout)) == {f"{name}.example.com A" for name in names}


def test_validating_checks_nobody(rondo, backends):
    web = backends(1)
    done = arrange(rondo, a_records("www", web.addresses), [{"name": "www", "probe": ["web", "tcp"]}],
                   [http(web.port), tcp(web.port)]).validate()
    assert done.returncode == 0, done.stderr
    assert web[0].visits == []


def test_validating_tells_of_sleepers(rondo):
    done = arrange(rondo, a_records("www", THREE[:1]),
                   [{"name": "www", "members": [{"address": THREE[1]}]}, {"name": "gone"}]).validate()
    assert done.returncode == 0, done.stderr
    assert re.search(r"warning: .*192\.0\.2\.2", done.stderr), done.stderr


def test_state_follows_a_reload(rondo):
    server = balanced(rondo, a_records("www", THREE),
                      [{"name": "www", "members": [{"address": THREE[0], "weight": 0}]}])
    assert members(server, WWW)[THREE[0]]["drained"]
    server.keys = {}
    server.write_config()
    assert server.reload().returncode == 0
    assert server.ctl_json("pools")["pools"] == []
    until(lambda: server.ctl_json("status")["pools"]["total"] == 0, "status agrees")

"""Balanced names and whole zones: names that another zone points to, groups for names that a zone does not have."""

import re

from balancing import HEAD, a_records, arrange, rearrange, zone
from rondo import DEFAULT_ZONE, until

THREE = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
MAIL = "mail.apps.example.com"
RECORDS = a_records("mail.apps", THREE) + a_records("www.apps", THREE)


def ttl_of(server, name):
    (rrset,) = server.query(name).answer
    return rrset.ttl


def reload(server):
    done = server.reload()
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def write_other(server, serial, records):
    server.zones["other.test"] = zone(records, serial)
    server.write_zone("other.test", server.zones["other.test"])


def test_a_name_that_another_zone_points_to(rondo):
    """It is no pool by `below`, be it that the zone that points to it comes, changes or goes."""
    server = arrange(rondo, RECORDS, [{"below": "apps", "ttl": 9}]).start()
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (9, 9)
    write_other(server, 1, "@ MX 10 Mail.Apps.example.com.\n")
    server.write_config()
    reload(server)
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (300, 9)
    assert len(server.query(MAIL).answer[0]) == 3
    assert [row["name"] for row in server.ctl_json("pools")["pools"]] == ["www.apps.example.com"]
    write_other(server, 2, "@ MX 10 mail.example.com.\n")
    reload(server)
    assert ttl_of(server, MAIL) == 9
    write_other(server, 3, "sub NS www.apps.example.com.\n@ MX 10 mail.apps.example.com.\n")
    reload(server)
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (300, 300)
    server.restart()
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (300, 300)
    del server.zones["other.test"]
    server.write_config()
    reload(server)
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (9, 9)


def test_by_its_exact_name_it_is_a_pool_and_warned_of(rondo):
    server = arrange(rondo, RECORDS, [{"below": "apps", "ttl": 9}])
    write_other(server, 1, "@ MX 10 mail.apps.example.com.\n")
    server.write_config()
    server.start()
    assert ttl_of(server, MAIL) == 300
    words = (r'other\.test\.zone: .*"mail\.apps\.example\.com\." is balanced although '
             r'NS or MX records of zone "other\.test"')
    assert not re.search(words, server.log())
    rearrange(server, [{"below": "apps", "ttl": 9}, {"name": "mail.apps", "ttl": 8}])
    for _ in range(2):
        assert re.search(words, reload(server))
        assert ttl_of(server, MAIL) == 8
    assert re.search(words, server.validate().stderr)
    rearrange(server, [{"below": "apps", "ttl": 9}])
    assert not re.search(words, reload(server))
    assert ttl_of(server, MAIL) == 300
    rearrange(server, [])
    reload(server)
    rearrange(server, [{"below": "@", "ttl": 7}])
    reload(server)
    assert (ttl_of(server, MAIL), ttl_of(server, "www.apps.example.com")) == (300, 7)


def complaints(text):
    """Line → group, of the configuration's groups that nothing matches."""
    words = r'rondo\.conf:(\d+): (?:warning: )?zone "example\.com", balance (.*): nothing matches'
    return {int(line): name for line, name in re.findall(words, text)}


def test_groups_that_nothing_matches(rondo):
    """One line for each, with its place: with -t, at start, with every reload, in its report and in the log."""
    groups = [{"name": "gone"}, {"name": "www.apps"}, {"below": "apps"}, {"below": "void"}, {"name": "ns.cut"},
              {"below": "www.apps"}]
    server = arrange(rondo, RECORDS + "cut NS ns.cut\nns.cut A 192.0.2.1\nx.void TXT x\n", groups)
    rows = server.config_text().splitlines()
    idle = {'name = "gone"': '"gone.example.com"', 'below = "void"': 'below "void.example.com"',
            'name = "ns.cut"': '"ns.cut.example.com"', 'below = "www.apps"': 'below "www.apps.example.com"'}
    expected = {number: name for number, row in enumerate(rows, 1) for words, name in idle.items() if words in row}
    assert len(expected) == 4
    done = server.validate()
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == expected
    server.start()
    assert complaints(server.log()) == expected
    for _ in range(2):
        mark = server.log_mark()
        assert complaints(reload(server)) == expected
        log = server.log_since(mark)
        assert complaints(log) == expected
        assert log.count("nothing matches") == len(expected)
    more = a_records("gone", THREE) + a_records("x.void", THREE)
    server.write_zone("example.com", HEAD.format(serial=2) + RECORDS + more)
    assert list(complaints(reload(server)).values()) == ['"ns.cut.example.com"', 'below "www.apps.example.com"']


def test_what_a_plan_finds_in_records_that_stay_is_reported(rondo):
    """Another plan over a zone that did not change: what it finds is in the reload's answer and, once, in the log."""
    server = arrange(rondo, RECORDS, [{"name": "www.apps"}]).start()
    words = 'rondo.conf:LINE: pool "www.apps.example.com": member 192.0.2.9 sleeps, as the zone has no such A record'
    for _ in range(2):
        rearrange(server, [{"name": "www.apps", "members": [{"address": "192.0.2.9"}]}])
        (line,) = [number for number, row in enumerate(server.config_text().splitlines(), 1) if "192.0.2.9" in row]
        mark = server.log_mark()
        answer = server.ctl_json("reload")
        (message,) = [row for row in answer["messages"] if "sleeps" in row["text"]]
        assert (message["level"], message["line"]) == ("warning", line)
        assert message["file"].endswith("rondo.conf")
        assert answer["warnings"] == 1
        assert server.log_since(mark).count(words.replace("LINE", str(line))) == 1
    rearrange(server, [{"name": "www.apps"}])
    assert server.ctl_json("reload")["messages"] == []


def test_many_groups_that_nothing_matches_are_no_flood(rondo):
    server = arrange(rondo, RECORDS, [{"name": f"gone{i}"} for i in range(2000)] + [{"name": "www.apps"}])
    done = server.validate()
    assert done.returncode == 0
    assert len(complaints(done.stderr)) == 100
    assert "1900 more" in done.stderr, done.stderr
    server.start()
    until(lambda: len(server.ctl_json("pools")["pools"]) == 1, "the pool")
    assert len(complaints(server.log())) == 100


def test_drains_that_are_ignored_are_told(rondo):
    """All members of a name have weight 0: whoever asks for that by a reload hears that they are answered all the same."""
    drained = [{"address": address, "weight": 0} for address in THREE]
    server = arrange(rondo, a_records("www", THREE), [{"name": "www", "members": drained[:2]}]).start()
    told = "every A member has weight 0"
    assert told not in reload(server) + server.log()
    rearrange(server, [{"name": "www", "members": drained}])
    assert told in reload(server)
    assert re.search(r"rondo\.conf:\d+: warning: .*" + told, server.validate().stderr)


def test_zones_that_go_are_named(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "gone.test": DEFAULT_ZONE})
    server.zones.pop("gone.test")
    server.write_config()
    reload(server)
    server.wait_log('zone "gone.test": removed')
    server.zones.clear()
    server.write_config()
    assert "no zone is configured" in server.validate().stderr
    assert "no zone is configured" in reload(server)

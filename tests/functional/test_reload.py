"""Reload: what goes live, what is refused, and that nobody notices meanwhile."""

import re
import signal
import threading
import time

from rondo import DEFAULT_ZONE, Load, addresses, rcode, sanitized, until
from turns import judge, lag_of


def zone(serial, more=""):
    return DEFAULT_ZONE.replace(" 1 3600", f" {serial} 3600") + more


def serial_of(server, name="example.com"):
    return server.query(name, "SOA").answer[0][0].serial


def zone_rows(server):
    data = server.ctl_json("zones")
    rows = data["zones"] if isinstance(data, dict) else data
    return {row["name"].rstrip("."): row for row in rows}


# ---- zones


def test_changed_zone_goes_live(rondo):
    server = rondo()
    server.write_zone("example.com", zone(2, "new A 192.0.2.9\n"))
    done = server.reload()
    assert done.returncode == 0, done.stderr
    assert serial_of(server) == 2
    assert addresses(server.query("new.example.com")) == ["192.0.2.9"]


def test_names_that_go_are_gone(rondo):
    server = rondo(zones={"example.com": zone(1, "old A 192.0.2.9\n*.wild A 192.0.2.8\n")})
    assert rcode(server.query("old.example.com")) == "NOERROR"
    server.write_zone("example.com", zone(2))
    assert server.reload().returncode == 0
    assert rcode(server.query("old.example.com")) == "NXDOMAIN"
    assert rcode(server.query("x.wild.example.com")) == "NXDOMAIN"
    assert rcode(server.query("www.example.com")) == "NOERROR"


def test_signal_reloads(rondo):
    server = rondo()
    mark = server.log_mark()
    server.write_zone("example.com", zone(2))
    server.send_signal(signal.SIGHUP)
    server.wait_log("reload done", mark)
    assert serial_of(server) == 2


def test_unchanged_zone_is_left_alone(rondo):
    server = rondo(zones={"example.com": zone(1), "other.test": zone(1)})
    before = zone_rows(server)
    server.write_zone("other.test", zone(2))
    mark = server.log_mark()
    assert server.reload().returncode == 0
    server.wait_log("zones: 1 loaded, 1 unchanged, 0 failed", mark)
    after = zone_rows(server)
    assert before["example.com"] == after["example.com"]
    assert before["other.test"] != after["other.test"]


def test_a_changed_include_counts(rondo):
    server = rondo(zones={"example.com": zone(1, "$INCLUDE more\n"), "other.test": zone(1)}, wait=["other.test"])
    assert rcode(server.query("example.com", "SOA")) == "SERVFAIL"
    (server.dir / "zones" / "more").write_text("inc A 192.0.2.7\n@ TXT one\n")
    assert server.reload().returncode == 0
    assert addresses(server.query("inc.example.com")) == ["192.0.2.7"]
    (server.dir / "zones" / "more").write_text("inc A 192.0.2.8\n@ TXT one\n")
    done = server.reload()
    assert done.returncode == 1
    # the serial stands in the other file
    assert re.search(r"/example\.com\.zone:2: .*refused", done.stdout), done.stdout
    assert addresses(server.query("inc.example.com")) == ["192.0.2.7"]
    server.write_zone("example.com", zone(2, "$INCLUDE more\n"))
    assert server.reload().returncode == 0
    assert addresses(server.query("inc.example.com")) == ["192.0.2.8"]


def test_broken_zone_refuses_only_itself(rondo):
    server = rondo(zones={"example.com": zone(1), "other.test": zone(1)})
    server.write_zone("example.com", zone(2, "bad A nonsense\n"))
    server.write_zone("other.test", zone(2))
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1
    assert "example.com" in done.stderr + done.stdout
    assert serial_of(server, "example.com") == 1
    assert serial_of(server, "other.test") == 2
    server.assert_serving()
    assert re.search(r"error: .*example\.com\.zone:\d+: ", server.log_since(mark))
    assert re.search(r"zone \"example\.com\": not loaded, serial 1 stays", server.log_since(mark))
    server.write_zone("example.com", zone(3))
    assert server.reload().returncode == 0
    assert serial_of(server, "example.com") == 3


def test_serial_that_does_not_rise(rondo):
    server = rondo(zones={"example.com": zone(10)})
    for serial in (10, 9):
        server.write_zone("example.com", zone(serial, "new A 192.0.2.9\n"))
        mark = server.log_mark()
        done = server.reload()
        assert done.returncode == 1
        for text in (done.stdout, server.log_since(mark)):
            line = re.search(r"^.*refused: .*$", text, re.MULTILINE).group(0)
            assert "error: " in line and "zones/example.com.zone:2: " in line, line  # where its SOA stands
            assert re.search(rf"serial {serial} .*\b10\b", line), line
        assert rcode(server.query("new.example.com")) == "NXDOMAIN"
    server.write_zone("example.com", zone(11, "new A 192.0.2.9\n"))
    assert server.reload().returncode == 0
    assert rcode(server.query("new.example.com")) == "NOERROR"


def test_other_comments_need_no_serial(rondo):
    server = rondo()
    server.write_zone("example.com", "; a remark\n" + zone(1))
    assert server.reload().returncode == 0


def test_serial_wraps(rondo):
    server = rondo(zones={"example.com": zone(4294967295)})
    server.write_zone("example.com", zone(0, "new A 192.0.2.9\n"))
    assert server.reload().returncode == 0
    assert serial_of(server) == 0


def test_zones_come_and_go(rondo):
    server = rondo(zones={"example.com": zone(1), "other.test": zone(1)})
    del server.zones["other.test"]
    server.zones["new.test"] = zone(1)
    server.write_zone("new.test", zone(1))
    server.write_config()
    assert server.reload().returncode == 0
    assert rcode(server.query("www.other.test")) == "REFUSED"
    assert rcode(server.query("www.new.test")) == "NOERROR"
    assert set(zone_rows(server)) == {"example.com", "new.test"}


def test_child_zone_comes_and_goes(rondo):
    """Its parent takes the names over again when it goes."""
    server = rondo(zones={"example.com": zone(1, "www.sub A 192.0.2.77\n")})
    server.zones["sub.example.com"] = zone(1)
    server.write_zone("sub.example.com", zone(1))
    server.write_config()
    assert server.reload().returncode == 0
    assert set(addresses(server.query("www.sub.example.com"))) == {"192.0.2.1", "192.0.2.2"}
    del server.zones["sub.example.com"]
    server.write_config()
    assert server.reload().returncode == 0
    assert addresses(server.query("www.sub.example.com")) == ["192.0.2.77"]


def test_another_file_for_a_zone(rondo):
    server = rondo()
    (server.dir / "zones" / "second").write_text(zone(7))
    server.write_config(server.config_text().replace('"example.com.zone"', '"second"'))
    assert server.reload().returncode == 0
    assert serial_of(server) == 7


def test_everything_changes_at_once(rondo):
    def text(serial):
        return zone(serial, "".join(f"n{serial}-{i} A 192.0.2.{i % 250 + 1}\n" for i in range(20000)))

    server = rondo(zones={"example.com": text(1)})
    for serial in (2, 3, 4):
        server.write_zone("example.com", text(serial))
        assert server.reload().returncode == 0
        assert rcode(server.query(f"n{serial}-19999.example.com")) == "NOERROR"
        assert rcode(server.query(f"n{serial - 1}-0.example.com")) == "NXDOMAIN"


def test_the_list_tells_what_is_answered(rondo):
    """While a large new zone is read: a small one is served already, the large
    one is SERVFAIL, one that goes is still there."""
    big = zone(1, "".join(f"n{i} A 192.0.2.{i % 250 + 1}\n" for i in range(200000)))
    server = rondo(zones={"example.com": zone(1), "old.test": zone(1)})
    server.write_zone("aaa.test", zone(7))
    server.write_zone("big.test", big)
    server.zones = {"aaa.test": None, "big.test": None, "example.com": None}
    server.write_config()
    expected = {"loading": "SERVFAIL", "failed": "SERVFAIL", "served": "NOERROR", "stale": "NOERROR", None: "REFUSED"}
    seen, done = set(), []
    thread = threading.Thread(target=lambda: done.append(server.reload()))
    thread.start()
    while thread.is_alive():
        before = {name: row["state"] for name, row in zone_rows(server).items()}
        codes = {name: rcode(server.query(name, "SOA")) for name in ("aaa.test", "big.test", "old.test", "example.com")}
        after = {name: row["state"] for name, row in zone_rows(server).items()}
        if before == after:
            seen.add(tuple(sorted(before.items())))
            assert codes == {name: expected[before.get(name)] for name in codes}
    thread.join()
    assert done[0].returncode == 0, done[0].stderr
    assert (("aaa.test", "served"), ("big.test", "loading"), ("example.com", "served"),
            ("old.test", "served")) in seen, seen
    assert rcode(server.query("old.test", "SOA")) == "REFUSED"
    assert set(zone_rows(server)) == {"aaa.test", "big.test", "example.com"}


def test_a_zone_that_goes_leaves_no_gap(rondo):
    """Its names come back in the zone above it: nobody is told meanwhile that they do not exist."""
    big = "".join(f"n{i} A 192.0.2.{i % 250 + 1}\n" for i in range(100000))
    server = rondo(zones={"example.com": zone(1), "sub.example.com": zone(1)})
    server.write_zone("example.com", zone(2, big + "www.sub A 192.0.2.77\n"))
    server.zones = {"example.com": None}
    server.write_config()
    with Load(server, "www.sub.example.com") as load:
        assert server.reload().returncode == 0
        load.wait_sent(10)
    assert (load.lost, load.wrong) == (0, 0), load.first_wrong
    assert addresses(server.query("www.sub.example.com")) == ["192.0.2.77"]


# ---- configuration


def test_broken_configuration_changes_nothing(rondo):
    server = rondo()
    server.write_zone("example.com", zone(2))
    good = server.config_text()
    server.write_config(good.replace("zone_dir", "zone_dri") + "nonsense = 1;\n")
    mark = server.log_mark()
    done = server.reload()
    assert done.returncode == 1
    for text in (done.stdout + done.stderr, server.log_since(mark)):
        assert re.search(r"rondo\.conf:\d+: .*zone_dri", text)
        assert re.search(r"rondo\.conf:\d+: .*nonsense", text)
    assert "reload refused" in server.log_since(mark)
    assert serial_of(server) == 1
    server.write_config(good)
    assert server.reload().returncode == 0
    assert serial_of(server) == 2


def test_key_that_needs_a_restart(rondo):
    server = rondo()
    good = server.config_text()
    for was, new, key in (("workers = 2", "workers = 1", "server.workers"),
                          (f"@{server.port}", "@5399", "server.listen")):
        server.write_config(good.replace(was, new))
        server.write_zone("example.com", zone(2))
        mark = server.log_mark()
        done = server.reload()
        line = 1 + good[:good.index(was)].count("\n")
        assert done.returncode == 1
        for text in (done.stdout, server.log_since(mark)):
            assert re.search(rf"rondo\.conf:{line}: .*{key} was changed, which needs a restart", text), text
        assert serial_of(server) == 1
    server.write_config(good)
    assert server.reload().returncode == 0
    assert serial_of(server) == 2


def test_all_keys_that_need_a_restart(rondo):
    """At once, each where it stands now, be it in another file; the file alone names what stands nowhere any more."""
    server = rondo(server='user = "";\ntcp_max = 50;\ntcp_idle = "3s";')
    good = server.config_text()
    (server.dir / "more.conf").write_text("\ntcp_idle = 4;\n")
    server.write_config(good.replace("tcp_max = 50;", "").replace('tcp_idle = "3s";', '@include "more.conf"')
                        .replace("workers = 2", "workers = 1"))
    done = server.reload()
    assert done.returncode == 1
    line = 1 + good[:good.index("workers")].count("\n")
    found = re.findall(r"^\S*?(\w+\.conf):((?:\d+:)?) error: (\S+) was changed, which needs a restart$", done.stdout,
                       re.MULTILINE)
    assert sorted(found) == [("more.conf", "2:", "server.tcp_idle"), ("rondo.conf", "", "server.tcp_max"),
                             ("rondo.conf", f"{line}:", "server.workers")], done.stdout
    server.assert_serving()
    server.write_config(good)
    assert server.reload().returncode == 0


def test_settings_change(rondo):
    big = "".join(f"big TXT \"{i:03}{'x' * 60}\"\n" for i in range(20))
    server = rondo(zones={"example.com": zone(1, big)})
    reply = server.query("big.example.com", "TXT", use_edns=0, payload=4096)
    assert reply.payload == 1232
    assert reply.flags & 0x0200
    server.server = "udp_payload = 4096;"
    server.write_config()
    assert server.reload().returncode == 0
    reply = server.query("big.example.com", "TXT", use_edns=0, payload=4096)
    assert reply.payload == 4096
    assert not reply.flags & 0x0200


# ---- under way


def test_nothing_is_lost_under_load(rondo):
    server = rondo(zones={"example.com": zone(1)})
    with Load(server, "www.example.com") as load:
        for serial in range(2, 30):
            server.write_zone("example.com", zone(serial, f"n{serial} A 192.0.2.9\n"))
            assert server.reload().returncode == 0
        server.write_config(server.config_text() + "nonsense")
        assert server.reload().returncode == 1
        load.wait_sent(50)
    assert (load.lost, load.wrong) == (0, 0), load.first_wrong
    assert load.sent > 100
    assert serial_of(server) == 29


def test_reloads_that_meet(rondo):
    """Ten clients and a burst of signals at once: all are told of a load that began after they asked."""
    server = rondo(zones={"example.com": zone(1, "".join(f"n{i} A 192.0.2.1\n" for i in range(20000)))})
    server.write_zone("example.com", zone(2))
    results = []
    threads = [threading.Thread(target=lambda: results.append(server.reload().returncode)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        server.send_signal(signal.SIGHUP)
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    assert results == [0] * 10
    assert serial_of(server) == 2
    server.assert_serving()


def test_signals_that_never_cease(rondo):
    """There is always one more SIGHUP waiting when a reload ends: rondoctl is told of a later load all the same."""
    others = {f"z{i}.test": zone(1) for i in range(200)}  # so that a reload takes longer than it is to the next signal
    server = rondo(zones={"example.com": zone(1), **others}, wait=["example.com"])
    halt = threading.Event()

    def signals():
        while not halt.wait(0.001):
            server.send_signal(signal.SIGHUP)

    thread = threading.Thread(target=signals)
    thread.start()
    try:
        for serial in range(2, 6):
            server.write_zone("example.com", zone(serial))
            done = server.ctl("-t", "10s", "reload")
            assert done.returncode == 0, done.stderr
            assert serial_of(server) == serial
    finally:
        halt.set()
        thread.join()


def test_control_thread_is_never_away_for_long(rondo):
    """Many zones: start, reloads with nothing, everything, and only rubbish changed, half of them removed."""
    names = [f"z{i}.test" for i in range(300 if sanitized() else 2000)]

    def shape():
        server = rondo(zones={name: zone(1) for name in names}, wait=names[-1:])
        until(lambda: server.ctl_json("status")["last_load"]["result"] == "done", "all are loaded")
        for text, status in ((None, 0), (zone(2, "new A 192.0.2.9\n"), 0), (zone(3, "bad A nonsense\n" * 20), 1)):
            for name in names if text else ():
                server.write_zone(name, text)
            assert server.reload().returncode == status
        for name in names[::2]:
            del server.zones[name]
        server.write_config()
        server.reload()
        assert server.ctl("zones").returncode == 0
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"{len(names)} zones loaded, changed, broken, half of them removed", shape)


def test_stop_during_a_reload(rondo):
    records = "".join(f"n{i} A 192.0.2.1\n" for i in range(50000))
    server = rondo(zones={"example.com": zone(1, records)})
    for serial, wait in ((2, 0.0), (3, 0.02), (4, 0.1)):
        server.write_zone("example.com", zone(serial, records.replace("192.0.2.1", f"192.0.2.{serial}")))
        server.send_signal(signal.SIGHUP)
        time.sleep(wait)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 4
        server.start()


def test_files_are_closed_again(rondo):
    server = rondo()
    server.reload()
    before = server.open_files()
    for serial in range(2, 20):
        server.write_zone("example.com", zone(serial))
        server.reload()
    until(lambda: server.open_files() <= before, lambda: f"{server.open_files()} files, {before} before")

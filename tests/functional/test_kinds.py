"""The kinds of check that need no library, each against real servers on loopback; tests/functional/test_health.py has
http's responses and the schedule."""

import time
import os
import pathlib
import pwd
import re

import dns.flags
import dns.message
import dns.rcode
import pytest

from backends import status
from balancing import (QUICK, a_records, arrange, balance, balanced, http, members, probes, rearrange, seen, tcp, verdicts,
                       wait_seen, wait_verdicts)
from listeners import NameServer, Talker, answer, replies, says, silent
from rondo import has_ipv6, until

WWW = "www.example.com"
PACE = {**QUICK, "interval": "200ms", "fast_interval": "100ms", "timeout": "200ms"}
AT_ONCE = {**PACE, "rise": 1, "fall": 1}


def reason(server, name, address, family="A"):
    return members(server, name, family)[address]["reason"]


def judged(server, cases):
    """cases: owner → (address, verdict, what its reason holds). Waits for all of them, a question at a time for all."""
    def wrong():
        found = {row["name"].split(".")[0]: row["members"][0] for row in server.ctl_json("pools")["pools"]}
        return [f"{name}: {found[name]['verdict']}, {found[name]['reason']!r}, expected {verdict}, {words!r}"
                for name, (_, verdict, words) in cases.items()
                if found[name]["verdict"] != verdict or words not in found[name]["reason"]]

    until(lambda: not wrong(), lambda: "\n".join(wrong()), pause=0.1)


# ---- tcp


def test_tcp_talks(rondo):
    talkers = {
        "mail": (says(b"220 mail.example.com ESMTP\r\n", hold=True), {"expect": "^220 "}, "up", "the expected answer"),
        "redis": (replies(b"+PONG\r\n"), {"send": "PING\\r\\n", "expect": "^\\+PONG"}, "up", "the expected answer"),
        "busy": (says(b"421 too many\r\n"), {"expect": "^220 "}, "down", 'closed without the expected answer: "421 too many??"'),
        "stuck": (says(b"220", hold=True), {"expect": "^220 "}, "down", 'no match within 200ms: "220"'),
        "silent": (silent, {"expect": "."}, "down", "no answer within 200ms"),
        "endless": (says(b"x" * 40000, hold=True), {"expect": "yz"}, "down", "no match in the first 16 KiB"),
        "bytes": (replies(b"\x00\x01ok"), {"send": "\\x00\\xff\\n", "expect": "^..ok$"}, "up", "the expected answer"),
    }
    started = {name: Talker(f"127.0.0.{20 + i}", row[0]).start() for i, (name, row) in enumerate(talkers.items())}
    try:
        rows = [tcp(started[name].port, name=name, **PACE | row[1]) for name, row in talkers.items()]
        records = "".join(a_records(name, [talker.address]) for name, talker in started.items())
        server = balanced(rondo, records, [{"name": name, "probe": name} for name in talkers], rows)
        judged(server, {name: (started[name].address, row[2], row[3]) for name, row in talkers.items()})
        assert set(started["redis"].heard) == {b"PING\r\n"}
        assert set(started["bytes"].heard) == {b"\x00\xff\n"}
        # It comes back as it went.
        started["busy"].manner = says(b"220 welcome\r\n")
        wait_verdicts(server, "busy.example.com", {started["busy"].address: "up"})
    finally:
        for talker in started.values():
            talker.stop()


# ---- http


def test_http_methods_and_headers(rondo, backends):
    """A HEAD request's answer says how long a body would be and has none; a redirect is not followed by any method."""
    head, post = backends(1, first=31), backends(1, first=32)
    head[0].manner = lambda connection, _request, backend: (
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), backend.halt.wait(10))
    rows = [http(head.port, name="head", method="HEAD", headers=["X-Probe: rondo", "User-Agent: me"], **PACE),
            http(post.port, name="post", method="POST", expect_status=["302"], **PACE)]
    post[0].manner = status(302, headers=("Location: /elsewhere",))
    groups = [{"name": name, "probe": name} for name in ("head", "post")]
    server = balanced(rondo, a_records("head", head.addresses) + a_records("post", post.addresses), groups, rows)
    judged(server, {"head": (head.addresses[0], "up", "status 200"), "post": (post.addresses[0], "up", "status 302")})
    until(lambda: len([visit for visit in post[0].visits if visit.answered]) > 3, "it is checked on")
    request = head[0].visits[0].request.decode().split("\r\n")
    assert request[0] == "HEAD / HTTP/1.1"
    assert "X-Probe: rondo" in request and "User-Agent: me" in request
    assert not [line for line in request if line.startswith("User-Agent: rondo")]
    assert {visit.path for visit in post[0].visits if visit.answered} == {"/"}
    assert b"POST / HTTP/1.1\r\n" in post[0].visits[0].request and b"Content-Length: 0\r\n" in post[0].visits[0].request


# ---- dns


def test_dns_against_ourselves(rondo):
    other = rondo()
    row = {"name": "dns", "type": "dns", "port": other.port, "query_name": WWW, "query_type": "A", **PACE}
    rows = [{**row, "expect_answer": "192.0.2.2"}, {**row, "name": "none", "expect_answer": "^10\\."},
            {**row, "name": "soa", "query_type": "SOA", "query_name": "example.com", "expect_answer": "hostmaster"},
            {**row, "name": "away", "query_name": "x.example.com", "expect_rcode": ["NXDOMAIN", "REFUSED"]},
            {**row, "name": "elsewhere", "query_name": "example.net."}]
    groups = [{"name": row["name"], "probe": row["name"]} for row in rows]
    server = balanced(rondo, "".join(a_records(row["name"], ["127.0.0.1"]) for row in rows), groups, rows)
    judged(server, {"dns": ("127.0.0.1", "up", "answer NOERROR"),
                    "none": ("127.0.0.1", "down", "answer NOERROR, without the expected record"),
                    "soa": ("127.0.0.1", "up", "answer NOERROR"),
                    "away": ("127.0.0.1", "up", "answer NXDOMAIN"),
                    "elsewhere": ("127.0.0.1", "down", "answer REFUSED")})
    other.stop()
    wait_verdicts(server, "dns.example.com", {"127.0.0.1": "down"})
    assert "connection refused" in reason(server, "dns.example.com", "127.0.0.1")


def others_first(query, _times):
    """What somebody might send who does not see the query, then the true answer."""
    other_id = answer(query)
    other_id.id ^= 1
    other_name = answer(dns.message.make_query("other.example.com", "SOA"))
    other_name.id = query.id
    return [b"", b"\x00", b"\xff" * 600, other_id, other_name, query, answer(query)]


def test_dns_answers(rondo):
    manners = {
        "well": (lambda query, _: [answer(query)], "up", "answer NOERROR"),
        "refuses": (lambda query, _: [answer(query, dns.rcode.REFUSED)], "down", "answer REFUSED"),
        "truncates": (lambda query, _: [answer(query, flags=dns.flags.TC)], "up", "answer NOERROR"),
        "hangs": (lambda query, _: [], "down", "no answer within 200ms"),
        "others": (others_first, "up", "answer NOERROR"),
        "others_only": (lambda query, times: others_first(query, times)[:-1], "down",
                        "no answer within 200ms, but to other questions"),
        # The first packet of every check is lost: no check fails for that.
        "loses": (lambda query, times: [answer(query)] if times == 2 else [], "up", "answer NOERROR"),
    }
    places = {name: f"127.0.0.{40 + i}" for i, name in enumerate(manners)}
    with NameServer({places[name]: row[0] for name, row in manners.items()}) as names:
        row = {"name": "dns", "type": "dns", "port": names.port, "query_name": "example.com", **PACE}
        server = balanced(rondo, "".join(a_records(name.replace("_", "-"), [places[name]]) for name in manners),
                          [{"name": name.replace("_", "-"), "probe": "dns"} for name in manners], [row])
        judged(server, {name.replace("_", "-"): (places[name], *row[1:]) for name, row in manners.items()})
        lossy = names.asked[places["loses"]]
        mark = len(lossy)
        until(lambda: len(lossy) > mark + 8, "it is checked on")
        assert " down" not in "".join(line for line in server.log().splitlines() if places["loses"] in line)
        assert len({query_id for _, query_id in names.asked[places["well"]]}) > 1


# ---- ping


def ping(**keys):
    return {"name": "ping", "type": "ping", **PACE, **keys}


def pinging(rondo, **kwargs):
    """A server that pings loopback; skips the test where the system lets nobody do that."""
    records = a_records("www", ["127.0.0.1", "127.0.0.77"]) + (a_records("www", ["::1"]) if has_ipv6() else "")
    server = arrange(rondo, records, [{"name": "www", "probe": "ping"}], [ping()], **kwargs)
    if "user" in kwargs.get("server", ""):
        give_to_nobody(server)
    server.start()
    if "CAP_NET_RAW lets this process ping" in reason(server, WWW, "127.0.0.1"):
        pytest.skip("neither net.ipv4.ping_group_range nor CAP_NET_RAW")
    return server


def give_to_nobody(server):
    user = pwd.getpwnam("nobody")
    for path in [server.dir, *server.dir.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)


def capabilities(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return {key: int(value, 16) for key, value in re.findall(r"^Cap(\w+):\s*(\w+)$", text, re.MULTILINE)}


def test_ping(rondo):
    server = pinging(rondo)
    wait_verdicts(server, WWW, {"127.0.0.1": "up", "127.0.0.77": "up"})
    assert reason(server, WWW, "127.0.0.1") == "echo answered"
    if has_ipv6():
        wait_verdicts(server, WWW, {"::1": "up"}, "AAAA")
        assert reason(server, WWW, "::1", "AAAA") == "echo answered"


def test_ping_as_another_user(rondo):
    """Of root's rights nothing is kept but what raw sockets take, and that only where something is pinged."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    server = pinging(rondo, server='user = "nobody";')
    wait_verdicts(server, WWW, {"127.0.0.1": "up", "127.0.0.77": "up"})
    held = capabilities(server)
    assert held["Eff"] == held["Prm"] == 1 << 13 and held["Inh"] == held["Amb"] == 0  # CAP_NET_RAW
    server.stop()
    server.extra = probes([tcp(9, name="ping")])
    server.write_config()
    give_to_nobody(server)
    server.start()
    assert not any(capabilities(server)[key] for key in ("Eff", "Prm", "Inh", "Amb"))


# ---- agent


def test_agent(rondo, backends):
    """The server itself is well all the time; what its agent says counts, and that it is away changes nothing."""
    web = backends(2)
    with Talker(web.addresses[0], says(b"up 100%\n")) as agent, Talker(web.addresses[1], says(b"ready\n"), agent.port):
        rows = [http(web.port, **PACE), {"name": "agent", "type": "agent", "port": agent.port, **AT_ONCE}]
        server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": ["web", "agent"]}], rows)
        wait_seen(server, WWW, web.addresses)
        agent.manner = says(b"drain\n")
        wait_seen(server, WWW, web.addresses[1:])
        assert verdicts(server, WWW)[web.addresses[0]] == "up"
        assert members(server, WWW)[web.addresses[0]]["drained"]
        server.wait_log(rf"{re.escape(web.addresses[0])} is drained \(agent: drain\)")
        agent.manner = says(b"DOWN#disk full\r\n")
        wait_verdicts(server, WWW, {web.addresses[0]: "down", web.addresses[1]: "up"})
        assert reason(server, WWW, web.addresses[0]) == "agent: DOWN, disk full"
        agent.manner = says(b"ready 50%\n")  # no longer drained, but nobody has said "up"
        until(lambda: not members(server, WWW)[web.addresses[0]]["drained"], "it is ready")
        assert verdicts(server, WWW)[web.addresses[0]] == "down"
        agent.stop()
        until(lambda: "nothing changes" in reason(server, WWW, web.addresses[0]), "it is away")
        assert verdicts(server, WWW)[web.addresses[0]] == "down"
        agent.manner = says(b"up\n")
        agent.start()
        wait_seen(server, WWW, web.addresses)
        agent.manner = says(b"maint\n")
        wait_seen(server, WWW, web.addresses[1:])
        time.sleep(0.3)  # what it said is written a tenth of a second after
        agent.manner = says(b"80%\n")  # over a restart, too, it is in maintenance until it says ready
        server.kill()
        server.start()
        until(lambda: reason(server, WWW, web.addresses[0]) == "agent: maint", "it was asked again")
        assert seen(server, WWW, 40) == set(web.addresses[1:])


def test_agent_that_was_never_there(rondo, backends):
    """Its members count as if nobody had asked it, from the start."""
    web = backends(2)
    web[1].manner = status(500)
    rows = [http(web.port, **PACE), {"name": "agent", "type": "agent", "port": 9, "send": "state\\n", **PACE}]
    server = balanced(rondo, a_records("www", web.addresses), [{"name": "www", "probe": ["web", "agent"]}], rows)
    wait_verdicts(server, WWW, {web.addresses[0]: "up", web.addresses[1]: "down"})
    assert seen(server, WWW) == set(web.addresses[:1])


# ---- whom, how often, how many


def test_probe_deny(rondo, backends):
    web = backends(2)
    row = http(web.port, **PACE)
    server = arrange(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}], [row])
    server.extra += f'\nhealth: {{ probe_deny = [ "127.0.0.0/8" ]; probe_allow = [ "{web.addresses[1]}" ]; }};'
    server.write_config()
    done = server.validate()
    assert done.returncode == 0
    assert f'{web.addresses[0]} may not be checked, by "probe_deny", and so counts as down' in done.stderr
    assert web.addresses[1] not in done.stderr
    server.start()
    wait_seen(server, WWW, web.addresses[1:])
    assert reason(server, WWW, web.addresses[0]) == "not checked: not allowed by probe_deny"
    done = server.ctl("check", WWW, web.addresses[0])
    assert done.returncode == 1 and "its address may not be probed" in done.stderr, done.stderr
    assert not web[0].visits
    rearrange(server, [{"name": "www", "probe": "web"}], [row])
    assert server.reload().returncode == 0
    wait_seen(server, WWW, web.addresses)


def test_the_printed_bound_knows_the_rate(rondo):
    groups, rows = [{"name": "www", "probe": "web"}], [http(80, interval="1s", fast_interval="100ms", timeout="100ms", fall=5)]
    server = arrange(rondo, a_records("www", ["192.0.2.1"]), groups, rows)
    for extra, bound in (("", "1.7 s"), ("health: { target_rate = 2; };", "3.3 s")):
        server.keys, server.extra = {"example.com": balance(groups)}, probes(rows) + extra
        server.write_config()
        done = server.validate()
        assert done.returncode == 0, done.stderr
        assert re.search(rf"^ *{re.escape(bound)} .*www\.example\.com A$", done.stdout, re.MULTILINE), done.stdout
        assert ("checks start 500ms apart at least" in done.stderr) == bool(extra)


def test_few_checks_at_a_time(rondo, backends):
    """Ten that hang for a fifth of a second each, two at a time: all get their turn."""
    web = backends(10, first=60, manner=lambda _connection, _request, backend: backend.halt.wait(10))
    row = http(web.port, interval="400ms", fast_interval="200ms", timeout="200ms")
    server = arrange(rondo, a_records("www", web.addresses), [{"name": "www", "probe": "web"}], [row],
                     server='start_wait = "200ms";')
    server.extra += "\nhealth: { checks_max = 2; };"
    server.write_config()
    server.start()
    until(lambda: len([visit for backend in web for visit in backend.visits]) >= 10, "ten checks")
    starts = sorted(visit.began for backend in web for visit in backend.visits)
    most = max(sum(1 for other in starts if 0 <= other - began < 0.15) for began in starts)
    assert most <= 2
    server.wait_log("checks wait: 2 are under way, and at most 2 may be by checks_max")

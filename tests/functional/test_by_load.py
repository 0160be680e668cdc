"""Policies by load: real servers that are slow, busy or say so, and shares of answers that follow, in small steps."""

import shutil
import socket
import subprocess
import time

from backends import FIRST, OK, slow, status
from balancing import Asker, a_records, arrange, balanced, http, members, wait_verdicts
from listeners import Talker, says
from rondo import free_port, until

ZONE = "example.com"
FLOOR = 0.05
STEP = 1.25


def orca(utilization):
    return status(200, headers=(f"endpoint-load-metrics: TEXT mem_utilization=0.1, cpu_utilization={utilization}",))


def wants(weight):
    return status(200, headers=(f"X-Load-Balancing-Endpoint-Weight: {weight}",))


def stub_status(connections):
    """As nginx's module says it."""
    return status(200, f"Active connections: {connections} \nserver accepts handled requests\n 7 7 9 \n"
                  f"Reading: 0 Writing: 1 Waiting: 2 \n".encode())


ACTIVE = {"load": "body", "load_pattern": "Active connections: ([0-9]+)"}

# name: (policy, keys of the probe, what the first server does, and what all others do)
POOLS = {
    "fast": ("fastest", {}, slow(0.04, OK), OK),
    "busy": ("least_load", {"load": "orca"}, orca(0.9), orca(0.3)),
    "full": ("least_connections", ACTIVE, stub_status(500), stub_status(100)),
    "wish": ("least_load", {"load": "weight"}, wants(20), wants(100)),
}


def rows(server):
    """The first member of every pool, by the pool's name, from one look."""
    pools = server.ctl_json("pools")["pools"]
    return {pool["name"].removesuffix("." + ZONE): pool["members"][0] for pool in pools}


def shares(server):
    return {name: row["share"] for name, row in rows(server).items()}


class Agents:
    """Three of HAProxy's agents, in place of a fleet."""

    def __init__(self, *percents):
        self.addresses = [f"127.0.0.{FIRST + i}" for i in range(len(percents))]
        self.port = free_port(self.addresses)
        self.talkers = [Talker(address, says(f"up {percent}%\n".encode()), self.port).start()
                        for address, percent in zip(self.addresses, percents)]

    def stop(self):
        for talker in self.talkers:
            talker.stop()


def start(rondo, fleets, pools):
    records = "".join(a_records(name, fleet.addresses) for name, fleet in fleets.items())
    groups = [{"name": name, "policy": pools[name][0], "probe": name, "ttl": 1} for name in fleets]
    probes = [http(fleet.port, name, **pools[name][1]) for name, fleet in fleets.items()]
    return balanced(rondo, records, groups, probes)


def test_shares_follow_reports_in_small_steps(rondo, backends):
    fleets = {name: backends(3) for name in POOLS}
    for name, (_, _, worst, rest) in POOLS.items():
        for i, backend in enumerate(fleets[name]):
            backend.manner = rest if i else worst
    agents = fleets["told"] = Agents(20, 100, 100)
    try:
        follow(start(rondo, fleets, {**POOLS, "told": ("least_load", {"type": "agent"})}), fleets)
    finally:
        agents.stop()


def follow(server, fleets):
    for name, fleet in fleets.items():
        wait_verdicts(server, f"{name}.{ZONE}", dict.fromkeys(fleet.addresses, "up"))
    looks = [(time.monotonic(), shares(server))]

    def have_fallen():
        """Steps are a second apart; between two looks that are far from each other there may be more of them."""
        (then, before), now, after = looks[-1], time.monotonic(), shares(server)
        steps = 1 + int(now - then + 0.2)
        for name, share in after.items():
            assert FLOOR / 3 < share <= before[name] <= share * (STEP + 0.01) ** steps, (name, looks, after)
        looks.append((now, after))
        return all(share < 0.29 for share in after.values())

    until(have_fallen, lambda: f"the first of three gets less: {looks}\n{server.ctl('pools').stdout}", pause=0.1)
    print(looks[-1])

    # what people are shown
    row = rows(server)
    assert 40 <= row["fast"]["response_ms"] < 100 and row["fast"]["load"] is None
    assert row["busy"]["load"]["kind"] == "utilization" and abs(row["busy"]["load"]["value"] - 0.9) < 0.001
    assert row["full"]["load"] == {"kind": "connections", "value": 500}
    assert row["wish"]["load"] == {"kind": "weight", "value": 20}
    assert row["told"]["load"] == {"kind": "percent", "value": 20}
    assert all(0 < member["weight_now"] < member["weight"] == 1 for member in row.values())
    table = server.ctl("pools", f"busy.{ZONE}").stdout
    assert "RESPONSE" in table and "LOAD" in table and " 0.90 " in table and " of 1 " in table, table

    # what clients get
    with Asker(server, f"busy.{ZONE}") as asker:
        firsts = asker.firsts(1000)
    share = shares(server)["busy"]
    assert abs(firsts[fleets["busy"].addresses[0]] / 1000 - share) < 0.08, (firsts, share)

    # as well as the others, or better, or without a word: back the same way
    for name in POOLS:
        fleets[name][0].manner = {"busy": OK, "full": stub_status(10)}.get(name, POOLS[name][3])
    fleets["told"].talkers[0].manner = says(b"up 100%\n")
    for backend in fleets["fast"][1:]:
        backend.manner = POOLS["fast"][2]
    low = shares(server)
    until(lambda: all(share > low[name] * 1.05 for name, share in shares(server).items()),
          lambda: f"it gets more again than {low}\n{server.ctl('pools').stdout}", pause=0.1)
    assert rows(server)["busy"]["load"] is None


def test_clients_find_the_balance(rondo, backends):
    """A loop that is closed: servers report how busy the answers make them, and one can do a third of what the others
    can."""
    web = backends(3)
    capacity = dict(zip(web.addresses, (1, 3, 3)))
    answers = [0.0]
    share = dict.fromkeys(web.addresses, 1 / 3)  # of the latest answers

    def report(connection, request, backend):
        orca(round(share[backend.address] / capacity[backend.address] * 3.5, 4))(connection, request, backend)

    for backend in web:
        backend.manner = report
    pools = {"www": ("least_load", {"load": "orca"})}
    server = start(rondo, {"www": web}, pools)

    with Asker(server, f"www.{ZONE}") as asker:
        def some_clients():
            for address, count in asker.firsts(300).items():
                share[address] += (count / 300 - share[address]) / 2
            answers[0] += 300
            return shares(server)["www"] < 0.28

        wait_verdicts(server, f"www.{ZONE}", dict.fromkeys(web.addresses, "up"))
        until(some_clients, lambda: f"who can do less gets less: {share}", pause=0.05)
    print(f"{share} after {answers[0]:.0f} answers")
    loads = [member["load"]["value"] for member in members(server, f"www.{ZONE}").values()]
    assert max(loads) / min(loads) < 3  # as it would be with equal shares


def test_nginx_says_how_many_connections_it_has(rondo, tmp_path):
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert nginx, "nginx is one of TEST_PACKAGES (contrib/packages.sh)"
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(f"""
        daemon off; pid {tmp_path}/pid; error_log stderr; worker_processes 1;
        events {{ worker_connections 64; }}
        http {{
            access_log off;
            client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
            uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
            server {{ listen 127.0.0.1:{port}; location = /status {{ stub_status; }} }}
        }}""")
    process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(config), "-e", "stderr"],
                               stderr=subprocess.PIPE)
    idle = []
    try:
        records = a_records("www", ["127.0.0.1"])
        server = balanced(rondo, records, [{"name": "www", "policy": "least_connections", "probe": "web", "ttl": 1}],
                          [http(port, path="/status", **ACTIVE)])

        def load():
            return members(server, f"www.{ZONE}")["127.0.0.1"]["load"]

        until(lambda: load() == {"kind": "connections", "value": 1}, lambda: f"the check's own: {load()}")
        for _ in range(10):
            idle.append(socket.create_connection(("127.0.0.1", port)))
        until(lambda: load() == {"kind": "connections", "value": 11}, lambda: f"ten more: {load()}")
    finally:
        for connection in idle:
            connection.close()
        process.terminate()
        process.wait(10)
        process.stderr.close()


def test_a_policy_needs_reports(rondo):
    done = arrange(rondo, a_records("www", ["127.0.0.1"]),
                   [{"name": "www", "policy": "least_load", "probe": "web"}], [http(80)]).validate()
    assert done.returncode == 1
    assert '"least_load" needs a probe that reports load' in done.stdout + done.stderr

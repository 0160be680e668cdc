"""Policies by load: real servers that are slow, busy or say so, and shares of answers that follow, in small steps."""

import shutil
import socket
import subprocess
import time

from backends import OK, slow, status
from balancing import Asker, a_records, arrange, balanced, http, members, wait_verdicts
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


def first_share(server, name, fleet):
    return members(server, f"{name}.{ZONE}")[fleet.addresses[0]]["share"]


def start(rondo, fleets, pools):
    records = "".join(a_records(name, fleet.addresses) for name, fleet in fleets.items())
    groups = [{"name": name, "policy": pools[name][0], "probe": name, "ttl": 1} for name in fleets]
    rows = [http(fleet.port, name, **pools[name][1]) for name, fleet in fleets.items()]
    return balanced(rondo, records, groups, rows)


def test_shares_follow_reports_in_small_steps(rondo, backends):
    fleets = {name: backends(3) for name in POOLS}
    for name, (_, _, worst, rest) in POOLS.items():
        for i, backend in enumerate(fleets[name]):
            backend.manner = rest if i else worst
    server = start(rondo, fleets, POOLS)
    for name, fleet in fleets.items():
        wait_verdicts(server, f"{name}.{ZONE}", dict.fromkeys(fleet.addresses, "up"))
    seen = {name: [1 / 3] for name in POOLS}
    looked = {name: time.monotonic() for name in POOLS}

    def look(name, fleet):
        """Steps are a second apart; what was not looked at for long may have made more of them."""
        share, before = first_share(server, name, fleet), seen[name][-1]
        now = time.monotonic()
        if share != before:
            seen[name].append(share)
            assert share < before <= share * (STEP + 0.01) ** (1 + int(now - looked[name] + 0.2)), (name, seen[name])
            assert share > FLOOR / 3
        looked[name] = now

    def have_fallen():
        for name, fleet in fleets.items():
            look(name, fleet)
        return all(shares[-1] < 0.29 for shares in seen.values())

    until(have_fallen, lambda: f"the first of three gets less: {seen}\n{server.ctl('pools').stdout}", pause=0.1)
    print(seen)

    # what people are shown
    row = {name: members(server, f"{name}.{ZONE}")[fleet.addresses[0]] for name, fleet in fleets.items()}
    assert 40 <= row["fast"]["response_ms"] < 100 and row["fast"]["load"] is None
    assert row["busy"]["load"]["kind"] == "utilization" and abs(row["busy"]["load"]["value"] - 0.9) < 0.001
    assert row["full"]["load"] == {"kind": "connections", "value": 500}
    assert row["wish"]["load"] == {"kind": "weight", "value": 20}
    assert all(0 < member["weight_now"] < member["weight"] == 1 for member in row.values())
    table = server.ctl("pools", f"busy.{ZONE}").stdout
    assert "RESPONSE" in table and "LOAD" in table and " 0.90 " in table and " of 1 " in table, table

    # what clients get
    with Asker(server, f"busy.{ZONE}") as asker:
        firsts = asker.firsts(1000)
    share = first_share(server, "busy", fleets["busy"])
    assert abs(firsts[fleets["busy"].addresses[0]] / 1000 - share) < 0.08, (firsts, share)

    # as well as the others, or better, or without a word: back the same way
    for name, fleet in fleets.items():
        fleet[0].manner = {"busy": OK, "full": stub_status(10)}.get(name, POOLS[name][3])
    for backend in fleets["fast"][1:]:
        backend.manner = POOLS["fast"][2]
    low = {name: first_share(server, name, fleet) for name, fleet in fleets.items()}
    until(lambda: all(first_share(server, name, fleet) > low[name] * 1.1 for name, fleet in fleets.items()),
          lambda: f"it gets more again than {low}\n{server.ctl('pools').stdout}", pause=0.1)
    assert members(server, f"busy.{ZONE}")[fleets["busy"].addresses[0]]["load"] is None


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
            return first_share(server, "www", web) < 0.28

        assert abs(first_share(server, "www", web) - 1 / 3) < 0.05
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

"""20,000 pools, and pools of 1,000 members: whatever happens to all at once, the control thread is never away for long."""

import json

import pytest

from balancing import arrange, balance, http
from rondo import sanitized, until
from turns import judge, lag_of

# A sanitizer's build is not judged; what it finds it finds among fewer, too.
POOL_CNT = 3000 if sanitized() else 20000


def zone_text(serial, byte, cnt=POOL_CNT):
    head = f"$TTL 300\n@ IN SOA ns1 hostmaster {serial} 3600 900 604800 60\n IN NS ns1\nns1 IN A 192.0.2.53\n"
    return head + "".join(f"n{i}.apps A 192.0.2.{byte}\nn{i}.apps A 198.51.100.{i % 250}\n" for i in range(cnt))


def rows_of(server):
    done = server.ctl("-t", "60s", "--json", "pools")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["pools"]


def test_control_thread_is_never_away_for_long(rondo):
    def reload(server):
        done = server.ctl("-t", "60s", "reload")
        assert done.returncode == 0, done.stderr

    def shape():
        server = arrange(rondo, "", [{"below": "apps"}])
        server.write_zone("example.com", zone_text(1, 1))
        server.start()
        until(lambda: server.ctl_json("status")["pools"]["live"] == POOL_CNT, "all are there")
        names = [row["name"] for row in rows_of(server)]
        assert len(names) == POOL_CNT
        assert names == sorted(names)
        server.write_zone("example.com", zone_text(2, 2))
        reload(server)
        server.keys = {"example.com": balance([{"below": "apps", "ttl": 7}])}
        server.write_config()
        reload(server)
        rows = rows_of(server)
        assert len(rows) == POOL_CNT
        assert {row["ttl"] for row in rows} == {7}
        found = {member["address"] for row in rows for member in row["members"]}
        assert {address for address in found if address.startswith("192.")} == {"192.0.2.2"}
        server.write_zone("example.com", zone_text(3, 2, 10))
        reload(server)
        assert len(rows_of(server)) == 10
        server.write_zone("example.com", zone_text(4, 2))
        reload(server)
        server.zones = {}
        server.keys = {}
        server.write_config()
        reload(server)
        until(lambda: server.ctl_json("status")["pools"]["total"] == 0, "all are gone")
        assert rows_of(server) == []
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"{POOL_CNT} pools come, are shown, change and go", shape)


MEMBER_CNT, LARGE_CNT = 1000, 2 if sanitized() else 10


def large_pools(serial):
    head = f"$TTL 300\n@ IN SOA ns1 hostmaster {serial} 3600 900 604800 60\n IN NS ns1\nns1 IN A 192.0.2.53\n"
    return head + "".join(f"n{n}.apps A 127.{100 + serial}.{i >> 8}.{i & 255}\n"
                          for n in range(LARGE_CNT) for i in range(MEMBER_CNT))


@pytest.mark.parametrize("policy", ["weighted", "hash"])
def test_large_pools(rondo, policy):
    """Every member is another one with each version, each checked by two probes, and every one refuses."""
    rows = [http(9, interval="60s"), http(10, name="web2", interval="60s")]

    def shape():
        server = arrange(rondo, "", [{"below": "apps", "policy": policy, "probe": ["web", "web2"]}], rows)
        server.write_zone("example.com", large_pools(1))
        server.start()
        for serial in (1, 2, 3):
            if serial > 1:
                server.write_zone("example.com", large_pools(serial))
                done = server.ctl("-t", "60s", "reload")
                assert done.returncode == 0, done.stderr
            until(lambda: server.ctl_json("status")["members"]["down"] == LARGE_CNT * MEMBER_CNT, "all are known")
        assert {member["address"].split(".")[1] for row in rows_of(server) for member in row["members"]} == {"103"}
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"{LARGE_CNT} {policy} pools of {MEMBER_CNT} members made anew", shape)

"""No turn of the control thread is long: shapes in which one thing that happens has much to do, each of which once was a turn of 8 to
130 ms. A build without sanitizer is judged; contrib/check.sh runs this there.
"""

import contextlib
import socket
import struct
import threading

import pytest

from balancing import balance, http, probes, tcp
from resolver import Resolver
from rondo import free_port, sanitized, until
from turns import judge, lag_of

pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer slows everything down by any factor")

HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 900 604800 60\n IN NS ns1\nns1 IN A 192.0.2.53\n"


class Listener:
    """Lets everybody connect."""

    def __init__(self, address, port):
        self.address = (address, port)
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(self.address)
        self.sock.listen(4096)
        self.ended = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ended:
            with contextlib.suppress(OSError):
                self.sock.accept()[0].close()

    def close(self):
        self.ended = True
        self.sock.shutdown(socket.SHUT_RDWR)  # ends accept
        self.thread.join()
        self.sock.close()


@pytest.fixture
def listeners():
    made = []

    def make(address, port):
        made.append(Listener(address, port))
        return made[-1]

    yield make
    for listener in made:
        if not listener.ended:
            listener.close()


def reload(server):
    done = server.ctl("-t", "60s", "reload")
    assert done.returncode == 0, done.stderr


def members(server):
    return server.ctl_json("status")["members"]


def test_zones_removed_at_once(rondo):
    """While many pools of another zone are to follow the new configuration."""
    dropped, kept = 300, 5000

    def shape():
        names = [f"z{i}.test" for i in range(dropped)]
        zones = {"example.com": HEAD + "".join(f"n{i}.apps A 192.0.2.1\nn{i}.apps A 192.0.2.2\n" for i in range(kept))}
        zones.update((name, HEAD + "www A 192.0.2.1\nwww A 192.0.2.2\n") for name in names)
        rows = [http(9, interval="60s")]
        keys = {name: balance([{"name": "www", "probe": "web"}]) for name in names}
        keys["example.com"] = balance([{"below": "apps", "policy": "weighted", "probe": "web"}])
        server = rondo(zones=zones, keys=keys, extra=probes(rows))
        until(lambda: server.ctl_json("status")["pools"]["total"] == kept + dropped, "all are there")
        for name in names:
            del server.zones[name]
        server.keys["example.com"] = balance([{"below": "apps", "policy": "weighted", "probe": "web", "ttl": 7}])
        server.write_config()
        reload(server)
        until(lambda: server.ctl_json("status")["pools"]["total"] == kept, "those of the other zones are gone")
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"{dropped} zones removed", shape)


def test_one_target_of_many_pools_dies(rondo, listeners):
    count = 100000

    def shape():
        port = free_port(("127.7.0.1", "127.7.0.2"))
        well, ill = listeners("127.7.0.1", port), listeners("127.7.0.2", port)
        text = HEAD + "".join(f"n{i}.apps A 127.7.0.1\nn{i}.apps A 127.7.0.2\n" for i in range(count))
        server = rondo(zones={"example.com": text}, keys={"example.com": balance([{"below": "apps", "policy": "weighted", "probe": "tcp"}])},
                       extra=probes([tcp(port, interval="1s", timeout="200ms")]))
        until(lambda: members(server)["up"] == 2 * count, "all are up")
        ill.close()
        until(lambda: members(server)["down"] == count, "one is down for all")
        lag = lag_of(server)
        assert members(server)["up"] == count
        server.stop()
        well.close()
        return lag

    judge(f"the death of a target that {count} pools share", shape)


def test_pool_of_many_members_and_probes_is_made_anew(rondo):
    count, probe_count = 1024, 8

    def shape():
        rows = [http(9, name=f"web{i}", path=f"/{i}", interval="60s") for i in range(probe_count)]
        group = {"name": "www", "policy": "weighted", "probe": [row["name"] for row in rows]}
        text = HEAD + "".join(f"www A 127.2.{i >> 8}.{i & 255}\nwww AAAA ::ffff:127.3.{i >> 8}.{i & 255}\n" for i in range(count))
        server = rondo(zones={"example.com": text}, keys={"example.com": balance([group])}, extra=probes(rows))
        until(lambda: members(server)["down"] == 2 * count, "all are known")
        reload(server)
        server.write_zone("example.com", text.replace("127.2.0.0\n", "127.2.9.9\n").replace(" hostmaster 1 ", " hostmaster 2 "))
        reload(server)
        server.keys = {"example.com": balance([{**group, "policy": "random"}])}
        server.write_config()
        reload(server)
        until(lambda: members(server)["down"] == 2 * count, "all are known again")
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"a pool of {count} members with {probe_count} probes made anew", shape)


def test_heavy_member_of_a_hash_pool_dies(rondo, listeners):
    count = 1000

    def shape():
        port = free_port(("127.1.0.1", "127.2.0.1"))
        heavy = listeners("127.1.0.1", port)
        text = HEAD + "".join(f"www A 127.2.{i >> 8}.{i & 255}\n" for i in range(count)) + "www A 127.1.0.1\n"
        group = {"name": "www", "policy": "hash", "members": [{"address": "127.1.0.1", "weight": 65535, "probe": "tcp"}]}
        server = rondo(zones={"example.com": text}, keys={"example.com": balance([group])}, extra=probes([tcp(port)]))
        until(lambda: members(server)["unknown"] == 0, "all are known")
        heavy.close()
        until(lambda: members(server)["down"] == 1, "the heavy one is down")
        until(lambda: server.query("www.example.com", "A").answer[0][0].address.startswith("127.2."), "another answers")
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"a hash pool of {count} loses the one that got all", shape)


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def ask_all_at_once(server, payload, count):
    """Each sends all but the last byte; then all of them that."""
    socks = [server.control_socket() for _ in range(count)]
    for sock in socks:
        sock.sendall(frame(payload)[:-1])
    for sock in socks:
        sock.sendall(frame(payload)[-1:])

    def read(sock):
        while sock.recv(1 << 20):
            pass
        sock.close()

    readers = [threading.Thread(target=read, args=(sock,)) for sock in socks]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


def test_control_clients_at_once(rondo):
    zone_count, client_count, request_max = 10000, 31, 4096
    junk = b'{"rondo":1,"command":"status","args":[],"x":['
    junk += b"[]," * ((request_max - len(junk) - 4) // 3) + b"[]]}"

    def shape():
        rows = ",\n".join(f'{{ name = "z{i}.test"; file = "one.zone"; }}' for i in range(zone_count))
        server = rondo.prepare(zones={"one": HEAD}, config=
                               'server: { listen = [ "127.0.0.1@{port}" ]; zone_dir = "zones"; state_dir = "state"; control = "control.sock"; };\n'
                               f"zones = (\n{rows}\n);\n")
        server.start(["z0.test", f"z{zone_count - 1}.test"])
        until(lambda: server.ctl_json("status")["zones"]["served"] == zone_count, "all are served")
        ask_all_at_once(server, junk, client_count)
        ask_all_at_once(server, b'{"rondo":1,"command":"zones","args":[]}', client_count)
        lag = lag_of(server)
        server.stop()
        return lag

    judge(f"{client_count} control clients at once", shape)


def test_name_servers_of_all_zones_become_known(rondo):
    """At once, when a resolver answers at last; and a reload, behind which the plan before is freed."""
    zone_count = 10000
    names = [f"ns{i}.elsewhere.test" for i in range(6)]
    text = f"$TTL 300\n@ IN SOA {names[0]}. hostmaster 1 3600 900 604800 60\n" + "".join(f" IN NS {name}.\n" for name in names)

    def targets(server, name):
        return server.ctl_json("zones", name)["zones"][0]["notify"]["targets"]

    def shape():
        with contextlib.closing(Resolver()) as names_known:
            for name in names:
                names_known.fail(name, "silence")
            rows = ",\n".join(f'{{ name = "z{i}.test"; template = "one"; }}' for i in range(zone_count))
            server = rondo.prepare(zones={"one": text}, config=
                                   'server: { listen = [ "127.0.0.1@{port}" ]; zone_dir = "zones"; state_dir = "state"; control = "control.sock"; };\n'
                                   f'{names_known.config()}templates = ( {{ name = "one"; file = "one.zone"; }} );\nzones = (\n{rows}\n);\n')
            server.start(["z0.test", f"z{zone_count - 1}.test"])
            until(lambda: server.ctl_json("status")["zones"]["served"] == zone_count, "all are served")
            for name in names:
                names_known.set(name, a=["127.0.0.1"], ttl=3600)
            for name in ("z0.test", "z1.test", "z5000.test", f"z{zone_count - 1}.test"):
                until(lambda name=name: targets(server, name) == 1, "they are known")
            reload(server)
            lag = lag_of(server)
            server.stop()
            return lag

    judge(f"the name servers of {zone_count} zones", shape)

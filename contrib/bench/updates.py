#!/usr/bin/env python3
"""How many dynamic updates a second name servers make durable: rondo, named and knotd one after the other, beside the
commits a second of a bare LMDB on the same disk, measured before each.

    contrib/bench/updates.py --build build/release [--names 1000000] [--dir DIR on a real disk]

A client has one update under way, over UDP and unsigned, from an address of its own; each adds a record, and the next
one goes when the answer has come. So 1 client shows what one update takes, 32 what a server makes of many. The clients
run on one core, the server on another. All servers sync as they do by default.
"""

import argparse
import os
import pathlib
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from servers import Bind, Knot, Rondo  # noqa: E402
from wire import ask  # noqa: E402
from workloads import SOA, ZONE, Workload  # noqa: E402

RESEND_SEC = 1.0
APEX = b"\7example\3com\0"


class UpdatedRondo(Rondo):
    def prepare(self, workload, zone):
        self.write(zone, "rate_limit = 0;", 'allow_update = [ "127.0.0.0/8" ];')


class UpdatedBind(Bind):
    def prepare(self, workload, zone):
        super().prepare(workload, zone)
        conf = self.dir / "named.conf"
        conf.write_text(conf.read_text().replace("type primary;", "type primary; allow-update { 127.0.0.0/8; };"))


class UpdatedKnot(Knot):
    """Its journal as by default, which is where an update becomes durable."""

    def prepare(self, workload, zone):
        super().prepare(workload, zone)
        conf = self.dir / "knot.conf"
        text = conf.read_text().replace("    journal-content: none\n    zonefile-load: whole\n",
                                        "    acl: all\n    zonefile-sync: -1\n")
        acl = "acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: update\n"
        conf.write_text(text.replace("template:\n", acl + "template:\n"))


SERVERS = {"rondo": UpdatedRondo, "bind": UpdatedBind, "knot": UpdatedKnot}


class Client:
    def __init__(self, port, number, tag):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((f"127.0.1.{number + 1}", 0))
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.prefix, self.count, self.resent = f"{tag}-{number}-", 0, 0

    def wire(self):
        label = f"{self.prefix}{self.count}".encode()
        return (struct.pack("!HHHHHH", self.count & 0xFFFF, 5 << 11, 1, 0, 1, 0) + APEX + struct.pack("!HH", 6, 1)
                + bytes([len(label)]) + label + b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, b"\xc0\0\2\1"))

    def send(self, now):
        self.sent = now
        self.sock.send(self.wire())

    def take(self, now):
        """An answer, and the next update."""
        reply = self.sock.recv(65535)
        if reply[:2] != struct.pack("!H", self.count & 0xFFFF):
            return  # to one that was sent again
        if reply[3] & 15:
            raise RuntimeError(f"an update was answered with RCODE {reply[3] & 15}")
        self.count += 1
        self.send(now)


def measure(server, count, seconds, tag):
    """(updates a second, how many were sent again)"""
    clients = {client.sock.fileno(): client for client in (Client(server.port, i, tag) for i in range(count))}
    with select.epoll() as poll:
        for number in clients:
            poll.register(number, select.EPOLLIN)
        began = now = time.monotonic()
        for client in clients.values():
            client.send(now)
        while now < began + seconds:
            for number, _ in poll.poll(0.1):
                clients[number].take(now)
            now = time.monotonic()
            for client in clients.values():
                if now - client.sent > RESEND_SEC:
                    client.resent += 1
                    client.send(now)
    for client in clients.values():
        client.sock.close()
        if client.count and not ask(server.port, f"{client.prefix}{client.count - 1}.{ZONE}", False):
            raise RuntimeError(f"{server.name} acknowledged an update that it does not serve")
    return (sum(client.count for client in clients.values()) / (now - began),
            sum(client.resent for client in clients.values()))


def bare_commits(build, folder, core):
    words = ["taskset", "-c", core, str(build / "contrib/bench/commit-bench"), str(folder), "1"]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def write_zone(path, names):
    with path.open("w") as file:
        file.write(SOA)
        file.writelines(f"h{i} IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(names))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--clients", default="1,32")
    parser.add_argument("--servers", default="rondo,bind,knot")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=15353)
    parser.add_argument("--cores", default="0,1", help="the servers', the clients'")
    return parser.parse_args()


def run(args, folder):
    zone = folder / "zone"
    write_zone(zone, args.names)
    workload = Workload("updates", "dynamic updates", None, None)
    server_core, client_core = args.cores.split(",")
    os.sched_setaffinity(0, {int(client_core)})
    Rondo.path = lambda self: str((args.build / "rondod").resolve())
    found = {}
    for number in range(args.rounds):
        for name in args.servers.split(","):
            # A copy of its own: some write into the zone's file.
            shutil.copy(zone, folder / f"{name}.zone")
            server = SERVERS[name](folder / name, args.port, server_core)
            if not server.can(workload):
                continue
            server.start(workload, folder / f"{name}.zone")
            try:
                for count in map(int, args.clients.split(",")):
                    bare = bare_commits(args.build, folder, server_core)
                    rate, again = measure(server, count, args.seconds, f"r{number}c{count}")
                    found.setdefault("LMDB", []).append((bare, 1, 0))
                    found.setdefault(f"{name}, {count} at once", []).append((rate, rate / bare, again))
            finally:
                server.stop()
                shutil.rmtree(folder / name, ignore_errors=True)
    show(args, found)


def show(args, found):
    print(f"durable updates a second, zone of {args.names} names, median of {args.rounds} rounds; \"x LMDB\": of that "
          "measured just before")
    for what, results in found.items():
        rates, ratios, again = zip(*results)
        print(f"{what:20} {statistics.median(rates):8.0f}  ({min(rates):.0f} to {max(rates):.0f})"
              f"  {statistics.median(ratios):6.2f} x LMDB" + (f"  {sum(again)} sent again" if sum(again) else ""))


def main():
    args = arguments()
    args.build = args.build.resolve()
    with tempfile.TemporaryDirectory(prefix="updates-", dir=args.dir.resolve()) as folder:
        run(args, pathlib.Path(folder))


if __name__ == "__main__":
    main()

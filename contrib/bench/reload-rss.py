#!/usr/bin/python3
"""Does memory grow with reloads? Starts rondod with one zone, reloads it 1,000 times, each time with
another part of its names changed, added and removed, and compares resident memory after reload 1,000 with
that after reload 100: at most 1 % + 1 MiB more.

    contrib/bench/reload-rss.py [--names 20000] [--reloads 1000] [--rondod ./rondod] [--rondoctl ./rondoctl]

Exit status 1 when the bound is broken."""

import argparse
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

HEAD = "$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"
WARM = 100


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Zone:
    """Names with one to four addresses; a step changes a tenth of them, removes
    some and adds as many of other names."""

    def __init__(self, cnt):
        self.random = random.Random(1)
        self.next = cnt
        self.names = {f"n{i}": self.addresses() for i in range(cnt)}

    def addresses(self):
        return [f"192.0.{self.random.randrange(256)}.{n}" for n in range(self.random.randrange(1, 5))]

    def step(self):
        for name in self.random.sample(sorted(self.names), len(self.names) // 10):
            if self.random.random() < 0.3:
                del self.names[name]
                name = f"n{self.next}"
                self.next += 1
            self.names[name] = self.addresses()

    def write(self, path, serial):
        lines = [f"{name} A {address}\n" for name, addresses in self.names.items() for address in addresses]
        fresh = path.with_suffix(".new")
        fresh.write_text(HEAD.format(serial=serial) + "".join(lines))
        os.replace(fresh, path)


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def measure(args, folder):
    control, port = folder / "control.sock", free_port()
    zone, path = Zone(args.names), folder / "example.com.zone"
    (folder / "rondo.conf").write_text(
        f'server: {{ listen = [ "127.0.0.1@{port}" ]; control = "{control}"; workers = 1; }};\n'
        'zones = ( { name = "example.com"; } );\n')
    zone.write(path, 1)
    with (folder / "log").open("w") as log, \
            subprocess.Popen([args.rondod, "-c", str(folder / "rondo.conf")], stderr=log) as server:
        try:
            while "ready" not in (folder / "log").read_text():
                if server.poll() is not None:
                    sys.exit("rondod ended:\n" + (folder / "log").read_text())
                time.sleep(0.05)
            print(f"at the start {resident_kib(server.pid)} KiB")
            for n in range(1, args.reloads + 1):
                zone.step()
                zone.write(path, n + 1)
                subprocess.run([args.rondoctl, "-s", str(control), "reload"], check=True, stdout=subprocess.DEVNULL)
                if n == WARM:
                    warm = resident_kib(server.pid)
                if n % WARM == 0:
                    print(f"after reload {n}: {resident_kib(server.pid)} KiB", flush=True)
            return warm, resident_kib(server.pid)
        finally:
            server.terminate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=int, default=20000)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--rondod", default=os.environ.get("RONDOD", "./rondod"))
    parser.add_argument("--rondoctl", default=os.environ.get("RONDOCTL", "./rondoctl"))
    args = parser.parse_args()
    if args.reloads <= WARM:
        parser.error(f"--reloads must be above {WARM}")
    with tempfile.TemporaryDirectory(prefix="rondo-") as folder:
        warm, last = measure(args, pathlib.Path(folder))
    bound = warm + warm // 100 + 1024
    print(f"bound {bound} KiB: {'kept' if last <= bound else 'BROKEN'}")
    sys.exit(last > bound)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""How long after the end of the check that decides are answers without the dead
member, and with it again? Judged: all within 50 ms.

    contrib/bench/verdict.py --rondod build/release/rondod [--turns 50] [--members 3]

A member's web server answers 200 and 500 in turns; rondod checks it every 100 ms and one result decides.
Measured from the moment at which the server has handed the deciding response to the kernel to the first
answer that shows it, asked for one after the other.
"""

import argparse
import pathlib
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

BOUND_MS = 50.0
NAME = "www.example.com"


class Web:
    """A server that answers with the status it is told, and remembers when it first did."""

    def __init__(self, address, port):
        self.goal = [200, None]  # the status, and when it was first answered; replaced whole
        self.listener = socket.create_server((address, port), backlog=128)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            with connection:
                try:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        more = connection.recv(65536)
                        if not more:
                            break
                        request += more
                    goal = self.goal
                    connection.sendall(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % goal[0])
                    goal[1] = goal[1] or time.monotonic()
                except OSError:
                    pass

    def turn(self, status):
        self.goal = [status, None]


class Questions:
    def __init__(self, port):
        labels = [label.encode() for label in NAME.split(".")]
        name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
        self.wire = bytearray(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + name + b"\0\1\0\1")
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(0.5)
        self.sock.connect(("127.0.0.1", port))
        self.id = 0

    def addresses(self):
        self.id = (self.id + 1) & 0xFFFF
        struct.pack_into("!H", self.wire, 0, self.id)
        self.sock.send(self.wire)
        reply = self.sock.recv(4096)
        while reply[:2] != self.wire[:2]:
            reply = self.sock.recv(4096)
        count, = struct.unpack_from("!H", reply, 6)
        return {socket.inet_ntoa(reply[at - 4:at]) for at in (len(self.wire) + 16 * (i + 1) for i in range(count))}


def wait(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return time.monotonic()
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"not in {seconds} s: {what}")


def free_port(addresses):
    for port in random.sample(range(12000, 32000), 200):
        try:
            for address in addresses:
                socket.create_server((address, port)).close()
            return port
        except OSError:
            continue
    sys.exit("no free port")


def configure(folder, port, web_port, members):
    records = "".join(f"www 60 A {address}\n" for address in members)
    (folder / "example.com.zone").write_text(
        f"$TTL 60\n@ SOA ns1 h 1 1h 15m 2w 5m\n@ NS ns1\nns1 A 192.0.2.53\n{records}")
    (folder / "rondo.conf").write_text(
        f'server: {{ listen = [ "127.0.0.1@{port}" ]; workers = 1; state_dir = "."; control = "control.sock"; '
        'rate_limit = 0; };\n'
        f'probes = ( {{ name = "web"; type = "http"; port = {web_port}; '
        'interval = "100ms"; fast_interval = "100ms"; timeout = "100ms"; '
        "rise = 1; fall = 1; } );\n"
        'zones = ( { name = "example.com"; balance = ( { name = "www"; probe = "web"; } ); } );\n')


def measure(turns, port, web, address):
    """Milliseconds of each turn."""
    questions, took = Questions(port), []
    wait(lambda: address in questions.addresses(), 10, "all are served")
    for turn in range(turns):
        alive = turn % 2 == 1
        web.turn(200 if alive else 500)
        seen = wait(lambda want=alive: (address in questions.addresses()) == want, 10, "the verdict is seen")
        wait(lambda: web.goal[1], 1, "the server knows when it answered")
        took.append(max(0.0, seen - web.goal[1]) * 1000)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rondod", default="build/release/rondod", help="default: %(default)s")
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--members", type=int, default=3, help="of the pool, at most 16")
    args = parser.parse_args()
    addresses = [f"127.0.0.{11 + i}" for i in range(min(16, max(2, args.members)))]
    sys.setswitchinterval(0.0005)
    with tempfile.TemporaryDirectory(prefix="rondo-verdict-") as name:
        folder, port, web_port = pathlib.Path(name), free_port(["127.0.0.1"]), free_port(addresses)
        webs = [Web(address, web_port) for address in addresses]
        configure(folder, port, web_port, addresses)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([args.rondod, "-c", folder / "rondo.conf"], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log)
        try:
            took = sorted(measure(args.turns, port, webs[0], addresses[0]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    print(f"verdict seen after: median {statistics.median(took):.2f} ms, 90 % {took[int(len(took) * 0.9)]:.2f} ms, "
          f"worst {took[-1]:.2f} ms of {len(took)}; bound {BOUND_MS:.0f} ms")
    sys.exit(0 if took[-1] <= BOUND_MS else 1)


if __name__ == "__main__":
    main()

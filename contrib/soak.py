#!/usr/bin/python3
"""rondod for a long time under load and change: dnsperf at full speed, a reload a second with a zone
that changed, silent and rude TCP clients, garbage packets. Fails when an honest question is lost or
answered wrong, or memory or descriptors grow."""

import argparse
import contextlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "functional"))

import rondo  # noqa: E402

ZONE_CNT = 100
GROWTH_MOST = 1.02  # of the memory after the first tenth, plus
SLACK_BYTES = 1 << 20


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=".", help="build folder with rondod")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=20000, help="queries a second of the background load")
    return parser.parse_args()


def zone_text(serial, hosts=200):
    return rondo.DEFAULT_ZONE.replace(" 1 3600", f" {serial} 3600") + "".join(
        f"h{i} IN A 10.0.{serial % 256}.{i % 256}\n" for i in range(hosts))


def background(server, folder, seconds, rate):
    """dnsperf over all zones, hits and misses."""
    queries = pathlib.Path(folder) / "queries"
    queries.write_text("".join(f"{name}.zone{number}.test A\n" for number in range(ZONE_CNT)
                               for name in ("www", "h1", "h199", "missing")))
    return subprocess.Popen(["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", str(queries), "-l",
                             str(int(seconds)), "-Q", str(rate)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def be_rude(server, rng):
    """Garbage over UDP, and a TCP client that leaves in the middle."""
    with server.udp_socket() as sock, contextlib.suppress(OSError):
        for _ in range(20):
            sock.send(rng.randbytes(rng.randrange(600)))
    with contextlib.suppress(OSError), server.tcp_socket() as sock:
        sock.sendall(rng.randbytes(rng.randrange(1, 3000)))


def soak(server, folder, args):
    rng = random.Random(1)
    end = time.monotonic() + args.minutes * 60
    settle = time.monotonic() + args.minutes * 6
    first = None
    reloads = 0
    load = background(server, folder, args.minutes * 60, args.rate)
    try:
        with rondo.Load(server, "www.zone0.test") as honest:
            while time.monotonic() < end:
                second = time.monotonic() + 1
                reloads += 1
                server.write_zone(f"zone{rng.randrange(ZONE_CNT)}.test", zone_text(reloads + 1))
                done = server.reload()
                assert done.returncode == 0, done.stderr
                be_rude(server, rng)
                server.assert_alive()
                if first is None and time.monotonic() > settle:
                    first = (server.rss_bytes(), server.open_files())
                time.sleep(max(0, second - time.monotonic()))  # a reload a second is the workload, not a wait
            last = (server.rss_bytes(), server.open_files())
        print(f"{honest.sent} honest questions, {honest.lost} lost, {honest.wrong} wrong; {reloads} reloads; "
              f"memory {first[0]} → {last[0]} bytes, "
              f"descriptors {first[1]} → {last[1]}")
        assert not honest.lost and not honest.wrong, honest.first_wrong
        assert last[0] <= first[0] * GROWTH_MOST + SLACK_BYTES, "memory grows"
        assert last[1] <= first[1] + 50, "descriptors grow"
    finally:
        load.terminate()
        load.wait()


def main():
    args = options()
    os.environ["RONDOD"] = str(pathlib.Path(args.build).resolve() / "rondod")
    os.environ["RONDOCTL"] = str(pathlib.Path(args.build).resolve() / "rondoctl")
    with tempfile.TemporaryDirectory(prefix="rondo-soak-") as folder:
        zones = {f"zone{number}.test": zone_text(1) for number in range(ZONE_CNT)}
        server = rondo.Rondod(f"{folder}/server", zones=zones)
        try:
            server.start()
            soak(server, folder, args)
            server.stop()
        finally:
            server.kill()


if __name__ == "__main__":
    main()

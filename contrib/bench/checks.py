#!/usr/bin/python3
"""What checks cost, many of them, beside gdnsd:

    contrib/bench/checks.py --build build/release [--seconds 20] [--rows load,tcp,http]

load    a configuration of 100,000 members in 1,000 pools is read and validated (rondod -t): within 2 s
tcp     100,000 members, a connection each every 10 s: under one core, under 300 MB, the p99 of the time between when a
        check was due and when it began under 100 ms
http    5,000 members, a GET each every 2 s: CPU a check, at most 60 us and less than gdnsd's in the same run

The members are addresses of 127/8, behind all of which one server (backends.c) accepts and counts; checker and server
have a core each. CPU is the whole process's, by its own clocks, in the time measured; checks are those that the server
accepted meanwhile. gdnsd is given the same targets, its own http_status plugin and an interval of 2 s; it has no check
that only connects and is left out there.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

PER_POOL = 100
DNS_PORT = 5391
PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"


def address(number):
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def pools_of(members):
    for first in range(0, members, PER_POOL):
        yield first // PER_POOL, [address(number) for number in range(first, min(first + PER_POOL, members))]


def write_zone(folder, members):
    lines = ["$TTL 300", "@ SOA ns1 host 1 3600 600 86400 60", "@ NS ns1", "ns1 A 192.0.2.53"]
    for number, addresses in pools_of(members):
        lines += [f"p{number} A {text}" for text in addresses]
    (folder / "example.com.zone").write_text("\n".join(lines) + "\n")


def write_rondo(folder, members, probe, server=""):
    write_zone(folder, members)
    groups = ",\n".join('{ name = "p%d"; policy = "weighted"; probe = "c"; members = (%s); }' % (
        number, ", ".join('{ address = "%s"; weight = %d; }' % (text, 1 + i % 4) for i, text in enumerate(addresses)))
        for number, addresses in pools_of(members))
    path = folder / "rondo.conf"
    path.write_text(f'server: {{ listen = [ "127.0.0.1@{DNS_PORT}" ]; workers = 1; zone_dir = "{folder}"; '
                    f'state_dir = "{folder}/state"; control = "{folder}/control.sock"; {server} }};\n'
                    f'probes = ( {{ name = "c"; {probe} }} );\n'
                    f'zones = ( {{ name = "example.com"; file = "example.com.zone"; balance = (\n{groups} ); }} );\n')
    return path


def write_gdnsd(folder, members, port):
    write_zone(folder, 0)
    for name in ("zones", "run", "state"):
        (folder / name).mkdir()
    records = ["@ SOA ns1 host 1 3600 600 86400 60", "@ NS ns1", "ns1 A 192.0.2.53"]
    resources = []
    few = 50  # of one resource
    for first in range(0, members, few):
        own = [address(number) for number in range(first, min(first + few, members))]
        resources.append("r%d => { service_types => web, %s }" % (
            first // few, ", ".join(f"m{i} => {text}" for i, text in enumerate(own))))
        records.append(f"r{first // few} 20 DYNA multifo!r{first // few}")
    (folder / "zones" / "example.com").write_text("\n".join(records) + "\n")
    (folder / "config").write_text(
        f"options => {{ listen => 127.0.0.1:{DNS_PORT}, run_dir => {folder}/run, state_dir => {folder}/state }}\n"
        f"service_types => {{ web => {{ plugin => http_status, port => {port}, url_path => /, interval => 2, "
        "timeout => 1, up_thresh => 2, down_thresh => 2 } }\n"
        "plugins => { multifo => { " + "\n".join(resources) + " } }\n")


class Process:
    def __init__(self, words, core, log):
        with open(log, "wb") as output:
            self.popen = subprocess.Popen(["taskset", "-c", str(core), *[str(word) for word in words]],
                                          stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.log = log

    def alive(self):
        if self.popen.poll() is not None:
            sys.exit(f"{self.popen.args}: ended\n{pathlib.Path(self.log).read_text(errors='replace')[-2000:]}")

    def cpu_sec(self):
        tasks = pathlib.Path(f"/proc/{self.popen.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9

    def resident_mb(self):
        text = pathlib.Path(f"/proc/{self.popen.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss: +(\d+)", text, re.M).group(1)) * 1024 / 1e6

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.build = pathlib.Path(options.build).resolve()
        self.failed = False

    def judge(self, what, value, bound, unit):
        good = value <= bound
        self.failed |= not good
        print(f"  {what:<44} {value:>9.1f} {unit:<4} at most {bound:g}{'' if good else '   MISSED'}", flush=True)

    def backends(self, kind, port):
        process = Process([self.build / "contrib/bench/backends", kind, port, self.folder / "accepted"], 1,
                          self.folder / "backends.log")
        time.sleep(0.3)
        process.alive()
        return process

    def accepted(self):
        return struct.unpack("=Q", (self.folder / "accepted").read_bytes())[0]

    def status(self, folder):
        done = subprocess.run([self.build / "rondoctl", "--json", "-s", folder / "control.sock", "status"],
                              stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    def measure(self, process, settle, seconds):
        """CPU seconds a second, and checks a second."""
        time.sleep(settle)
        process.alive()
        cpu, checks, began = process.cpu_sec(), self.accepted(), time.monotonic()
        time.sleep(seconds)
        process.alive()
        took = time.monotonic() - began
        return (process.cpu_sec() - cpu) / took, (self.accepted() - checks) / took

    def fresh(self, name):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def load(self):
        folder = self.fresh("load")
        conf = write_rondo(folder, 100000, 'type = "tcp"; port = 8391; interval = "10s";')
        took = []
        for _ in range(3):
            began = time.monotonic()
            subprocess.run([self.build / "rondod", "-t", "-c", conf], stdout=subprocess.DEVNULL, check=True)
            took.append(time.monotonic() - began)
        print("load: a configuration of 100,000 members")
        self.judge("read and validated (median of 3)", sorted(took)[1], 2, "s")

    def tcp(self):
        folder = self.fresh("tcp")
        backends = self.backends("tcp", 8391)
        conf = write_rondo(folder, 100000, 'type = "tcp"; port = 8391; interval = "10s"; timeout = "2s";',
                           'start_wait = "20s";')  # so that the first checks are spread as all others are
        rondod = Process([self.build / "rondod", "-c", conf], 0, folder / "log")
        try:
            cores, rate = self.measure(rondod, 130, self.options.seconds)  # lags are of the last one or two minutes
            checks = self.status(folder)["checks"]
            print(f"tcp: 100,000 members every 10 s, {rate:.0f} checks a second")
            self.judge("processor", cores, 1, "core")
            self.judge("a check", cores / rate * 1e6, 100, "us")
            self.judge("memory", rondod.resident_mb(), 300, "MB")
            self.judge("due to begun, p99", checks["lag_p99_ms"], 100, "ms")
        finally:
            rondod.stop()
            backends.stop()

    def http_of(self, name, words, folder):
        process = Process(words, 0, folder / "log")
        try:
            cores, rate = self.measure(process, 8, self.options.seconds)
        finally:
            process.stop()
        print(f"  {name:<8} {rate:6.0f} checks a second, {cores / rate * 1e6:6.1f} us a check", flush=True)
        return cores / rate * 1e6

    def http(self):
        print("http: 5,000 members every 2 s")
        backends = self.backends("http", 8391)
        gdnsd, others = shutil.which("gdnsd", path=PATHS), []
        try:
            own = []
            for _ in range(self.options.rounds):
                folder = self.fresh("http")
                conf = write_rondo(folder, 5000,
                                   'type = "http"; port = 8391; interval = "2s"; fast_interval = "1s"; timeout = "1s";')
                own.append(self.http_of("rondo", [self.build / "rondod", "-c", conf], folder))
                if gdnsd:
                    folder = self.fresh("gdnsd")
                    write_gdnsd(folder, 5000, 8391)
                    others.append(self.http_of("gdnsd", [gdnsd, "-c", folder, "start"], folder))
        finally:
            backends.stop()
        median = sorted(own)[len(own) // 2]
        self.judge("rondo, a check", median, 60, "us")
        if others:
            self.judge("rondo's part of gdnsd's", median / sorted(others)[len(others) // 2], 1, "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default="load,tcp,http")
    options = parser.parse_args()
    if os.environ.get("PATH") is None:
        os.environ["PATH"] = PATHS
    with tempfile.TemporaryDirectory(prefix="rondo-checks-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        for row in options.rows.split(","):
            getattr(bench, row)()
    return bench.failed


if __name__ == "__main__":
    sys.exit(main())

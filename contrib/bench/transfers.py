#!/usr/bin/python3
"""What it costs to move zones, beside other name servers:

    contrib/bench/transfers.py --build build/release [--scale 1] [--rounds 3] [--servers rondo,nsd,…] [ROW…]

out      AXFR of 1,000,000 A records to a client that only reads: records a second, CPU a record
in       the same zone into a secondary: from the NOTIFY until it is served, CPU a record
ixfr     one record changes at the primary: from the NOTIFY until a secondary serves it, 100 times, at the defaults
memory   how much rondo grows by a one-record change of that zone, as first and as second in a chain, by a reload, and
         while a slow reader holds an old version through 1,000 changes
latency  answers' p99 beside transfers, over the quiet one; the longest turn of rondo's control thread
start    10,000 zones of ten records: from the start until all are served, without and with changes kept from before
changed  one of them has changed: from the order to reload it until it is served; "rondo-all" is not told which
many     a secondary of these, empty: from the start until it serves all, from a rondo primary

The server has core 0 and one worker a kind where it is measured alone (out, in, start, changed), all cores elsewhere; the
generator has core 1. CPU is that of all its threads and processes, by their own clocks. --scale 0.01: a hundredth of the
records and zones, to see that it works. The targets are those of the issue that these numbers are for; they hold for
scale 1 and an otherwise idle machine: the load average stands beside.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import movers
from movers import Bind, Gdnsd, Knot, Nsd, Pdns, Rondo, RondoAll, Zones
from primary import Primary, wire_name

BIG = "example.com"
MANY = "z#.example"
SERVER_CORE, CLIENT_CORE = "0", "1"
MIB = 1 << 20


def many_names(count):
    return [MANY.replace("#", f"{number:05d}") for number in range(count)]


def write_big(folder, records, serial=1):
    """Of `records` with the SOA, the NS and its address."""
    with open(folder / f"{BIG}.zone", "w", encoding="ascii") as file:
        file.write(f"$ORIGIN {BIG}.\n$TTL 300\n@ SOA ns1 h {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
                   f"changing A 10.0.0.{serial}\n")
        file.writelines(f"h{number:06d} A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n"
                        for number in range(records - 4))


def write_small(folder, name, serial):
    hosts = "".join(f"h{number} A 192.0.2.{number}\n" for number in range(1, 7))
    (folder / f"{name}.zone").write_text(
        f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns1 h {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
        f"changing A 10.0.0.{serial}\n{hosts}")


class Asker:
    """Asks one server for one zone's serial, and tells it of changes."""

    def __init__(self, port, name):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", port))
        self.sock.settimeout(0.2)
        question = wire_name(name) + b"\0\6\0\1"
        self.question = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + question
        self.told = struct.pack("!6H", 2, 0x2400, 1, 0, 0, 0) + question

    def ask(self):
        """The reply, or None."""
        try:
            self.sock.send(self.question)
            while True:
                reply = self.sock.recv(4096)
                if reply[1] == 1:
                    return reply
        except OSError:
            return None

    def serial(self):
        """None: no good answer."""
        reply = self.ask()
        if reply is None or reply[3] & 15 or not reply[7]:
            return None
        end = reply.find(struct.pack("!4I", 3600, 600, 86400, 60))
        return struct.unpack_from("!I", reply, end - 4)[0] if end > 0 else None

    def wait(self, serial, patience, pause=0.0002):
        """Until it is served; the moment of that."""
        give_up = time.monotonic() + patience
        while True:
            if (self.serial() or 0) >= serial:
                return time.monotonic()
            if time.monotonic() > give_up:
                raise TimeoutError(f"serial {serial} was not served within {patience:g} s")
            time.sleep(pause)

    def wait_any(self, patience):
        """Until there is any answer."""
        give_up = time.monotonic() + patience
        while self.ask() is None:
            if time.monotonic() > give_up:
                raise TimeoutError(f"no answer within {patience:g} s")
            time.sleep(0.01)

    def notify(self):
        self.sock.send(self.told)
        return time.monotonic()


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.build = pathlib.Path(options.build).resolve()
        self.tools = self.build / "contrib/bench"
        self.records = max(1000, int(1000000 * options.scale))
        self.zones = max(10, int(10000 * options.scale))
        self.failed = False

    # ---- what all rows need

    def say(self, text):
        print(f"  {text}", flush=True)

    def judge(self, what, value, bound, unit, least=False):
        good = value >= bound if least else value <= bound
        self.failed |= not good
        self.say(f"{what:<52} {value:>9.3f} {unit:<5} at {'least' if least else 'most'} {bound:g}"
                 f"{'' if good else '   MISSED'}")

    def fresh(self, name):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @contextlib.contextmanager
    def server(self, kind, zones, folder=None, **kwargs):
        """Runs it; the moment of its start is `began`."""
        server = kind(folder or self.fresh(f"run-{kind.name}"), zones, program=self.build, **kwargs)
        try:
            server.began = server.launch()
            yield server
        except (TimeoutError, subprocess.CalledProcessError, RuntimeError) as error:
            raise RuntimeError(f"{error}\n{server.complaint()}") from error
        finally:
            server.stop()

    def kinds(self, *kinds):
        """(label, kind, quick) of those that are wanted and installed."""
        for kind, quick in kinds:
            if kind.name.split("-")[0] in self.options.servers and kind.installed():
                yield kind.name + (" quick" if quick else ""), kind, quick

    def compare(self, kinds, measure):
        """The results of `measure(label, kind, quick)` by label, all rounds; what fails is told and left out."""
        results = {}
        for _ in range(self.options.rounds):
            for label, kind, quick in self.kinds(*kinds):
                try:
                    results.setdefault(label, []).append(measure(label, kind, quick))
                except (RuntimeError, TimeoutError) as error:
                    self.say(f"{label}: {error}")
        return results

    def served(self, port, count, serial, patience=120):
        """The moment when all of the many zones are served with that serial."""
        words = ["taskset", "-c", CLIENT_CORE, self.tools / "zones-served", port, MANY, count, serial, patience]
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"of {count} zones {done.stdout.strip()} were served after {patience} s")
        return int(done.stdout) / 1e6

    def lag_ms(self, server):
        return json.loads(server.control("--json", "status"))["control_lag_ms_max"]

    def ratio_lines(self, results, unit, form=lambda value: value, least=False):
        """A line of each server's median, and how much of it is rondo's."""
        medians = {label: statistics.median(form(value) for value in values) for label, values in results.items()}
        for label, value in medians.items():
            beside = ""
            if label != "rondo" and "rondo" in medians:
                beside = f"  rondo has {medians['rondo'] / value:.2f} of it"
            self.say(f"{label:<12} {value:>10.3f} {unit}{beside}")
        return medians

    # ---- rows

    def out(self):
        files = self.fresh("files")
        write_big(files, self.records)

        def measure(_label, kind, _quick):
            with self.server(kind, Zones([BIG], folder=files), core=SERVER_CORE) as server:
                Asker(server.port, BIG).wait(1, 120, 0.01)
                time.sleep(0.3)
                cpu = server.cpu_total_sec()
                words = ["taskset", "-c", CLIENT_CORE, self.tools / "zone-reader", "-t", 3, server.port, BIG,
                         self.records + 1]
                lines = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True,
                                       check=True).stdout.splitlines()
                cpu = (server.cpu_total_sec() - cpu) / len(lines)
                counts = [[int(field) for field in line.split()] for line in lines]
                best = min(count[4] for count in counts)
                self.say(f"{kind.name:<8} {self.records / best:6.2f} M records/s, {cpu / self.records * 1e9:7.1f} ns of "
                         f"CPU a record, {counts[0][1]} messages, {counts[0][2] / 1e6:.1f} MB, the first after "
                         f"{counts[0][3] / 1000:.1f} ms")
                return self.records / best, cpu / self.records * 1e9

        results = self.compare([(kind, False) for kind in (Rondo, Nsd, Knot, Bind, Pdns)], measure)
        medians = self.ratio_lines(results, "M records/s", lambda pair: pair[0])
        self.ratio_lines(results, "ns of CPU a record", lambda pair: pair[1])
        self.judge("rondo, M records/s", medians["rondo"], 10, "M/s", least=True)

    def into(self):
        def measure(label, kind, quick):
            with Primary({BIG: self.records - 4}, opens=True) as primary:
                with self.server(kind, Zones(incoming=[BIG], primary=primary.port), core=SERVER_CORE, quick=quick) as server:
                    asker = Asker(server.port, BIG)
                    asker.wait_any(60)
                    time.sleep(1.5)
                    cpu = server.cpu_total_sec()
                    serial = primary.change(BIG, whole=True)
                    began = asker.notify()
                    took = asker.wait(serial, 120, 0.001) - began
                    settle, before = time.monotonic() + 30, None
                    at_served = server.cpu_total_sec() - cpu
                    while time.monotonic() < settle:  # what it writes down behind that
                        time.sleep(0.5)
                        used = server.cpu_total_sec()
                        if before is not None and used - before < 0.01:
                            break
                        before = used
                    spent = used - cpu
                    self.say(f"{label:<10} {took:6.2f} s, {self.records / took / 1e6:5.2f} M records/s, CPU a record "
                             f"{at_served / self.records * 1e9:6.0f} ns until served, {spent / self.records * 1e9:6.0f} "
                             "with what follows")
                    return self.records / took / 1e6, spent / self.records * 1e9

        kinds = [(Rondo, False), (Nsd, False), (Nsd, True), (Knot, False), (Bind, False)]
        results = self.compare(kinds, measure)
        medians = self.ratio_lines(results, "M records/s", lambda pair: pair[0])
        self.ratio_lines(results, "ns of CPU a record", lambda pair: pair[1])
        self.judge("rondo, M records/s", medians["rondo"], 1.4, "M/s", least=True)

    def ixfr(self):
        def measure(label, kind, quick):
            with Primary({BIG: self.options.ixfr_records}) as primary:
                with self.server(kind, Zones(incoming=[BIG], primary=primary.port), quick=quick) as server:
                    asker = Asker(server.port, BIG)
                    asker.wait(1, 60, 0.05)
                    time.sleep(2.5)
                    calm = self.changes(primary, asker, 0.3)
                    dense = self.changes(primary, asker, 0.03)
            said = [f"median {statistics.median(took):8.2f} ms, p90 {took[len(took) * 9 // 10]:8.2f} ms, of {len(took)}"
                    for took in (calm, dense)]
            self.say(f"{label:<10} {said[0]};  one right after the other: {said[1]}")
            return statistics.median(calm)

        kinds = [(Rondo, False), (Nsd, False), (Nsd, True), (Knot, False), (Bind, False), (Bind, True)]
        medians = self.ratio_lines(self.compare(kinds, measure), "ms")
        self.judge("rondo, NOTIFY to served", medians["rondo"], 3, "ms")

    def changes(self, primary, asker, pause):
        """Milliseconds from the NOTIFY until it is served, sorted: of 100, or as many as there is time for. The next
        comes `pause` after the last was served."""
        took, stop = [], time.monotonic() + 40
        while len(took) < 100 and time.monotonic() < stop:
            serial = primary.change(BIG)
            began = asker.notify()
            took.append((asker.wait(serial, 30) - began) * 1000)
            time.sleep(pause)
        return sorted(took)

    def memory(self):
        self.memory_chain()
        self.memory_reload()

    def memory_chain(self):
        with Primary({BIG: self.records - 4}) as primary, contextlib.ExitStack() as stack:
            port = movers.free_port()
            first = stack.enter_context(self.server(Rondo, Zones(incoming=[BIG], primary=primary.port, notify=port),
                                                    self.fresh("first")))
            second = Rondo(self.fresh("second"), Zones(incoming=[BIG], primary=first.port), program=self.build)
            second.port = port
            second.launch()
            stack.callback(second.stop)
            askers = [Asker(server.port, BIG) for server in (first, second)]

            def change(times, both=True):
                for _ in range(times):
                    serial = primary.change(BIG)
                    askers[0].notify()
                    askers[0].wait(serial, 60)
                    if both:
                        askers[1].wait(serial, 60, 0.01)

            for asker in askers:
                asker.wait(1, 120, 0.05)
            change(5)
            time.sleep(3)

            def grown(before):
                return [(server.memory_bytes()[1] - was) / 1024 for server, was in zip((first, second), before)]

            before = [server.memory_bytes()[1] for server in (first, second)]
            self.say(f"{self.records} records: first {before[0] / MIB:.0f} MiB, second {before[1] / MIB:.0f} MiB")
            change(1)
            one = grown(before)
            change(99)
            hundred = grown(before)
            for name, single, more in zip(("first (from NOTIFY)", "second (chain)"), one, hundred):
                self.judge(f"{name}: grown by one change", single, 256, "KiB")
                self.judge(f"{name}: by 100, each", more / 100, 16, "KiB")

            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(("127.0.0.1", first.port))
                question = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + wire_name(BIG) + b"\0\xfc\0\1"
                slow.sendall(struct.pack("!H", len(question)) + question)
                slow.recv(1000)
                time.sleep(0.5)
                held = first.memory_bytes()[1]
                change(1000, both=False)
                while_held = (first.memory_bytes()[1] - held) / 1024
                self.judge("while a slow reader holds: by 1,000, each", while_held / 1000, 16, "KiB")
            change(5, both=False)
            time.sleep(1)
            self.say(f"it has gone: {(first.memory_bytes()[1] - held) / 1024:.0f} KiB more than before the 1,000")
            self.say(f"longest turns: first {self.lag_ms(first):.1f} ms, second {self.lag_ms(second):.1f} ms")

    def memory_reload(self):
        files = self.fresh("files")
        write_big(files, self.records)
        with self.server(Rondo, Zones([BIG], folder=files)) as server:
            asker = Asker(server.port, BIG)
            asker.wait(1, 120, 0.05)
            time.sleep(1)
            before = server.memory_bytes()[1]
            self.say(f"from a file: {before / MIB:.0f} MiB")
            for serial in range(2, 5):
                write_big(files, self.records, serial)
                server.reload(BIG)
                asker.wait(serial, 60)
                time.sleep(1)
                self.say(f"reload {serial - 1} with one change: {(server.memory_bytes()[1] - before) / 1024:+.0f} KiB; "
                         f"longest turn {self.lag_ms(server):.1f} ms")

    def flood(self, port, seconds):
        """Percentile 99 in microseconds, of questions at a moderate rate."""
        questions = self.folder / "questions"
        if not questions.exists():
            questions.write_text("".join(f"h{number * 7919 % (self.records - 4):06d}.{BIG} A\n"
                                         for number in range(10000)))
        words = ["taskset", "-c", CLIENT_CORE, self.tools / "flood", "-n", 100, "-r", self.options.rate, "-s", seconds,
                 "127.0.0.1", port, questions]
        text = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, check=True).stdout
        values = dict(line.split() for line in text.splitlines())
        return float(values["p99_us"]), int(values["lost"]), float(values["p50_us"])

    def latency(self):
        files = self.fresh("files")
        write_big(files, self.records)
        seconds = max(2, int(self.options.seconds))

        def measure(label, kind, quick):
            with Primary({"in.example": self.records - 4}) as primary:
                zones = Zones([BIG], folder=files, incoming=["in.example"], primary=primary.port)
                with self.server(kind, zones, quick=quick) as server:
                    asker, incoming = Asker(server.port, BIG), Asker(server.port, "in.example")
                    asker.wait(1, 120, 0.05)
                    incoming.wait(1, 120, 0.05)
                    time.sleep(3)
                    result = {}
                    for what in ("quiet", "out", "in", "ixfr", "quiet again"):
                        with self.busy(what, server, primary, incoming) as count:
                            p99, lost, p50 = self.flood(server.port, seconds)
                            done = count() if count else 0
                        result[what] = p99
                        lag = f", longest turn {self.lag_ms(server):.1f} ms" if kind is Rondo else ""
                        self.say(f"{label:<8} {what:<12} p50 {p50:6.0f} us, p99 {p99:7.0f} us, lost {lost}"
                                 f", transfers {done}{lag}")
                    return result

        results = self.compare([(Rondo, False), (Nsd, True), (Knot, False), (Bind, False)], measure)
        for label, values in results.items():
            for what in ("out", "in", "ixfr"):
                quiet = statistics.median((value["quiet"] + value["quiet again"]) / 2 for value in values)
                ratio = statistics.median(value[what] for value in values) / quiet
                if label == "rondo":
                    self.judge(f"rondo, p99 while {what}, over quiet", ratio, 1.5, "")
                else:
                    self.say(f"{label}, p99 while {what}, over quiet: {ratio:.2f}")

    @contextlib.contextmanager
    def busy(self, what, server, primary, incoming):
        """Transfers all the time; the function tells how many were done."""
        if what == "out":
            log = self.folder / "reader.log"
            with open(log, "w", encoding="ascii") as file:
                reader = subprocess.Popen([str(self.tools / "zone-reader"), "-t", "0", str(server.port), BIG,
                                           str(self.records + 1)], stdout=file)
            try:
                yield lambda: len(log.read_text().splitlines())
            finally:
                reader.terminate()
                reader.wait()
        elif what in ("in", "ixfr"):
            pid, done = os.fork(), self.folder / "changes.count"
            if pid == 0:
                try:
                    self.change_forever(primary, incoming, what == "in", done)
                finally:
                    os._exit(0)
            try:
                yield lambda: int(done.read_text() or 0) if done.exists() else 0
            finally:
                os.kill(pid, 15)
                os.waitpid(pid, 0)
                done.unlink(missing_ok=True)
                zone = primary.zones[wire_name("in.example")]  # the child has counted on
                zone.serial = incoming.serial() + 10
        else:
            yield None

    @staticmethod
    def change_forever(primary, incoming, whole, done):
        count = 0
        while True:
            serial = primary.change("in.example", whole=whole)
            incoming.notify()
            incoming.wait(serial, 60, 0.001)
            count += 1
            done.write_text(str(count))

    def small_files(self, serial=1):
        files = self.fresh("small")
        for name in many_names(self.zones):
            write_small(files, name, serial)
        return files

    def start(self):
        names = many_names(self.zones)
        files = self.small_files()

        def measure(label, kind, _quick):
            folder = self.fresh(f"run-{kind.name}")
            zones = Zones(names, folder=files)
            with self.server(kind, zones, folder, core=SERVER_CORE) as server:
                took = self.served(server.port, self.zones, 1) - server.began
                self.say(f"{label:<8} {took:7.3f} s, {server.memory_bytes()[1] / MIB:6.0f} MiB")
            return took

        medians = self.ratio_lines(self.compare([(kind, False) for kind in (Rondo, Nsd, Knot, Bind, Gdnsd, Pdns)],
                                                measure), "s")
        self.judge("rondo, nothing kept", medians["rondo"], 0.29, "s")
        if "gdnsd" in medians:
            self.judge("rondo's part of gdnsd's", medians["rondo"] / medians["gdnsd"], 1, "")
        self.start_kept(names, medians)

    def start_kept(self, names, medians):
        files = self.small_files()
        folder = self.fresh("run-kept")
        zones = Zones(names, folder=files)
        with self.server(Rondo, zones, folder, core=SERVER_CORE) as server:
            self.served(server.port, self.zones, 1)
            for name in names:
                write_small(files, name, 2)
            began = time.monotonic()
            server.reload(None)
            self.say(f"all {self.zones} reloaded, each with a change: {time.monotonic() - began:.3f} s")
            self.served(server.port, self.zones, 2)
        took = []
        for _ in range(self.options.rounds):
            with self.server(Rondo, zones, folder, core=SERVER_CORE) as server:
                took.append(self.served(server.port, self.zones, 2) - server.began)
        self.judge("rondo, with a history of each", statistics.median(took), 0.29, "s")
        if "gdnsd" in medians:
            self.judge("rondo's part of gdnsd's", statistics.median(took) / medians["gdnsd"], 1, "")

    def changed(self):
        names = many_names(self.zones)
        files = self.small_files()
        one = names[self.zones // 2]

        def measure(label, kind, _quick):
            for name in names:
                write_small(files, name, 1)
            with self.server(kind, Zones(names, folder=files), core=SERVER_CORE) as server:
                self.served(server.port, self.zones, 1)
                time.sleep(1.5)
                asker, took = Asker(server.port, one), []
                for serial in range(2, 12):
                    write_small(files, one, serial)
                    time.sleep(0.3)
                    began = time.monotonic()
                    server.reload(one)
                    took.append((asker.wait(serial, 30) - began) * 1000)
            self.say(f"{label:<8} median {statistics.median(took):8.2f} ms, most {max(took):8.2f} ms")
            return statistics.median(took)

        kinds = [(kind, False) for kind in (Rondo, Nsd, Knot, Bind, Gdnsd, Pdns)]
        medians = self.ratio_lines(self.compare([(RondoAll, False), *kinds], measure), "ms")
        self.judge("rondo, one changed zone", medians["rondo"], 5, "ms")
        if "pdns" in medians:
            self.judge("rondo's part of pdns's", medians["rondo"] / medians["pdns"], 1, "")

    def many(self):
        names = many_names(self.zones)
        files = self.small_files()
        with self.server(Rondo, Zones(names, folder=files), self.fresh("primary")) as primary:
            self.served(primary.port, self.zones, 1)

            def measure(label, kind, quick):
                with self.server(kind, Zones(incoming=names, primary=primary.port), quick=quick) as server:
                    took = self.served(server.port, self.zones, 1) - server.began
                    self.say(f"{label:<10} {took:7.2f} s, CPU {server.cpu_total_sec():.2f} s"
                             + (f", longest turn {self.lag_ms(server):.1f} ms" if kind is Rondo else ""))
                return took

            kinds = [(Rondo, False), (Nsd, True), (Knot, False), (Bind, True)]
            medians = self.ratio_lines(self.compare(kinds, measure), "s")
            if others := [value for label, value in medians.items() if label != "rondo"]:
                self.judge("rondo's part of the fastest other", medians["rondo"] / min(others), 1, "")
            self.say(f"primary: CPU {primary.cpu_total_sec():.2f} s, longest turn {self.lag_ms(primary):.1f} ms")


ROWS = {"out": Bench.out, "in": Bench.into, "ixfr": Bench.ixfr, "memory": Bench.memory, "latency": Bench.latency,
        "start": Bench.start, "changed": Bench.changed, "many": Bench.many}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement of latency")
    parser.add_argument("--rate", type=int, default=5000, help="questions a second, for latency")
    parser.add_argument("--ixfr-records", type=int, default=1000)
    parser.add_argument("--servers", default="rondo,nsd,knot,bind,gdnsd,pdns", type=lambda text: text.split(","))
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[[], *ROWS], default=[])
    options = parser.parse_args()
    movers.adopt()
    with tempfile.TemporaryDirectory(prefix="rondo-transfers-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        for row in options.rows or ROWS:
            print(f"{row} (load average {os.getloadavg()[0]:.1f})", flush=True)
            ROWS[row](bench)
    return bench.failed


if __name__ == "__main__":
    sys.exit(main())

"""The name servers of the benchmark, each with one zone, one worker for UDP, and else the defaults of its makers; where
a default would spoil the comparison (rate limits, no rotation) it is set, and said here."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from wire import NSEC, NXDOMAIN, RRSIG, ask, exchange, query_wire, types_of
from workloads import ZONE

RATE_LIMIT = 1000  # answers a second and network: rondo's default, and what the others are given with it
PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"


class Server:
    """A server process pinned to one core. `can` says whether it knows the workload at all. `limits`: with its rate
    limit on, where it has one; `cookies`: with cookies on."""

    name = None
    program = None

    def __init__(self, folder, port, core, *, limits=False, cookies=False):
        self.dir, self.port, self.core = pathlib.Path(folder), port, core
        self.limits, self.cookies = limits, cookies
        self.process = None

    def path(self):
        return shutil.which(self.program, path=PATHS)

    def can(self, _workload):
        return self.path() is not None

    def prepare(self, workload, zone):
        raise NotImplementedError

    def command(self, workload):
        raise NotImplementedError

    def check(self, workload, queries):
        """Refuses to measure a server that answers a signed zone's first questions without the proofs."""
        if not workload.dnssec:
            return
        with open(queries, encoding="ascii") as file:
            names = [file.readline().split()[0] for _ in range(2)]
        for name in names:
            reply = exchange(self.port, query_wire(name, dnssec=True), False, 1)
            need = {RRSIG, NSEC} if reply and reply[3] & 15 == NXDOMAIN else {RRSIG}
            if reply is None or not need <= types_of(reply):
                raise RuntimeError(f"no RRSIG, or no NSEC, in the answer about {name}")

    def start(self, workload, zone, patience=120.0):
        """Starts and waits for the first answer; returns the seconds until then."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.prepare(workload, zone)
        began = time.monotonic()
        with open(self.dir / "log", "wb") as log:
            words = ["taskset", "-c", self.core, *self.command(workload)]
            self.process = subprocess.Popen([str(word) for word in words], cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        while not ask(self.port, f"ns1.{ZONE}", workload.stream is not None):
            if self.process.poll() is not None or time.monotonic() - began > patience:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer:\n"
                                   + (self.dir / "log").read_text(errors="replace")[-2000:])
        return time.monotonic() - began

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def processes(self):
        """This process and all below it: nsd forks."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                    parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
                except OSError:
                    continue
        found, fresh = set(), {self.process.pid}
        while fresh:
            found |= fresh
            fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        return found

    def cpu_sec(self):
        """(user and system, user) seconds so far. The sum from schedstat, which
        counts nanoseconds; the user part by ticks."""
        total = user = 0.0
        tick = os.sysconf("SC_CLK_TCK")
        for pid in self.processes():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            user += int(fields[11]) / tick
            threads = list(pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
            total += sum(int(path.read_text().split()[0]) for path in threads) / 1e9 if threads else ticks / tick
        return total, user

    def resident_bytes(self):
        """Proportional, so that what forked processes share counts once."""
        total = 0
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


class Echo(Server):
    """No name server: reads and writes datagrams as one, and measures what of the cost is the kernel's."""

    name = "echo"
    program = None

    def path(self):
        return os.environ.get("ECHO")

    def prepare(self, workload, zone):
        pass

    def command(self, workload):
        return [self.path(), *(["-t"] if workload.stream else []), "127.0.0.1", self.port]

    def check(self, workload, queries):
        pass


class Rondo(Server):
    """The rate limit off for one client, and for many as it is by default. A build from before it has none to turn
    off."""

    name = "rondo"

    def path(self):
        return os.environ.get("RONDOD")

    def takes(self, server="", zone=""):
        """Whether it knows such keys."""
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "try.zone").write_text("@ 300 IN SOA ns1 h 1 1 1 1 1\n@ 300 IN NS ns1\n"
                                           "ns1 300 IN A 192.0.2.1\nwww 300 IN A 192.0.2.1\n")
        self.write(self.dir / "try.zone", server, zone)
        done = subprocess.run([self.path(), "-t", "-c", self.dir / "rondo.conf"], capture_output=True, check=False)
        return done.returncode == 0

    @staticmethod
    def balance(workload):
        if not workload.pool:
            return ""
        members = ", ".join(f'{{ address = "192.0.2.{i}"; weight = {weight}; }}'
                            for i, weight in enumerate(workload.pool, 1))
        return f'balance = ( {{ name = "www"; policy = "weighted"; members = ( {members} ); }} );'

    def can(self, workload):
        return not workload.pool or self.takes(zone=self.balance(workload))

    def write(self, zone, server_keys, zone_keys):
        (self.dir / "state").mkdir(exist_ok=True)
        (self.dir / "rondo.conf").write_text(
            f'server: {{ listen = [ "127.0.0.1@{self.port}" ]; workers = 1; state_dir = "state"; '
            f'control = "control.sock"; {server_keys} }};\n'
            f'zones = ( {{ name = "{ZONE}"; file = "{zone}"; {zone_keys} }} );\n')

    def prepare(self, workload, zone):
        unlimited = "rate_limit = 0;"
        self.write(zone, unlimited if not self.limits and self.takes(server=unlimited) else "", self.balance(workload))

    def command(self, workload):
        return [self.path(), "-c", self.dir / "rondo.conf"]


class Nsd(Server):
    """Rotation and minimal answers on; the rate limit off for one client (the default answers it 200 a second)."""

    name, program = "nsd", "nsd"

    def can(self, workload):
        return workload.pool is None and super().can(workload)

    def prepare(self, workload, zone):
        (self.dir / "nsd.conf").write_text(
            f'server:\n  ip-address: 127.0.0.1@{self.port}\n  server-count: 1\n  username: ""\n  pidfile: ""\n'
            f'  database: ""\n  zonesdir: "{self.dir}"\n  xfrdir: "{self.dir}"\n  xfrdfile: ""\n'
            f'  zonelistfile: "{self.dir}/zone.list"\n  rrl-ratelimit: {RATE_LIMIT if self.limits else 0}\n'
            f'  answer-cookie: {"yes" if self.cookies else "no"}\n  round-robin: yes\n'
            "  minimal-responses: yes\nremote-control:\n  control-enable: no\n"
            f"zone:\n  name: {ZONE}\n  zonefile: {zone}\n")

    def command(self, workload):
        return [self.path(), "-d", "-c", self.dir / "nsd.conf"]


class Knot(Server):
    """Rotation on; the zone is not copied into a journal. Cookies and rate limits are modules."""

    name, program = "knot", "knotd"

    def can(self, workload):
        return workload.pool is None and super().can(workload)

    def prepare(self, workload, zone):
        wanted = (["mod-cookies"] if self.cookies else []) + (["mod-rrl/all"] if self.limits else [])
        modules = f"    global-module: [ {', '.join(wanted)} ]\n" if wanted else ""
        (self.dir / "knot.conf").write_text(
            f"server:\n  listen: 127.0.0.1@{self.port}\n  rundir: {self.dir}\n  udp-workers: 1\n  tcp-workers: 1\n"
            "  background-workers: 1\n"
            f"  answer-rotation: on\ndatabase:\n  storage: {self.dir}\n"
            f"mod-rrl:\n  - id: all\n    rate-limit: {RATE_LIMIT}\n"
            f"template:\n  - id: default\n{modules}zone:\n  - domain: {ZONE}\n    file: {zone}\n"
            f"    journal-content: none\n    zonefile-load: whole\n")

    def command(self, workload):
        return [self.path(), "-c", self.dir / "knot.conf"]


class Gdnsd(Server):
    """A configuration folder with zones/; W2 by its weighted plugin, every address always up. Cookies are on by
    default; there is no rate limit, and no DNSSEC."""

    name, program = "gdnsd", "gdnsd"

    def can(self, workload):
        return not workload.dnssec and super().can(workload)

    def prepare(self, workload, zone):
        (self.dir / "zones").mkdir()
        text = pathlib.Path(zone).read_text() if workload.pool else None
        plugins = ""
        if workload.pool:
            kept = [line + "\n" for line in text.splitlines() if not line.startswith("www ")]
            text = "".join(kept) + "www 300/300 DYNA weighted!www\n"
            (self.dir / "zones" / ZONE).write_text(text)
            members = ", ".join(f"m{i} => [ 192.0.2.{i}, {weight} ]" for i, weight in enumerate(workload.pool, 1))
            weighted = f"service_types => up, multi => false, www => {{ {members} }}"
            plugins = f"plugins => {{ weighted => {{ {weighted} }} }}\n"
        else:
            (self.dir / "zones" / ZONE).symlink_to(zone)
        (self.dir / "config").write_text(
            f"options => {{\n  listen => 127.0.0.1, dns_port => {self.port}, udp_threads => 1, tcp_threads => 1\n"
            f"  run_dir => {self.dir}/run, state_dir => {self.dir}/state\n}}\n{plugins}")
        (self.dir / "run").mkdir()
        (self.dir / "state").mkdir()

    def command(self, workload):
        return [self.path(), "-c", self.dir, "start"]


class Bind(Server):
    """Nothing but authoritative, rotation and cookies as by default."""

    name, program = "bind", "named"

    def can(self, workload):
        return workload.pool is None and super().can(workload)

    def prepare(self, workload, zone):
        limit = f"rate-limit {{ responses-per-second {RATE_LIMIT}; }};" if self.limits else ""
        (self.dir / "named.conf").write_text(
            f'options {{\n  directory "{self.dir}"; pid-file none; session-keyfile none;\n'
            f"  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n"
            f"  recursion no; dnssec-validation no; notify no; minimal-responses yes; {limit}\n}};\ncontrols {{ }};\n"
            f'zone "{ZONE}" {{ type primary; file "{zone}"; }};\n')

    def command(self, workload):
        return [self.path(), "-g", "-n", 1, "-c", self.dir / "named.conf"]


ALL = {server.name: server for server in (Echo, Rondo, Nsd, Knot, Gdnsd, Bind)}

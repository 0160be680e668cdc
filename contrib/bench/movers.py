"""The name servers of transfers.py: each with zones from files or from a primary, one worker a kind, else the defaults of
its makers but for what is said at each. `quick` is what its makers offer for those who want changes at once."""

import ctypes
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from servers import PATHS, Server

PR_SET_CHILD_SUBREAPER = 36


def adopt():
    """What a server's children leave behind is ours: nsd's new processes are children of ones that end."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Zones:
    """What a server has: `names` from FOLDER/NAME.zone, `incoming` from a primary at `primary`, a port of 127.0.0.1;
    who is told of changes at `notify`, another."""

    def __init__(self, names=(), folder=None, incoming=(), primary=None, notify=None):
        self.names, self.folder, self.incoming, self.primary, self.notify = names, folder, incoming, primary, notify

    def each(self, primary, secondary):
        """A text for each zone: `primary` or `secondary` with NAME and FILE replaced."""
        return "".join(
            [primary.replace("NAME", name).replace("FILE", f"{self.folder}/{name}.zone") for name in self.names]
            + [secondary.replace("NAME", name).replace("FILE", f"{name}.zone") for name in self.incoming])


class Mover(Server):
    """A server in a folder that may exist already: what it kept there it goes on with. `core`: None, any."""

    def __init__(self, folder, zones, core=None, quick=False, program=None):
        super().__init__(folder, free_port(), core)
        self.zones, self.quick, self.built = zones, quick, program
        self.log_number = 0

    @classmethod
    def installed(cls):
        return shutil.which(cls.program, path=PATHS) is not None

    def path(self):
        return shutil.which(self.program, path=PATHS)

    def config(self):
        raise NotImplementedError

    def words(self):
        raise NotImplementedError

    def launch(self):
        """Returns the moment of the start, of the monotonic clock."""
        self.dir.mkdir(parents=True, exist_ok=True)
        self.config()
        pin = [] if self.core is None else ["taskset", "-c", str(self.core)]
        began = time.monotonic()
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([*pin, *(str(word) for word in self.words())], cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return began

    def complaint(self):
        return f"{self.name}:\n" + (self.dir / "log").read_text(errors="replace")[-2000:]

    def processes(self):
        """All of its session, in whatever way they came to be."""
        found = set()
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.add(int(path.parent.name))
        return found

    def cpu_total_sec(self):
        """Of all threads and processes, those that have ended with them: by nanoseconds, or by ticks where that is
        more because some have ended."""
        precise = ticks = 0
        for pid in self.processes():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
            precise += sum(int(path.read_text().split()[0])
                           for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return max(precise / 1e9, ticks / 100 - 0.02)

    def memory_bytes(self):
        """(all, only what is no file's), each shared page counted once in all."""
        sums = {"Pss": 0, "Pss_Anon": 0}
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                key, _, rest = line.partition(":")
                if key in sums:
                    sums[key] += int(rest.split()[0]) * 1024
        return sums["Pss"], sums["Pss_Anon"]

    def stop(self):
        if self.process is None:
            return
        left = self.processes() - {self.process.pid}
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in left & self.processes():
            pathlib.Path(f"/proc/{pid}").exists() and subprocess.run(["kill", "-9", str(pid)], check=False)
        self.process = None


class Rondo(Mover):
    """No rate limit: one client asks for all."""

    name, program = "rondo", "rondod"

    @classmethod
    def installed(cls):
        return True

    def path(self):
        return self.built / "rondod"

    def config(self):
        (self.dir / "state").mkdir(exist_ok=True)
        keys = 'allow_transfer = "127.0.0.0/8"; notify_ns = false; '
        if self.zones.notify:
            keys += f'notify = "127.0.0.1@{self.zones.notify}"; '
        zones = self.zones.each('{ name = "NAME"; template = "file"; },\n',
                                '{ name = "NAME"; template = "primary"; },\n').rstrip(",\n")
        workers = "workers = 1; " if self.core is not None else ""
        (self.dir / "rondo.conf").write_text(
            f'server: {{ listen = [ "127.0.0.1@{self.port}" ]; {workers}state_dir = "state"; rate_limit = 0;\n'
            f'zone_dir = "{self.zones.folder or "."}"; control = "control.sock"; }};\n'
            f'templates = (\n{{ name = "file"; file = "%s.zone"; {keys}}},\n'
            f'{{ name = "primary"; primaries = "127.0.0.1@{self.zones.primary or 53}"; {keys}}} );\n'
            f'zones = (\n{zones} );\n')

    def words(self):
        return [self.path(), "-c", self.dir / "rondo.conf"]

    def control(self, *words):
        return subprocess.run([self.built / "rondoctl", "-s", self.dir / "control.sock", *words], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def reload(self, name):
        self.control("reload", *([name] if name else []))


class RondoAll(Rondo):
    """Is never told which zone has changed."""

    name = "rondo-all"

    def reload(self, _name):
        self.control("reload")


class Nsd(Mover):
    """Waits a second for further changes before it reloads (xfrd-reload-timeout); quick: not."""

    name, program = "nsd", "nsd"

    def config(self):
        told = f"  notify: 127.0.0.1@{self.zones.notify} NOKEY\n" if self.zones.notify else ""
        all_of = f"  provide-xfr: 127.0.0.0/8 NOKEY\n{told}"
        patterns = (f"pattern:\n  name: file\n{all_of}pattern:\n  name: primary\n{all_of}"
                    f"  request-xfr: 127.0.0.1@{self.zones.primary or 53} NOKEY\n"
                    "  allow-notify: 127.0.0.0/8 NOKEY\n")
        zones = self.zones.each('zone:\n  name: NAME\n  zonefile: "FILE"\n  include-pattern: file\n',
                                'zone:\n  name: NAME\n  zonefile: "FILE"\n  include-pattern: primary\n')
        quick = "  xfrd-reload-timeout: 0\n" if self.quick else ""
        (self.dir / "nsd.conf").write_text(
            f'server:\n  ip-address: 127.0.0.1@{self.port}\n  server-count: 1\n  username: ""\n  pidfile: "{self.dir}/pid"\n'
            f'  database: ""\n  zonesdir: "{self.dir}"\n  xfrdir: "{self.dir}"\n  xfrdfile: "{self.dir}/xfrd.state"\n'
            f'  zonelistfile: "{self.dir}/zone.list"\n  rrl-ratelimit: 0\n{quick}'
            f"remote-control:\n  control-enable: yes\n  control-interface: {self.dir}/control.sock\n"
            f"{patterns}{zones}")

    def words(self):
        return [self.path(), "-d", "-c", self.dir / "nsd.conf"]

    def reload(self, name):
        subprocess.run([shutil.which("nsd-control", path=PATHS), "-c", self.dir / "nsd.conf", "reload", name],
                       check=True, stdout=subprocess.DEVNULL)


class Knot(Mover):
    """As a primary without a journal, as it has no changes to keep there; its files are not written back."""

    name, program = "knot", "knotd"
    from_whom = "mas" "ter"  # its word

    def config(self):
        remotes, told = f"  - id: primary\n    address: 127.0.0.1@{self.zones.primary or 53}\n", ""
        if self.zones.notify:
            remotes += f"  - id: secondary\n    address: 127.0.0.1@{self.zones.notify}\n"
            told = "    notify: secondary\n"
        zones = self.zones.each(
            '  - domain: NAME\n    file: "FILE"\n    journal-content: none\n    zonefile-load: whole\n'
            "    zonefile-sync: -1\n", f'  - domain: NAME\n    file: "FILE"\n    {self.from_whom}: primary\n')
        (self.dir / "knot.conf").write_text(
            f"server:\n  listen: 127.0.0.1@{self.port}\n  rundir: {self.dir}\n  udp-workers: 1\n  tcp-workers: 1\n"
            f"control:\n  listen: control.sock\n"
            f"database:\n  storage: {self.dir}\n  journal-db-max-size: 4G\nlog:\n  - target: stderr\n    any: info\n"
            f"remote:\n{remotes}acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: [ transfer, notify ]\n"
            f"template:\n  - id: default\n    storage: {self.dir}\n    acl: all\n{told}zone:\n{zones}")

    def words(self):
        return [self.path(), "-c", self.dir / "knot.conf"]

    def reload(self, name):
        subprocess.run([shutil.which("knotc", path=PATHS), "-s", self.dir / "control.sock", "zone-reload", name],
                       check=True, stdout=subprocess.DEVNULL)


class Bind(Mover):
    """Asks 20 zones a second for their serial (serial-query-rate); quick: 10,000, and transfers as many at a time as
    come."""

    name, program = "bind", "named"

    def config(self):
        told = f"notify explicit; also-notify {{ 127.0.0.1 port {self.zones.notify}; }};" if self.zones.notify else \
            "notify no;"
        quick = "serial-query-rate 10000; transfers-in 1000; transfers-per-ns 1000; notify-delay 0;" \
            if self.quick else ""
        zones = self.zones.each('zone "NAME" { type primary; file "FILE"; };\n',
                                f'zone "NAME" {{ type secondary; primaries {{ 127.0.0.1 port {self.zones.primary}; }}; '
                                'file "FILE"; };\n')
        key = "c2VjcmV0LW9mLWEtYmVuY2htYXJr"
        self.control_port = free_port()
        (self.dir / "rndc.conf").write_text(
            f'key k {{ algorithm hmac-sha256; secret "{key}"; }};\noptions {{ default-key k; default-server 127.0.0.1; '
            f"default-port {self.control_port}; }};\n")
        (self.dir / "named.conf").write_text(
            f'options {{\n  directory "{self.dir}"; pid-file none; session-keyfile none;\n'
            f"  listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n"
            f"  recursion no; dnssec-validation no; allow-transfer {{ any; }}; {told} {quick}\n}};\n"
            f'key k {{ algorithm hmac-sha256; secret "{key}"; }};\n'
            f"controls {{ inet 127.0.0.1 port {self.control_port} allow {{ 127.0.0.1; }} keys {{ k; }}; }};\n{zones}")

    def words(self):
        return [self.path(), "-g", "-n", 1, "-c", self.dir / "named.conf"]

    def reload(self, name):
        subprocess.run([shutil.which("rndc", path=PATHS), "-c", self.dir / "rndc.conf", "reload", name], check=True,
                       stdout=subprocess.DEVNULL)


class Pdns(Mover):
    """Its bind backend, without caches of what it looked up."""

    name, program = "pdns", "pdns_server"

    def config(self):
        zones = self.zones.each('zone "NAME" { type KIND; file "FILE"; };\n'.replace("KIND", "mas" "ter"), "")
        (self.dir / "named.conf").write_text(zones)
        (self.dir / "pdns.conf").write_text(
            f"launch=bind\nbind-config={self.dir}/named.conf\nlocal-address=127.0.0.1\nlocal-port={self.port}\n"
            f"allow-axfr-ips=127.0.0.0/8\nsocket-dir={self.dir}\ndaemon=no\nguardian=no\nreceiver-threads=1\n"
            "loglevel=3\n")

    def words(self):
        return [self.path(), f"--config-dir={self.dir}", "--disable-syslog=yes"]

    def reload(self, name):
        subprocess.run([shutil.which("pdns_control", path=PATHS), f"--socket-dir={self.dir}", "bind-reload-now", name],
                       check=True, stdout=subprocess.DEVNULL)


class Gdnsd(Mover):
    """Has no transfers; reloads all zones when told to."""

    name, program = "gdnsd", "gdnsd"

    def config(self):
        for name in ("zones", "run", "state"):
            (self.dir / name).mkdir(exist_ok=True)
        for name in self.zones.names:
            path = self.dir / "zones" / name
            path.is_symlink() or path.symlink_to(f"{self.zones.folder}/{name}.zone")
        (self.dir / "config").write_text(
            f"options => {{\n  listen => 127.0.0.1, dns_port => {self.port}, udp_threads => 1, tcp_threads => 1\n"
            f"  run_dir => {self.dir}/run, state_dir => {self.dir}/state\n}}\n")

    def words(self):
        return [self.path(), "-c", self.dir, "start"]

    def reload(self, _name):
        subprocess.run([shutil.which("gdnsdctl", path=PATHS), "-c", self.dir, "reload-zones"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

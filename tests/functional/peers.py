"""Other name servers on loopback, to compare with: BIND's named, NSD and Knot, each with the same primary zones."""

import pathlib
import re
import shutil
import subprocess

import dns.exception
import dns.query
import dns.rcode

from rondo import free_port, make_query, until


def find(program):
    """Where a program is installed, or None; sbin counts."""
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")


class Peer:
    """One server process with its folder. Subclasses say how it is configured and started."""

    program = None

    @classmethod
    def installed(cls):
        return find(cls.program) is not None

    def __init__(self, folder, zones, address="127.0.0.1", port=None):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True)
        self.address = address
        self.port = port or free_port([address])
        self.process = None
        self.zones = zones
        for name, text in self.texts().items():
            (self.dir / f"{name}.zone").write_text(text)
        # Security profiles go by the path of a program and would keep it out of our folder: run a copy.
        self.binary = self.dir / self.program
        shutil.copy2(find(self.program), self.binary)
        self.conf = self.dir / "conf"
        self.conf.write_text(self.config())

    def texts(self):
        """The zone files to write, by zone."""
        return self.zones

    def config(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        until(self.ready, lambda: f"{self.program} serves its zones\n" + self.complaints())
        return self

    def complaints(self):
        """What of the log may say why it does not work; of a zone with oddities the rest is long."""
        lines = (self.dir / "log").read_text(errors="replace").splitlines()
        bad = [line for line in lines if re.search(r"\b(error|failed|not loaded)\b", line)]
        return "\n".join(bad[:10] + lines[-3:])

    def ready(self):
        assert self.process.poll() is None, f"{self.program} ended\n" + self.complaints()
        try:
            return all(self.query(name, "SOA", timeout=0.5).rcode() == dns.rcode.NOERROR for name in self.zones)
        except (dns.exception.Timeout, OSError):
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def query(self, name, rdtype="A", timeout=5, **kwargs):
        return dns.query.udp(make_query(name, rdtype, **kwargs), self.address, port=self.port, timeout=timeout)


class Named(Peer):
    program = "named"

    def config(self):
        zones = "".join(f'zone "{name}" {{ type primary; file "{name}.zone"; check-names ignore; }};\n'
                        for name in self.zones)
        return (f'options {{ directory "{self.dir}"; recursion no; minimal-responses yes; pid-file none;\n'
                f"session-keyfile none; notify no; dnssec-validation no;\n"
                f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n{zones}")

    def command(self):
        return [self.binary, "-g", "-n", "1", "-c", self.conf]


class Nsd(Peer):
    program = "nsd"

    def config(self):
        zones = "".join(f"zone:\n  name: {name}\n  zonefile: {name}.zone\n" for name in self.zones)
        return (f'server:\n  ip-address: 127.0.0.1@{self.port}\n  server-count: 1\n  zonesdir: "{self.dir}"\n'
                f'  username: ""\n  pidfile: ""\n  xfrdir: "{self.dir}"\n  xfrdfile: ""\n'
                f'  zonelistfile: "{self.dir}/zone.list"\n  database: ""\n  rrl-ratelimit: 0\n'
                f"  minimal-responses: yes\nremote-control:\n  control-enable: no\n{zones}")

    def command(self):
        return [self.binary, "-d", "-c", self.conf]


class Knot(Peer):
    program = "knotd"

    def config(self):
        zones = "".join(f"  - domain: {name}\n    file: {name}.zone\n" for name in self.zones)
        return (f"server:\n  listen: 127.0.0.1@{self.port}\n  rundir: {self.dir}\n  udp-workers: 1\n"
                "  tcp-workers: 1\n  background-workers: 1\n"
                f"database:\n  storage: {self.dir}\nlog:\n  - target: stderr\n    any: info\n"
                f"template:\n  - id: default\n    storage: {self.dir}\n    journal-content: none\n"
                "    zonefile-load: whole\n"
                f"zone:\n{zones}")

    def command(self):
        return [self.binary, "-c", self.conf]


ALL = (Named, Nsd, Knot)

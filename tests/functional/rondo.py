"""Starts rondod for a test and talks to it: a server with a generated configuration in a folder of its own, on loopback
and free ports, that must end with status 0 and without a word from a sanitizer.

Nothing here sleeps for a fixed time: `until` polls a condition and fails when it does not come true in time.
"""

import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BINARY_PLACES = ("", "src", "build", "build/src", "build/check", "build/check/src")

# Whatever a sanitizer or an assertion prints when it found something. valgrind's "ERROR SUMMARY: 0" is not among them.
ALARMS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed|"
    r"assertion .* failed|stack smashing|free\(\): |malloc\(\): |double free|corrupted"
)

# Sanitizers slow everything down, and the machine may be busy: only a hang should ever meet these.
PATIENCE_SEC = float(os.environ.get("RONDO_TEST_PATIENCE", "20"))

DEFAULT_ZONE = """\
$TTL 300
@       IN SOA ns1 hostmaster 1 3600 900 604800 60
        IN NS  ns1
ns1     IN A   192.0.2.53
www     IN A   192.0.2.1
        IN A   192.0.2.2
"""


def binary(name):
    """The built program `name`: $RONDOD or $RONDOCTL, else beside $RONDOD, else in a build folder of this tree."""
    told = os.environ.get(name.upper())
    if told:
        return pathlib.Path(told).resolve()
    candidates = []
    if os.environ.get("RONDOD"):
        candidates.append(pathlib.Path(os.environ["RONDOD"]).resolve().parent / name)
    for top in (pathlib.Path.cwd(), SOURCE):
        candidates += [top / place / name for place in BINARY_PLACES]
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    return None


def sanitized():
    """True when rondod was built with a sanitizer, which makes it slower by any factor."""
    return re.search(rb"__[at]san_init", binary("rondod").read_bytes()) is not None


def until(condition, what, timeout=None, pause=0.01):
    """Polls `condition` until it is true and returns its value; an AssertionError that names `what` otherwise."""
    deadline = time.monotonic() + (PATIENCE_SEC if timeout is None else timeout)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time: " + (what() if callable(what) else what))
        time.sleep(pause)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port(addresses=("127.0.0.1",)):
    """A port that is free for UDP and TCP on all `addresses`, outside the range
    the kernel takes ephemeral ports from."""
    picker = random.SystemRandom()
    for _ in range(1000):
        port = picker.randrange(12000, 32000)
        held = []
        try:
            for address in addresses:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    sock = socket.socket(family, kind)
                    held.append(sock)
                    sock.bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for sock in held:
                sock.close()
    raise AssertionError("no free port on " + ", ".join(addresses))


def sanitizer_environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1:exitcode=99")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1:exitcode=99")
    return env


def quote(text):
    """A string as libconfig reads it."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Rondod:
    """One rondod and its folder: rondo.conf, zones/, state/, control.sock and log.

    zones:   name → zone text (written to zones/NAME.zone), or None for a zone whose file the test makes itself, or that
             has none: its row names `primaries`
    keys:    zone name → further keys of its row ("balance = …"), as a string
    server:  further lines of the group "server", as a string
    extra:   further groups of the configuration, as a string ("templates = …")
    config:  the whole configuration instead; "{port}" and "{dir}" are filled in
    listen:  addresses to listen on; all on one port
    port:    that one, else whichever is free
    """

    def __init__(self, folder, zones=None, keys=None, server="", extra="", config=None, listen=("127.0.0.1",), port=None,
                 args=(), wrapper=(), env=None):
        self.dir = pathlib.Path(folder)
        self.zones = {"example.com": DEFAULT_ZONE} if zones is None else dict(zones)
        self.keys = dict(keys or {})
        self.server = server
        self.extra = extra
        self.template = config
        self.listen = tuple(listen)
        self.args = list(args)
        self.wrapper = list(wrapper)
        self.env = sanitizer_environment()
        self.env.update(env or {})
        self.port = port or free_port(self.listen)
        self.address = self.listen[0]
        self.process = None
        self.log_path = self.dir / "log"
        self.conf_path = self.dir / "rondo.conf"
        self.control_path = self.dir / "control.sock"
        (self.dir / "zones").mkdir(parents=True, exist_ok=True)
        (self.dir / "state").mkdir(exist_ok=True)
        self.log_path.touch()
        for name, text in self.zones.items():
            if text is not None:
                self.write_zone(name, text)
        self.write_config()

    # files

    def zone_path(self, name):
        return self.dir / "zones" / (name + ".zone")

    def write_zone(self, name, text):
        """Replaces the zone file at once, as an editor does: a rename, so that nobody reads half of it."""
        path = self.zone_path(name)
        fresh = path.with_suffix(".new")
        if isinstance(text, bytes):
            fresh.write_bytes(text)
        else:
            fresh.write_text(text)
        os.replace(fresh, path)
        return path

    def config_text(self):
        if self.template is not None:
            return self.template.replace("{port}", str(self.port)).replace("{dir}", str(self.dir))
        listen = ", ".join(quote(f"{address}@{self.port}") for address in self.listen)
        rows = ",\n".join(f"    {{ name = {quote(name)}; {self.row_text(name)} }}" for name in self.zones)
        workers = "" if re.search(r"\bworkers\b", self.server) else "    workers = 2;\n"
        # Tests ask as fast as they can, all from one address.
        limit = "" if re.search(r"\brate_limit\b", self.server) else "    rate_limit = 0;\n"
        return (
            "server: {\n"
            f"    listen = [ {listen} ];\n"
            f"{workers}{limit}"
            '    zone_dir = "zones";\n'
            '    state_dir = "state";\n'
            '    control = "control.sock";\n'
            f"    {self.server}\n"
            "};\n"
            f"{self.extra}\n"
            f"zones = (\n{rows}\n);\n"
        )

    def row_text(self, name):
        keys = self.keys.get(name, "")
        file = "" if re.search(r"\bprimaries\b", keys) else f"file = {quote(name + '.zone')}; "
        # Zones of tests have name servers on all kinds of addresses, none of which is to hear of it.
        quiet = "" if re.search(r"\bnotify_ns\b", keys) else "notify_ns = false; "
        return file + quiet + keys

    def write_config(self, text=None):
        self.conf_path.write_text(self.config_text() if text is None else text)

    # life

    def command(self, *more):
        return [*self.wrapper, str(binary("rondod")), "-c", str(self.conf_path), *self.args, *more]

    def run(self, *more, timeout=None, **kwargs):
        """Runs rondod to its end (-t, -V, or a start that must fail) and
        returns the CompletedProcess, output as text."""
        done = subprocess.run(
            self.command(*more), cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=timeout or PATIENCE_SEC * 3, check=False, **kwargs,
        )
        assert not ALARMS.search(done.stderr), done.stderr
        return done

    def validate(self, *more):
        return self.run("-t", *more)

    def spawn(self):
        """Starts the process and returns at once."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def start(self, wait=None):
        """Starts, and returns once every zone of `wait` (default: all that have a file) is served; with wait=() once
        anything answers at all."""
        self.spawn()
        names = [name for name, text in self.zones.items() if text is not None] if wait is None else wait
        self.wait_ready(names)
        return self

    def wait_ready(self, names=()):
        def answers():
            self.assert_alive()
            try:
                for name in names or (".",):
                    reply = self.query(name, "SOA", timeout=0.5)
                    if names and reply.rcode() != dns.rcode.NOERROR:
                        return False
                return True
            except (dns.exception.Timeout, OSError):
                return False

        until(answers, lambda: "rondod answers\n" + self.log())

    def running(self):
        return self.process is not None and self.process.poll() is None

    def assert_alive(self):
        assert self.running(), f"rondod ended with status {self.process.returncode}\n" + self.log()

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, status=0):
        """Stops by signal and judges the whole run: exit status, and nothing from a sanitizer."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.wait_end(status)

    def wait_end(self, status=0):
        """Waits until the process has ended (somebody told it to) and judges the run as stop() does."""
        process, self.process = self.process, None
        try:
            process.wait(PATIENCE_SEC)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("rondod did not stop\n" + self.log()) from None
        assert not ALARMS.search(self.log()), self.log()
        assert process.returncode == status, f"rondod ended with status {process.returncode}\n" + self.log()

    def kill(self):
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, wait=None):
        self.stop()
        return self.start(wait)

    # the log

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_mark(self):
        return self.log_path.stat().st_size

    def log_since(self, mark):
        with self.log_path.open("rb") as log:
            log.seek(mark)
            return log.read().decode(errors="replace")

    def wait_log(self, pattern, mark=0, timeout=None):
        """Waits for a log line that matches the regular expression and returns the match."""
        return until(lambda: re.search(pattern, self.log_since(mark), re.MULTILINE),
                     lambda: f"log line {pattern!r}\n" + self.log_since(mark), timeout)

    # control

    def ctl(self, *args, timeout=None):
        """rondoctl against this server's socket; returns the CompletedProcess."""
        done = subprocess.run(
            [str(binary("rondoctl")), "-s", str(self.control_path), *args], env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout or PATIENCE_SEC * 3, check=False,
        )
        assert not ALARMS.search(done.stderr), done.stderr
        return done

    def ctl_json(self, *args):
        done = self.ctl("--json", *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def control_socket(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE_SEC)
        sock.connect(str(self.control_path))
        return sock

    def reload(self):
        """rondoctl reload, which returns when all is published."""
        return self.ctl("reload")

    # questions

    def query(self, name, rdtype="A", tcp=False, address=None, timeout=None, **kwargs):
        """Asks once and returns the dns.message.Message. EDNS is off unless
        asked for (use_edns=0, payload=, want_dnssec=)."""
        request = make_query(name, rdtype, **kwargs)
        return self.send(request, tcp=tcp, address=address, timeout=timeout)

    def send(self, request, tcp=False, address=None, timeout=None):
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(request, address or self.address, port=self.port, timeout=timeout or PATIENCE_SEC,
                   one_rr_per_rrset=False)

    def both(self, name, rdtype="A", **kwargs):
        """Asks over UDP and TCP, asserts that both say the same, and returns it."""
        udp = self.query(name, rdtype, **kwargs)
        tcp = self.query(name, rdtype, tcp=True, **kwargs)
        assert picture(udp) == picture(tcp), f"UDP:\n{udp}\nTCP:\n{tcp}"
        return udp

    def udp_socket(self, address=None):
        address = address or self.address
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(PATIENCE_SEC)
        sock.connect((address, self.port))
        return sock

    def tcp_socket(self, address=None, source=None, timeout=None):
        address = address or self.address
        return socket.create_connection((address, self.port), timeout or PATIENCE_SEC,
                                        source_address=(source, 0) if source else None)

    def exchange(self, wire, timeout=None):
        """Sends bytes in a datagram; returns the bytes of the answer or None when there was none in time."""
        with self.udp_socket() as sock:
            sock.settimeout(timeout or PATIENCE_SEC)
            sock.send(wire)
            try:
                return sock.recv(65535)
            except socket.timeout:
                return None

    def assert_serving(self, name="www.example.com", rdtype="A"):
        """Still alive and still answering, over both transports."""
        self.assert_alive()
        for tcp in (False, True):
            assert self.query(name, rdtype, tcp=tcp).rcode() == dns.rcode.NOERROR

    # the process

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Load:
    """Questions in the background, one at a time over one UDP socket, and what became of them.

    with Load(server, "www.example.com") as load:
        …
    assert load.lost == 0
    """

    def __init__(self, server, name, rdtype="A", judge=None, patience=5.0):
        self.server, self.patience = server, patience
        self.judge = judge or (lambda reply: reply.rcode() == dns.rcode.NOERROR and len(reply.answer) > 0)
        self.wire = bytearray(make_query(name, rdtype).to_wire())
        self.sent = self.lost = self.wrong = 0
        self.first_wrong = None
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)

    def ask(self):
        with self.server.udp_socket() as sock:
            sock.settimeout(self.patience)
            while not self.halt.is_set():
                struct.pack_into("!H", self.wire, 0, self.sent & 0xFFFF)
                try:
                    sock.send(self.wire)
                    reply = dns.message.from_wire(sock.recv(65535))
                except (socket.timeout, OSError):
                    self.lost += 1
                    self.sent += 1
                    continue
                if reply.id != (self.sent & 0xFFFF) or not self.judge(reply):
                    self.wrong += 1
                    self.first_wrong = self.first_wrong or str(reply)
                self.sent += 1

    def wait_sent(self, more):
        """Until `more` further questions have been asked."""
        goal = self.sent + more
        until(lambda: self.sent >= goal, f"{more} questions")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.halt.set()
        self.thread.join(self.patience + 1)


# messages


def make_query(name, rdtype="A", recurse=False, **kwargs):
    request = dns.message.make_query(name if isinstance(name, dns.name.Name) else dns.name.from_text(name), rdtype,
                                     **kwargs)
    if not recurse:
        request.flags &= ~dns.flags.RD
    return request


def frame(wire):
    """A message as TCP carries it."""
    return struct.pack("!H", len(wire)) + wire


def read_exact(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError(f"closed after {len(data)} of {count} bytes")
        data += more
    return data


def read_frame(sock):
    """The next message of a TCP connection, as bytes."""
    return read_exact(sock, struct.unpack("!H", read_exact(sock, 2))[0])


def closed_by_peer(sock, timeout=None):
    """True when the other side closes (or resets) within the time; what arrives before that is thrown away."""
    sock.settimeout(PATIENCE_SEC if timeout is None else timeout)
    try:
        while sock.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


def rrs(section):
    """A section as a sorted list of "owner TTL type rdata" lines."""
    return sorted(
        f"{rrset.name.to_text().lower()} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}"
        for rrset in section for rdata in rrset
    )


def addresses(message):
    """The A and AAAA addresses of the answer section, in order."""
    return [rdata.address for rrset in message.answer if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for rdata in rrset]


def aa(message):
    return bool(message.flags & dns.flags.AA)


def tc(message):
    return bool(message.flags & dns.flags.TC)


def rcode(message):
    return dns.rcode.to_text(message.rcode())


def picture(message):
    """What two answers must share to be equal: rcode, flags, and the sections as sets."""
    return (rcode(message), aa(message), tc(message), rrs(message.answer), rrs(message.authority),
            rrs(message.additional))

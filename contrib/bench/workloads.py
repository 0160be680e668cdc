"""The workloads of the benchmark: for each a zone and the questions put to it, both the same in every run."""

import pathlib
import random
import subprocess
import sys
import tempfile

SOA = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 900 604800 60\n  IN NS ns1\nns1 IN A 192.0.2.53\n"
ZONE = "example.com"
QUESTIONS = 500_000  # dnsperf starts again at the end; enough to be no help to a CPU cache
WEIGHTS = (4, 1, 1, 1, 1, 1, 1, 1)  # of W2's eight members

SIGNED_MOST = 10_000  # names of a signed zone

# Host names of random letters, as long as real ones: 8 to 14 octets.
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def host_names(count, seed=1):
    rng = random.Random(seed)
    for number in range(count):
        yield "".join(rng.choices(LETTERS, k=rng.randrange(3, 9))) + f"-{number:05x}"


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Workload:
    """`zone(file, size)` writes the zone text, `questions(size)` gives "NAME
    TYPE" lines; `size` is the number of names. `pool`: the weights of www's
    members; `stream`: over TCP, "once" with a connection a query or "many" with
    16 in flight on each; `dnssec`: the zone is signed, and asked with DO."""

    def __init__(self, name, title, zone, questions, *, pool=None, stream=None, dnssec=False):
        self.name, self.title, self.zone, self.questions = name, title, zone, questions
        self.pool, self.stream, self.dnssec = pool, stream, dnssec

    def write(self, folder, size):
        """Makes FOLDER/NAME.zone and NAME.queries, unless an earlier run of the same size left them."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        size = min(size, SIGNED_MOST) if self.dnssec else size
        zone, queries = folder / f"{self.name}-{size}.zone", folder / f"{self.name}-{size}.queries"
        if not queries.exists():
            with zone.open("w") as file:
                file.write(SOA)
                self.zone(file, size)
            if self.dnssec:
                sign(zone)
            part = queries.with_suffix(".part")
            with part.open("w") as file:
                file.writelines(line + "\n" for line in self.questions(size))
            part.rename(queries)
        return zone, queries


def eight_addresses(file, _size):
    file.writelines(f"www IN A 192.0.2.{i}\n" for i in range(1, 9))


def only_www(_size):
    yield f"www.{ZONE} A"


def hosts(file, size):
    file.writelines(f"{name} IN A {address(number)}\n" for number, name in enumerate(host_names(size)))


def any_host(size):
    rng, names = random.Random(2), list(host_names(size))
    for _ in range(QUESTIONS):
        yield f"{rng.choice(names)}.{ZONE} A"


def half_missing(size):
    rng, names = random.Random(3), list(host_names(size))
    for number in range(QUESTIONS):
        yield f"{rng.choice(names)}{'' if number % 2 else 'x'}.{ZONE} A"


def hosts_and_cuts(file, size):
    """Every other name a delegation to two servers of its own, with glue."""
    for number, name in enumerate(host_names(size)):
        if number % 2:
            file.write(f"{name} IN A {address(number)}\n")
        else:
            file.write(f"{name} IN NS ns1.{name}\n{name} IN NS ns2.{name}\n"
                       f"ns1.{name} IN A {address(number)}\nns2.{name} IN A {address(number + 1)}\n")


def half_referrals(size):
    rng, names = random.Random(4), list(host_names(size))
    hosts_, cuts = names[1::2], names[0::2]
    for number in range(QUESTIONS):
        yield f"{rng.choice(hosts_)}.{ZONE} A" if number % 2 else f"www.{rng.choice(cuts)}.{ZONE} A"


def sign(zone):
    """Signs the zone file in place: NSEC, one ECDSA P-256 key for all of it, for ten years."""
    with tempfile.TemporaryDirectory() as keys:
        def run(*words):
            done = subprocess.run([str(word) for word in words], cwd=keys, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{words[0]} said:\n{done.stdout}{done.stderr}")
            return done.stdout
        key = run("dnssec-keygen", "-a", "ECDSAP256SHA256", "-f", "KSK", ZONE).strip()
        with zone.open("a") as file:
            file.write(pathlib.Path(keys, key + ".key").read_text())
        run("dnssec-signzone", "-z", "-o", ZONE, "-e", "+315360000", "-f", zone.resolve(), zone.resolve(), key)


ALL = {workload.name: workload for workload in (
    Workload("W1", "eight A, rotated", eight_addresses, only_www),
    Workload("W2", "weighted, one of eight", eight_addresses, only_www, pool=WEIGHTS),
    Workload("W3", "many names, uniform random A", hosts, any_host),
    Workload("W4", "the same, half NXDOMAIN", hosts, half_missing),
    Workload("W5", "half referrals", hosts_and_cuts, half_referrals),
    Workload("W6a", "TCP, a connection a query", eight_addresses, only_www, stream="once"),
    Workload("W6b", "TCP, 16 connections, 16 in flight on each", eight_addresses, only_www, stream="many"),
    Workload("W7", "signed zone, DO=1", hosts, any_host, dnssec=True),
    Workload("W7n", "the same, half NXDOMAIN", hosts, half_missing, dnssec=True),
)}

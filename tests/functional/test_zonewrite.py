"""Zone text as rondo writes it: zonewrite (read, build, write, without a server) on zones of every type, and what BIND
and ldns make of it."""

import os
import pathlib
import random
import shutil
import subprocess

import dns.name
import pytest

import rdatagen
import rondo as harness
from test_zonetext import MODES_LENIENT, ask_bind, ask_us, put_cases, record_cases

pytestmark = pytest.mark.skipif(shutil.which("named-compilezone", path="/usr/bin:/usr/sbin:/bin:/sbin") is None,
                                reason="bind9-utils is not installed")


def zonewrite(folder, file="zone", zone="example"):
    """The zone as rondo writes it, in "written"."""
    rondod = harness.binary("rondod")
    tops = [os.environ.get("top_builddir"), rondod.parent if rondod else None]
    helper = next((path for top in filter(None, tops)
                   if (path := pathlib.Path(top) / "tests/helpers/zonewrite").is_file()), None)
    assert helper, "tests/helpers/zonewrite is not built (make check builds it)"
    run = subprocess.run([helper, zone, file], cwd=folder, capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    (folder / "written").write_bytes(run.stdout)
    return run.stdout.decode()


def ask_ldns(folder):
    tool = shutil.which("ldns-read-zone", path="/usr/bin:/usr/sbin:/bin:/sbin")
    if not tool:
        pytest.skip("ldnsutils is not installed")
    run = subprocess.run([tool, "-0", "written"], cwd=folder, capture_output=True, text=True, errors="replace",
                         timeout=60)
    assert run.returncode == 0, run.stdout[-500:] + run.stderr
    return run.stdout.splitlines()


def expect_same(folder):
    """BIND reads the same records out of both, and we do too; the second writing is the first."""
    text = zonewrite(folder)
    before, behind = (ask_bind(folder, file, MODES_LENIENT) for file in ("zone", "written"))
    assert behind.records is not None, behind.lines
    assert behind.records == before.records
    assert ask_us(folder, "written").records == before.records
    assert zonewrite(folder, "written") == text
    return text


def good_cases(folder):
    cases = [c for c in record_cases() if not c.startswith(("SOA", "CNAME", "DNAME"))]
    good = []
    for start in range(0, len(cases), 90):  # a file is given up after 100 errors
        by_line = put_cases(folder, cases[start : start + 90])
        bad = {by_line[int(line.split(":")[1])] for line in ask_us(folder).lines if ": error: " in line}
        good += [case for case in cases[start : start + 90] if case not in bad]
    return good


def test_every_type_is_read_by_bind_and_ldns(tmp_path):
    good = good_cases(tmp_path)
    put_cases(tmp_path, good)
    text = expect_same(tmp_path)
    assert len(good) > 300
    lines = [line for line in text.splitlines() if line[0] not in ";$"]
    assert len(ask_ldns(tmp_path)) == len(lines)
    # The common types have text of their own.
    generic = {line.split("\tIN\t")[1].split("\t")[0] for line in lines if "\t\\# " in line}
    assert not generic & {"A", "AAAA", "CAA", "DNSKEY", "DS", "MX", "NAPTR", "NS", "NSEC", "PTR", "RRSIG", "SRV",
                          "TLSA", "TXT", "URI"}, generic


@pytest.mark.parametrize("seed", range(4))
def test_random_rdata(tmp_path, seed):
    rng = random.Random(seed)

    def name():
        labels = [bytes(rng.choices(b"ab-_Z.\\;\"@$( \0\xff", k=rng.randrange(1, 8))) for _ in range(rng.randrange(3))]
        return dns.name.Name([*labels, *rng.choice(([b""], [b"example", b""], [b"Example", b"Org", b""]))])

    text = "$TTL 300\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\n"
    for number in range(600):
        rdtype = rng.choice([t for t in rdatagen.TYPES if t != "CNAME"])
        data = rdatagen.make(rng, rdtype, name, lambda n: n.to_text(), lambda n: n.to_wire())
        text += f"n{number} {rng.randrange(1 << 31)} {rdtype} {data}\n"
    (tmp_path / "zone").write_text(text)
    written = expect_same(tmp_path)
    assert len(ask_ldns(tmp_path)) == sum(line[0] not in ";$" for line in written.splitlines())

"""Zone text as BIND reads it: zonedump (our readers and checks without a server) beside
named-compilezone on the same files, verdict by verdict and record by record. The cases are in zonetext/:
records.txt by type, zones.txt whole small zones."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import struct
import subprocess

import dns.name
import pytest

import rondo as harness

DATA = pathlib.Path(__file__).resolve().parent / "zonetext"
HEAD = "$TTL 300\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\n"
COMPILE = shutil.which("named-compilezone", path="/usr/bin:/usr/sbin:/bin:/sbin")
RRCHECK = shutil.which("named-rrchecker", path="/usr/bin:/usr/sbin:/bin:/sbin")
# The modes of named-checkzone; "local", because the test has no network.
MODES = ["-i", "local", "-k", "warn", "-n", "warn", "-m", "warn", "-M", "warn", "-S", "warn", "-r", "warn", "-T",
         "warn", "-W", "warn"]
MODES_LENIENT = ["-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore", "-M", "ignore", "-r", "ignore", "-T",
                 "ignore", "-W", "ignore"]

pytestmark = pytest.mark.skipif(COMPILE is None or RRCHECK is None, reason="bind9-utils is not installed")


def zonedump():
    rondod = harness.binary("rondod")
    tops = [os.environ.get("top_builddir"), rondod.parent if rondod else None]
    for top in filter(None, tops):
        path = pathlib.Path(top) / "tests/helpers/zonedump"
        if path.is_file():
            return path
    return pytest.fail("tests/helpers/zonedump is not built (make check builds it)")


def raw_records(path):
    """BIND's raw zone format: blocks of an owner's rrset."""
    data = path.read_bytes()
    at, records = 12, set()
    while at < len(data):
        total, _, rdtype, _, ttl, count = struct.unpack_from(">IHHHII", data, at)
        end, at = at + total, at + 18
        (length,) = struct.unpack_from(">H", data, at)
        owner, at = data[at + 2 : at + 2 + length].lower(), at + 2 + length
        for _ in range(count):
            (length,) = struct.unpack_from(">H", data, at)
            records.add((owner, ttl, rdtype, data[at + 2 : at + 2 + length]))
            at += 2 + length
        assert at == end
    return records


class Judgement:
    def __init__(self, error, lines, records):
        self.error, self.lines, self.records = error, lines, records

    @property
    def verdict(self):
        return "error" if self.error else "warning" if self.lines else "ok"


def ask_bind(folder, file="zone", modes=MODES):
    out = folder / "raw"
    out.unlink(missing_ok=True)
    run = subprocess.run([COMPILE, *modes, "-f", "text", "-F", "raw=0", "-o", out.name, "example", file], cwd=folder,
                         capture_output=True, timeout=30)
    quiet = (b"loaded serial", b"not loaded due to errors", b"dump zone to", b"OK", b"loading from")
    lines = [line.decode(errors="replace") for line in (run.stdout + run.stderr).splitlines()
             if line and not any(q in line for q in quiet)]
    return Judgement(run.returncode != 0, lines, None if run.returncode else raw_records(out))


def ask_us(folder, file="zone"):
    run = subprocess.run([zonedump(), "example", file], cwd=folder, capture_output=True, text=True, errors="replace",
                         timeout=30)
    assert run.returncode in (0, 1) and "Sanitizer" not in run.stderr, run.stderr
    records = set()
    for line in run.stdout.splitlines():
        owner, ttl, rdtype, rdata = line.split(" ")
        records.add((dns.name.from_text(owner).to_wire().lower(), int(ttl), int(rdtype), bytes.fromhex(rdata)))
    return Judgement(run.returncode != 0, run.stderr.splitlines(), None if run.returncode else records)


# ---- records by type


def record_cases():
    lines = (DATA / "records.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def put_cases(folder, cases):
    """One zone with all of them at owners of their own, a harmless record between each two: BIND's line numbers are off
    by one at times. Returns case by line."""
    text, by_line = HEAD, {}
    for number, case in enumerate(cases):
        by_line[4 + 2 * number] = by_line[5 + 2 * number] = case
        text += f"c{number} {case}\nf{number} TXT filler\n"
    (folder / "zone").write_text(text)
    return by_line


def bad_at(judgement, by_line, pattern):
    found = set()
    for line in judgement.lines:
        match = re.search(r"zone:(\d+): " + pattern, line)
        if match and int(match[1]) in by_line:
            found.add(by_line[int(match[1])])
    return found


def test_every_type_has_the_verdict_and_the_bytes_of_bind(tmp_path):
    # SOA only stands at the apex; what BIND says of NAPTR depends on the records before it, so each is asked for alone.
    cases = [c for c in record_cases() if not c.startswith("SOA")]
    by_line = put_cases(tmp_path, cases)
    warnings = r"(?!.*(?:check-names|appears to be|is an address|has expired|old style))"
    theirs = bad_at(ask_bind(tmp_path), by_line, warnings)
    for case in cases:
        if case.startswith("NAPTR"):
            theirs.discard(case)
            if subprocess.run([RRCHECK], input=f"IN {case}\n", capture_output=True, text=True, timeout=10).returncode:
                theirs.add(case)
    ours = set()
    for start in range(0, len(cases), 90):  # a file is given up after 100 errors
        by_line = put_cases(tmp_path, cases[start : start + 90])
        ours |= bad_at(ask_us(tmp_path), by_line, "error")
    assert ours - theirs == set(), "BIND takes these"
    assert theirs - ours == set(), "BIND refuses these"
    assert len(theirs) > 300

    # Singletons beside a filler are no business of this test.
    good = [c for c in cases if c not in theirs and not c.startswith(("CNAME", "DNAME"))]
    put_cases(tmp_path, good)
    bind, us = ask_bind(tmp_path, modes=MODES_LENIENT), ask_us(tmp_path)
    assert bind.records is not None, bind.lines
    assert us.records is not None, us.lines
    assert us.records == bind.records
    assert len({rdtype for _, _, rdtype, _ in us.records}) > 80


def test_soa_fields(tmp_path):
    for case in [c for c in record_cases() if c.startswith("SOA")]:
        (tmp_path / "zone").write_text(f"$TTL 300\n@ {case}\n@ NS a.\n")
        bind, us = ask_bind(tmp_path, modes=MODES_LENIENT), ask_us(tmp_path)
        assert us.error == bind.error, (case, bind.lines, us.lines)
        assert us.records == bind.records, case


# ---- whole zones


def zone_cases():
    cases, name = {}, None
    for line in (DATA / "zones.txt").read_text().splitlines():
        if line.startswith("== "):
            name, *flags = line[3:].split()
            assert name not in cases
            cases[name] = (flags, [])
        elif name:
            cases[name][1].append(line)
    return [(name, flags, "\n".join(lines + [""])) for name, (flags, lines) in cases.items()]


def compare(folder, name, flags=()):
    bind, us = ask_bind(folder), ask_us(folder)
    wanted = next((f for f in flags if f in ("ok", "warning", "error")), bind.verdict)
    told = f"{name}\nBIND: {bind.verdict} {bind.lines}\nrondo: {us.verdict} {us.lines}"
    if us.verdict != wanted:
        return told
    if "unlike" not in flags and bind.records is not None and us.records is not None and bind.records != us.records:
        return f"{told}\nonly BIND: {bind.records - us.records}\nonly rondo: {us.records - bind.records}"
    return None


def test_small_zones(tmp_path):
    def judge(case):
        name, flags, text = case
        folder = tmp_path / name
        folder.mkdir()
        (folder / "zone").write_text(text if "bare" in flags else HEAD + text)
        return compare(folder, name, flags)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wrong = [w for w in pool.map(judge, zone_cases()) if w]
    assert not wrong, "\n\n".join(wrong)


LONGEST = b".".join([b"a" * 61] * 4)
BYTES = {
    "crlf": HEAD.replace("\n", "\r\n").encode() + b"x A 192.0.2.1\r\n TXT \"a\" ; b\r\n\r\n( y A\r\n192.0.2.2 )\r\n",
    "cr only": HEAD.replace("\n", "\r").encode() + b"x A 192.0.2.1\r",
    "no newline at the end": HEAD.encode() + b"x A 192.0.2.1",
    "comment at the end": HEAD.encode() + b"x A 192.0.2.1\n; no newline",
    "blank at the end": HEAD.encode() + b"x A 192.0.2.1\n ",
    "tabs": HEAD.replace(" ", "\t").encode() + b"x\t\tIN\t A\t192.0.2.1\t\n\tTXT\ta\n",
    "eight bits": HEAD.encode() + b"x TXT \"\xe4\xff\x80\"\nb\xe4 TXT b\xe4\n",
    "form feed": HEAD.encode() + b"x TXT a\x0cb\n",
    "open parenthesis at the end": HEAD.encode() + b"x TXT ( a",
    "open quote at the end": HEAD.encode() + b"x TXT \"a",
    "backslash at the end": HEAD.encode() + b"x TXT a\\",
    "names of 255 bytes": HEAD.encode() + LONGEST + b" TXT a\n" + b"x CNAME " + LONGEST + b"\n",
    "an owner of 256 bytes": HEAD.encode() + b".".join([b"a" * 61] * 3 + [b"a" * 62]) + b" TXT a\n",
    "a TXT of 65535 bytes": HEAD.encode() + b"x TXT " + b"a" * 254 + b" (\n" + (b"a" * 255 + b"\n") * 255 + b")\n",
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes(tmp_path, name):
    (tmp_path / "zone").write_bytes(BYTES[name])
    # BIND loads what no message can carry, and misses the newline of a line without anything.
    flags = {"a TXT of 65535 bytes": ["error"], "blank at the end": ["ok"]}.get(name, [])
    wrong = compare(tmp_path, name, flags)
    assert not wrong, wrong


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "zone").write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    us = ask_us(tmp_path)
    assert us.verdict == "warning" and len(us.records) == 2


# ---- $INCLUDE


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_include(tmp_path):
    """One folder for all files: there BIND, which starts at its working folder, and we, who
    start at the including file, mean the same."""
    write(
        tmp_path,
        zone=HEAD + "x A 192.0.2.1\n$INCLUDE one\n AAAA ::1\n$INCLUDE two sub\n TXT x\n"
        + "y A 192.0.2.3\n$INCLUDE \"three\"\nz A 192.0.2.4\n",
        one="in1 A 192.0.2.10\n$ORIGIN deep\nin2 A 192.0.2.11\n$TTL 77\n",
        two="@ TXT at\nin3 A 192.0.2.12\n$INCLUDE three other\nin4 A 192.0.2.13\n",
        three="in5 MX 1 mail\n",
    )
    wrong = compare(tmp_path, "include")
    assert not wrong, wrong


def test_include_lends_its_owner_and_takes_none_back(tmp_path):
    write(tmp_path, zone=HEAD + "x A 192.0.2.1\n$INCLUDE one\n TXT x\n$INCLUDE one sub\n",
          one=" MX 0 .\ny A 192.0.2.2\n")
    wrong = compare(tmp_path, "owner")
    assert not wrong, wrong


def test_include_is_relative_to_the_including_file(tmp_path):
    write(tmp_path, zone=HEAD + "$INCLUDE sub/one\n", sub__one="$INCLUDE two\n", sub__two="x A 192.0.2.1\n")
    assert len(ask_us(tmp_path).records) == 3
    write(tmp_path, zone=HEAD + f"$INCLUDE {tmp_path}/sub/two\n")
    assert len(ask_us(tmp_path).records) == 3


def test_include_errors_name_both_ends(tmp_path):
    write(tmp_path, zone=HEAD + "$INCLUDE nosuch\n$INCLUDE one\n$INCLUDE .\nx A 192.0.2.256\n", one="y A 192.0.2.256\n")
    lines = ask_us(tmp_path).lines
    assert lines[0] == 'zone:4: error: $INCLUDE: "nosuch" cannot be opened: No such file or directory'
    assert lines[1] == 'one:1: error: A: bad IPv4 address: "192.0.2.256"'
    assert lines[2] == 'zone:6: error: $INCLUDE: "." is a directory'
    assert lines[3] == 'zone:7: error: A: bad IPv4 address: "192.0.2.256"'
    assert len(lines) == 4


def test_a_file_that_includes_itself(tmp_path):
    write(tmp_path, zone=HEAD + "$INCLUDE zone\n")
    assert ask_us(tmp_path).lines == ['zone:4: error: $INCLUDE: "zone" includes itself']
    write(tmp_path, zone=HEAD + "$INCLUDE one\n", one="$INCLUDE two\n")
    (tmp_path / "two").symlink_to("zone")
    assert ask_us(tmp_path).lines == ['one:1: error: $INCLUDE: "two" includes itself']


def test_include_too_deep(tmp_path):
    write(tmp_path, zone=HEAD + "$INCLUDE f0\n", **{f"f{i}": f"$INCLUDE f{i + 1}\n" for i in range(30)})
    assert ask_us(tmp_path).lines == ["f19:1: error: $INCLUDE more than 20 deep"]


# ---- bad input


def one_line(folder, pattern, file="zone"):
    us = ask_us(folder, file)
    assert us.error and len(us.lines) == 1, us.lines
    assert re.search(pattern, us.lines[0]), us.lines


def test_files_that_are_none(tmp_path):
    one_line(tmp_path, r"^nosuch: error: cannot be opened: No such file", "nosuch")
    (tmp_path / "folder").mkdir()
    one_line(tmp_path, r"^folder: error: is a directory", "folder")
    os.mkfifo(tmp_path / "fifo")
    one_line(tmp_path, r"^fifo: error: is no regular file", "fifo")
    one_line(tmp_path, r"^/dev/zero: error: is no regular file", "/dev/zero")
    if os.geteuid():
        (tmp_path / "closed").touch(mode=0)
        one_line(tmp_path, r"^closed: error: cannot be opened: Permission denied", "closed")


def test_binary(tmp_path):
    shutil.copy(zonedump(), tmp_path / "zone")
    one_line(tmp_path, r"^zone: error: holds a zero byte in line \d+: no zone text")
    (tmp_path / "zone").write_bytes(bytes(range(1, 256)) * 2000)
    assert ask_us(tmp_path).lines[-1].endswith("too many errors, giving up")
    assert len(ask_us(tmp_path).lines) <= 110


def test_enormous(tmp_path):
    with open(tmp_path / "zone", "wb") as file:
        file.truncate(5 << 30)
    one_line(tmp_path, r"^zone: error: is larger than 4 GiB")
    with open(tmp_path / "zone", "wb") as file:
        file.truncate(3 << 30)
    one_line(tmp_path, r"zero byte in line 1")


def test_endless_line(tmp_path):
    for text in ("a" * (3 << 20), "( " * (2 << 20), '"' + "a b " * (1 << 20), "; " + "c" * (4 << 20)):
        (tmp_path / "zone").write_text(HEAD + text)
        one_line(tmp_path, r"^zone: error: line \d is longer than 1 MiB")


def test_endless_record(tmp_path):
    (tmp_path / "zone").write_text(HEAD + "x TXT (\n" + "a b c d\n" * 400000)
    one_line(tmp_path, r"^zone:4: error: too many words in one record")
    (tmp_path / "zone").write_text(HEAD + "x TXT (\n" + "a\n" * 400000 + ")\ny A 192.0.2.256\n")
    assert [line.split(":")[1] for line in ask_us(tmp_path).lines] == ["4", "400006"]


def test_all_errors_at_once_but_a_hundred_at_most(tmp_path):
    (tmp_path / "zone").write_text(HEAD + "x A nothing\n" * 40)
    assert [line.split(":")[1] for line in ask_us(tmp_path).lines] == [str(n) for n in range(4, 44)]
    (tmp_path / "zone").write_text(HEAD + "x A nothing\n" * 400)
    lines = ask_us(tmp_path).lines
    assert len(lines) == 101 and lines[-1] == "zone:103: error: too many errors, giving up"


def test_generate_is_capped(tmp_path):
    (tmp_path / "zone").write_text(HEAD + "$GENERATE 0-2147483647 h$ A 192.0.2.1\n")
    one_line(tmp_path, r"^zone:4: error: \$GENERATE makes more than 16777216 records in all")


def test_rrset_that_fits_no_message(tmp_path):
    text = "".join(f'x TXT "{n:03}{"a" * 200}"\n' for n in range(400))
    (tmp_path / "zone").write_text(HEAD + text)
    one_line(tmp_path, r'error: "x\.example\." TXT: 400 records do not fit in a message')
    (tmp_path / "zone").write_text(HEAD + "".join(f"x A 10.0.{n >> 8}.{n & 255}\n" for n in range(4000)))
    assert ask_us(tmp_path).verdict == "ok"
    # Names that compress well: 3000 PTRs to one suffix.
    (tmp_path / "zone").write_text(HEAD + "".join(f"x PTR h{n}.{'a' * 60}.other.\n" for n in range(3000)))
    assert ask_us(tmp_path).verdict == "ok"

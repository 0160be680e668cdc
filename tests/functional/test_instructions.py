"""Instructions a query, counted by callgrind in the query path without sockets (tests/helpers/answer-loop.c), as a
ratio to a reference loop of the same run: neither the machine's speed nor its load counts.

The program is built here with one fixed set of flags, whatever the build folder has, since no sanitizer may be in it.
The ratios below are those of gcc 12 on x86_64 with CFLAGS as stated; with another compiler or machine they are printed
and not judged. A change that costs more than SLACK fails; one that gains more does too, so that the table stays true:
put the printed ratio in.
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
CFLAGS = ["-std=gnu11", "-O2", "-fno-strict-aliasing", "-fPIE", "-pie", "-D_GNU_SOURCE", "-pthread"]
LAYERS = ["base", "dns", "health", "pool", "zone", "ldnsx", "answer"]
HELPERS = ["answer-loop.c", "world.c"]
LIBRARIES = ["ldns", "liburcu-qsbr", "libsodium", "libcrypto"]
ROUNDS, BATCH = 200, 32
SLACK = 0.05

RATIOS = {
    "address": 0.600,
    "missing": 0.587,
    "referral": 0.789,
    "alias": 0.979,
    "wildcard": 0.729,
    "deep": 3.748,
    "many": 0.629,
    "pool": 0.625,
    "near": 0.698,
    "signed": 0.694,
    "denied": 1.292,
}


def compiler():
    return (os.environ.get("CC") or "gcc").split()


def output_of(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def is_the_named_one():
    told = output_of([*compiler(), "-dM", "-E", "-x", "c", "/dev/null"])
    return "#define __GNUC__ 12\n" in told and "__clang__" not in told and platform.machine() == "x86_64"


def needs_tools():
    for tool in ("valgrind", "pkg-config"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")


def build(out, helpers):
    """A program of tests/helpers with all that answers, as `out`, which it returns."""
    sources = [str(path) for layer in LAYERS for path in sorted((TOP / "src" / layer).glob("*.c"))]
    sources += [str(TOP / "tests" / "helpers" / name) for name in helpers]
    libraries = output_of(["pkg-config", "--cflags", "--libs", *LIBRARIES]).split()
    includes = [f"-I{TOP / 'src'}", f"-I{TOP / 'tests'}"]
    output_of([*compiler(), *CFLAGS, *includes, "-o", str(out), *sources, *libraries, "-lm"])
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    needs_tools()
    return build(tmp_path_factory.mktemp("instructions") / "answer-loop", HELPERS)


def instructions(program, what):
    """Instructions of one query (or its share of the reference loop)."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={program}.{what}", "--toggle-collect=answer_batch",
         "--toggle-collect=reference_round", str(program), what, str(ROUNDS)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(re.search(r"Collected\s*:\s*(\d+)", run.stderr).group(1)) / (ROUNDS * BATCH)


@pytest.fixture(scope="module")
def reference(program):
    return instructions(program, "reference")


@pytest.mark.parametrize("what", sorted(RATIOS))
def test_instructions(program, reference, what):
    count = instructions(program, what)
    ratio = count / reference
    print(f"{what}: {count:.0f} instructions a query, {ratio:.3f} of the reference, {RATIOS[what]:.3f} expected")
    if is_the_named_one():
        assert abs(ratio / RATIOS[what] - 1) <= SLACK

"""What configure hardens unless told not to, looked at in the programs. A sanitizer's build goes without."""

import re
import subprocess

import pytest

from rondo import binary, sanitized

pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer's build is not hardened")


def readelf(program, *what):
    return subprocess.run(["readelf", "-W", *what, binary(program)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("program", ["rondod", "rondoctl"])
def test_flags(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h")), "position independent"
    headers = readelf(program, "-l")
    assert "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK .* RW ", headers), "no executable stack"
    assert re.search(r"BIND_NOW|FLAGS.*\bNOW\b", readelf(program, "-d")), "all symbols bound at start"
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")), "_FORTIFY_SOURCE"

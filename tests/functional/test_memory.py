"""Zones larger than the memory there is: refused while there is memory to say so, the rest goes
on. The limit is one of address space, which a sanitizer takes all of, so this is for builds
without; contrib/check.sh runs it in build/release."""

import resource

import pytest

from rondo import DEFAULT_ZONE, rcode, sanitized

MIB = 1 << 20

pytestmark = pytest.mark.skipif(sanitized(), reason="a sanitizer takes all address space")


def virtual_bytes(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def leave(server, room):
    """From now on the process may take `room` bytes more."""
    limit = virtual_bytes(server) + room
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def serial(text, number):
    assert " 1 3600 " in text
    return text.replace(" 1 3600 ", f" {number} 3600 ")


@pytest.mark.parametrize("room", [100 * MIB, 300 * MIB, 700 * MIB])
def test_records_without_end(rondo, room):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "big.test": DEFAULT_ZONE})
    leave(server, room)
    server.zone_path("big.test").write_text(
        serial(DEFAULT_ZONE, 2) + "$GENERATE 1-16000000 host-with-a-name-$ A 192.0.2.1\n")
    done = server.ctl("reload")
    assert done.returncode == 1
    assert "does not fit in memory" in done.stdout + done.stderr
    assert server.log().count("does not fit in memory") == 1
    server.assert_serving()
    assert rcode(server.query("www.big.test.")) == "NOERROR"  # the version before

    server.zone_path("big.test").write_text(serial(DEFAULT_ZONE, 3) + "new A 192.0.2.7\n")
    done = server.ctl("reload")
    assert done.returncode == 0, done.stderr
    assert rcode(server.query("new.big.test.")) == "NOERROR"


def test_a_file_larger_than_memory(rondo):
    server = rondo(zones={"example.com": DEFAULT_ZONE, "big.test": DEFAULT_ZONE})
    leave(server, 200 * MIB)
    comment = "; " + "x" * 97 + "\n"
    with open(server.zone_path("big.test"), "w", encoding="ascii") as file:
        file.write(serial(DEFAULT_ZONE, 2))
        for _ in range(300):
            file.write(comment * (MIB // len(comment)))
    done = server.ctl("reload")
    assert done.returncode == 1
    assert "does not fit in memory" in done.stdout + done.stderr
    server.assert_serving()
    assert rcode(server.query("www.big.test.")) == "NOERROR"


def test_at_start(rondo):
    """Never loaded: SERVFAIL, its neighbour answers."""
    big = DEFAULT_ZONE + "$GENERATE 1-16000000 h$ A 192.0.2.1\n"
    server = rondo.prepare(zones={"example.com": DEFAULT_ZONE, "big.test": big})
    server.wrapper = ["prlimit", f"--as={900 * MIB}"]
    server.start(wait=["example.com"])
    server.wait_log("does not fit in memory")
    assert rcode(server.query("www.big.test.")) == "SERVFAIL"
    server.assert_serving()

"""Fixtures of the functional tests. A test asks for `rondo` and calls it as often as it likes:

    def test_story(rondo):
        server = rondo(zones={"example.com": TEXT}, server='tcp_idle = "1s";')
        assert rcode(server.query("www.example.com")) == "NOERROR"

Every server so made is stopped afterwards and judged: exit status 0, nothing
from a sanitizer. See rondo.py for the rest.
"""

import os
import shutil
import tempfile

import pytest

import backends as backends_module
import rondo as harness


def pytest_configure(config):
    if harness.binary("rondod") is None:
        raise pytest.UsageError("rondod is not built: set RONDOD, or run from a build folder")


class Factory:
    def __init__(self, base):
        self.base = base
        self.servers = []

    def prepare(self, **kwargs):
        """A server with its folder and files, not started; for starts that must fail, and for -t."""
        folder = os.path.join(self.base, f"server{len(self.servers)}")
        server = harness.Rondod(folder, **kwargs)
        self.servers.append(server)
        return server

    def __call__(self, wait=None, **kwargs):
        """A running server; `wait` as in Rondod.start, the rest as in Rondod."""
        return self.prepare(**kwargs).start(wait)

    def finish(self):
        problems = []
        for server in self.servers:
            try:
                server.stop()
            except AssertionError as problem:
                problems.append(str(problem))
            finally:
                server.kill()
        shutil.rmtree(self.base, ignore_errors=True)
        assert not problems, "\n".join(problems)


def factory():
    # Not pytest's tmp_path: its names are too long for a unix socket's 107 bytes.
    made = Factory(tempfile.mkdtemp(prefix="rondo-"))
    os.chmod(made.base, 0o755)  # some servers run as another user
    try:
        yield made
    finally:
        made.finish()


@pytest.fixture
def rondo():
    yield from factory()


@pytest.fixture(scope="module")
def rondo_module():
    """The same, its servers shared by a file's tests that change nothing."""
    yield from factory()


@pytest.fixture
def backends():
    """`backends(3)`: three servers to be checked, see backends.py; ended after the test."""
    fleets = []

    def make(count=1, **kwargs):
        fleets.append(backends_module.Fleet(count, **kwargs))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()

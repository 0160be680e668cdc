"""contrib/quickstart.sh from its first line to its end, with the programs under test,
on ports of its own, in a folder of its own."""

import fcntl
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time

import pytest

import rondo as harness
from rondo import binary, free_port, until

BACKENDS = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]


def at_a_desk(terminal):
    """In the new process. Who was started in the background ignores SIGINT, and a shell cannot trap what it ignores from
    its start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if terminal is not None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Demo:
    """`terminal`: the file descriptor of one that becomes the demo's own, and its standard input."""

    def __init__(self, folder, *args, terminal=None):
        self.dir = pathlib.Path(folder)
        self.port, self.backend_port = free_port(), free_port(BACKENDS)
        self.output = self.dir / "output"
        env = harness.sanitizer_environment()
        env.update(RONDOD=str(binary("rondod")), RONDOCTL=str(binary("rondoctl")), TMPDIR=str(self.dir / "tmp"))
        (self.dir / "tmp").mkdir(exist_ok=True)
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [str(harness.SOURCE / "contrib/quickstart.sh"), "--build", str(self.dir / "build"), "--port",
                 str(self.port), "--backend-port", str(self.backend_port), *args],
                env=env, stdin=subprocess.DEVNULL if terminal is None else terminal, stdout=out, stderr=out,
                start_new_session=True,
                preexec_fn=lambda: at_a_desk(terminal))

    def text(self):
        return self.output.read_text(errors="replace")

    def wait(self, pattern):
        return until(lambda: re.search(pattern, self.text(), re.MULTILINE), lambda: f"{pattern!r}\n" + self.text(),
                     pause=0.05)

    def ready(self):
        self.wait("^Ctrl-C here ends")
        return self

    def backend(self, address):
        return int(re.search(rf"^ +{re.escape(address)} +process (\d+)$", self.text(), re.MULTILINE).group(1))

    def dig(self, name):
        done = subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+short", "+tries=2", name, "A"],
                              capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.split()

    def session(self):
        """The processes of the session that the demo is the first of: whatever it started."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if entry.isdigit() and int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry))
        return found

    def end(self, number, status):
        self.process.send_signal(number)
        assert self.process.wait(harness.PATIENCE_SEC) == status, self.text()
        self.assert_nothing_left()

    def assert_nothing_left(self):
        assert self.session() == [], self.text()
        for address, port in [("127.0.0.1", self.port)] + [(address, self.backend_port) for address in BACKENDS]:
            with socket.socket() as sock:
                assert sock.connect_ex((address, port)) != 0, (address, port)
        assert list((self.dir / "tmp").iterdir()) == []
        left = {path.name for path in (self.dir / "build").iterdir()}
        assert {name for name in left if not name.endswith(".log")} <= {"state"}, left
        assert not harness.ALARMS.search((self.dir / "build" / "rondod.log").read_text(errors="replace"))


@pytest.fixture
def demo():
    demos = []
    base = tempfile.mkdtemp(prefix="rondo-")  # not tmp_path: its names are too long for a unix socket

    def make(*args, folder=None, **kwargs):
        if folder is None:
            folder = os.path.join(base, f"demo{len(demos)}")
            os.mkdir(folder)
        demos.append(Demo(folder, *args, **kwargs))
        return demos[-1]

    yield make
    for one in demos:
        for pid in one.session():
            os.kill(pid, signal.SIGKILL)
        one.process.wait()
    shutil.rmtree(base, ignore_errors=True)


def source_files():
    return {str(path) for path in (*harness.SOURCE.glob("*"), *(harness.SOURCE / "zones").rglob("*"))}


def test_the_story(demo):
    before = source_files()
    show = demo().ready()
    # What it says there is to see is to be seen.
    for line in ("www", "api", "app", "db"):
        assert re.search(rf"dig @127\.0\.0\.1 -p {show.port} \+short {line}\.example\.com ", show.text())
    assert sorted(show.dig("www.example.com")) == BACKENDS[:3]
    until(lambda: show.dig("db.example.com") == ["127.0.0.4"], "db is up")
    firsts = [show.dig("api.example.com") for _ in range(10)]
    assert (firsts.count(["127.0.0.2"]), firsts.count(["127.0.0.3"])) == (8, 2)
    assert len({tuple(show.dig("app.example.com")) for _ in range(5)}) == 1
    show.wait(r"127\.0\.0\.4 +up")
    # Hang, and well again; then death.
    os.kill(show.backend("127.0.0.3"), signal.SIGSTOP)
    until(lambda: sorted(show.dig("www.example.com")) == ["127.0.0.2", "127.0.0.4"], "it is seen to hang")
    show.wait(r"127\.0\.0\.3 +down")
    os.kill(show.backend("127.0.0.3"), signal.SIGCONT)
    until(lambda: sorted(show.dig("www.example.com")) == BACKENDS[:3], "it is back")
    os.kill(show.backend("127.0.0.4"), signal.SIGTERM)
    until(lambda: show.dig("db.example.com") == ["127.0.0.5"], "the other tier serves")
    until(lambda: sorted(show.dig("www.example.com")) == BACKENDS[:2], "it has left")
    show.wait(r"127\.0\.0\.4 +down")
    show.end(signal.SIGTERM, 0)
    assert show.text().rstrip().endswith("all is ended: rondod and the web servers")
    assert source_files() == before


def test_each_run_begins_afresh(demo):
    """What the last one kept would be served on, whatever the zone's file says."""
    show = demo().ready()
    commands = [f"server 127.0.0.1 {show.port}", "update delete www.example.com A 127.0.0.4",
                "update add www.example.com 300 A 127.0.0.5", "update add www.example.com 300 A 127.0.0.9", "send", ""]
    subprocess.run(["nsupdate"], input="\n".join(commands), text=True, timeout=30, check=True)
    changed = [*BACKENDS[:2], BACKENDS[3]]
    until(lambda: sorted(show.dig("www.example.com")) == changed, "who came by an update is checked as well")
    second = demo(folder=show.dir)
    assert second.process.wait(harness.PATIENCE_SEC) == 1
    assert "a demo runs in" in second.text(), second.text()
    assert sorted(show.dig("www.example.com")) == changed
    show.end(signal.SIGTERM, 0)
    third = demo(folder=show.dir).ready()
    until(lambda: sorted(third.dig("www.example.com")) == BACKENDS[:3], "the zone is as its file says")
    third.end(signal.SIGTERM, 0)


def test_ctrl_c_at_a_terminal(demo):
    """There the signal comes to all that was started, not to the script alone.
    One of them hangs and will not hear it."""
    keyboard, terminal = pty.openpty()
    try:
        show = demo(terminal=terminal).ready()
        os.kill(show.backend("127.0.0.2"), signal.SIGSTOP)
        os.write(keyboard, b"\x03")
        assert show.process.wait(harness.PATIENCE_SEC) == 0, show.text()
        show.assert_nothing_left()
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_ends_by_itself(demo):
    show = demo("--seconds", "1")
    assert show.process.wait(harness.PATIENCE_SEC) == 0, show.text()
    assert "Ctrl-C here ends" in show.text()
    show.assert_nothing_left()


def test_interrupted_at_any_moment(demo):
    for delay in (0, 0.03, 0.1, 0.2, 0.3, 0.5):
        show = demo()
        time.sleep(delay)
        show.process.send_signal(signal.SIGINT)
        assert show.process.wait(harness.PATIENCE_SEC) in (0, 130, -signal.SIGINT), show.text()
        until(lambda: show.session() == [], show.text)  # pylint: disable=cell-var-from-loop


def test_port_in_use(demo, backends):
    """One clear line, nothing left running."""
    taken = backends(addresses=["127.0.0.4"])
    show = demo("--backend-port", str(taken.port))
    assert show.process.wait(harness.PATIENCE_SEC) == 1
    assert f"cannot listen on 127.0.0.4, port {taken.port}: the address is in use" in show.text()
    assert "--backend-port" in show.text()
    assert show.session() == []
    taken = backends(addresses=["127.0.0.1"])
    show = demo("--port", str(taken.port))
    assert show.process.wait(harness.PATIENCE_SEC) == 1
    assert f"127.0.0.1@{taken.port}" in show.text()
    assert show.session() == []


@pytest.mark.parametrize("args",
                         [["--seconds"], ["--seconds", "x"], ["--port", "1234567"], ["--nonsense", "1"], ["now"]])
def test_wrong_arguments(args):
    done = subprocess.run([str(harness.SOURCE / "contrib/quickstart.sh"), *args], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: quickstart.sh")

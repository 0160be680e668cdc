"""README.md's pair of servers, as it stands there: both files validate, and do what the text says of them."""

import os
import re
import shutil
import subprocess

import pytest

from rondo import SOURCE, free_port, until

ZONE = "example.com"
TEXT = """\
$TTL 300
@ IN SOA ns1 hostmaster 2026112901 3600 900 604800 60
  IN NS ns1
  IN NS ns2
ns1 IN A 192.0.2.53
ns2 IN A 192.0.2.54
www IN A 192.0.2.1
www IN A 192.0.2.2
"""
KEYS = ("xfr", "ddns")


def tool(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return found or pytest.skip(f"not installed: {name}")


def block(name):
    """The block of README.md that begins with a comment which names this file."""
    blocks = re.findall(r"^```\n(.*?)^```$", (SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    found = [text for text in blocks if text.startswith(f"# {name},")]
    assert len(found) == 1, name
    return found[0]


def keygen(name):
    """As README.md has it."""
    command = [tool("tsig-keygen"), "-a", "hmac-sha256", f"{name}.{ZONE}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def pair(rondo):
    """Both, not started; their folders have what the files name."""
    keys = {name: keygen(name) for name in KEYS}
    servers = [rondo.prepare(zones={}, config=block(f"{role}.conf"), listen=(address,))
               for role, address in (("primary", "127.0.0.53"), ("secondary", "127.0.0.54"))]
    for server in servers:
        for name, text in keys.items():
            (server.dir / f"{name}.key").write_text(text)
    servers[0].write_zone(ZONE, TEXT)
    return servers


def test_both_validate(pair):
    for server in pair:
        done = server.validate()
        assert done.returncode == 0 and not re.search("error|warning", done.stderr), done.stdout + done.stderr


def on_loopback(server, port):
    """Its file with addresses and folders of a test, and nothing else changed."""
    text = server.template
    for old, new in (('"192.0.2.5', '"127.0.0.5'), ('"/var/lib/rondo"', '"state"'),
                     ("server: {", 'server: { control = "control.sock"; rate_limit = 0;')):
        assert old in text
        text = text.replace(old, new)
    server.write_config(re.sub(r'((?:listen|notify|primaries) *= \[ "[0-9.]+)', rf"\1@{port}", text))
    server.port = port


def dig(server, *words):
    command = [tool("dig"), f"@{server.address}", "-p", str(server.port), "-k", str(server.dir / "xfr.key"), ZONE]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=30, check=True).stdout


def test_a_change_goes_its_way(pair):
    primary, secondary = pair
    port = free_port(["127.0.0.53", "127.0.0.54"])
    for server in pair:
        on_loopback(server, port)
        server.start(wait=[ZONE])
    commands = f"server {primary.address} {port}\nupdate add www.{ZONE} 300 A 192.0.2.3\nsend\n"
    subprocess.run([tool("nsupdate"), "-k", os.fspath(primary.dir / "ddns.key")], input=commands, text=True, check=True,
                   timeout=60)

    def there():
        dumps = [server.ctl("dump", ZONE).stdout for server in pair]
        return dumps[0] == dumps[1] and "192.0.2.3" in dumps[0]

    until(there, "the secondary has the change")
    assert "192.0.2.3" in dig(primary, "AXFR")
    changes = dig(primary, "IXFR=2026112901")
    assert "192.0.2.3" in changes and "192.0.2.1" not in changes

"""Zones signed by somebody else's tools: ldns-signzone and BIND's dnssec-signzone.

    signer = Signer(folder, "example.com", tool="bind", chain="nsec3")
    server = rondo(zones={"example.com": signer.sign(text)})
"""

import pathlib
import subprocess

TOOLS = ("ldns", "bind")
CHAINS = ("nsec", "nsec3", "optout")


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


class Signer:
    """Has one key, of ECDSA, and signs the zone with it as often as asked. `times`: from and until when signatures are
    valid, as YYYYMMDDHHMMSS."""

    def __init__(self, folder, zone, tool="bind", chain="nsec", salt="-", iterations=0, times=None):
        self.folder = pathlib.Path(folder) / f"signer-{tool}-{chain}-{zone}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.zone, self.tool, self.chain, self.salt = zone, tool, chain, salt
        self.iterations, self.times = iterations, times
        if tool == "ldns":
            self.key = run(self.folder, "ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone).strip()
        else:
            self.key = run(self.folder, "dnssec-keygen", "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", zone).strip()

    def command_ldns(self):
        command = ["ldns-signzone", "-f", "signed", "-o", self.zone]
        if self.chain != "nsec":
            command += ["-n", "-t", str(self.iterations)] + ([] if self.salt == "-" else ["-s", self.salt])
        if self.chain == "optout":
            command += ["-p"]
        if self.times:
            command += ["-i", self.times[0], "-e", self.times[1]]
        return command + ["plain", self.key]

    def command_bind(self):
        command = ["dnssec-signzone", "-q", "-z", "-P", "-f", "signed", "-o", self.zone]
        if self.chain != "nsec":
            command += ["-3", self.salt, "-H", str(self.iterations)]
        if self.chain == "optout":
            command += ["-A"]
        if self.times:
            command += ["-s", self.times[0], "-e", self.times[1]]
        return command + ["plain", self.key]

    def sign(self, text):
        """The signed zone's text."""
        if self.tool == "bind":
            text += f"\n$INCLUDE {self.key}.key\n"
        (self.folder / "plain").write_text(text)
        run(self.folder, *(self.command_ldns() if self.tool == "ldns" else self.command_bind()))
        return (self.folder / "signed").read_text()

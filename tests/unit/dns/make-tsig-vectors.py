#!/usr/bin/python3
"""Writes tsig_vectors.h anew: messages signed by others, for test_tsig.c. Needs dnspython, dig and named (Debian's
python3-dnspython, bind9-dnsutils, bind9); uses loopback. Usage: make-tsig-vectors.py >tsig_vectors.h

dnspython's are made with one secret and at one time, and so are the same in every run; BIND's are what dig sent to and
named answered, or said in a zone transfer of several messages, at the time of the run.
"""

import base64
import pathlib
import socket
import struct
import subprocess
import tempfile
import time
from unittest import mock

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig

KEY = dns.name.from_text("Key.Example.")
SECRET = bytes(range(1, 65))
NOW = 1700000000
ALGORITHMS = ["hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha256-128", "hmac-sha384", "hmac-sha384-192",
              "hmac-sha512", "hmac-sha512-256"]
ZONE = "\n".join(["$TTL 60", "@ SOA ns host 1 7200 3600 604800 300", "@ NS ns", "ns A 192.0.2.1"] +
                 [f"h{i} TXT \"{'x' * 100}\"" for i in range(12)]) + "\n"


def algorithm_name(text):
    return dns.name.from_text("hmac-md5.sig-alg.reg.int." if text == "hmac-md5" else text + ".")


def key(algorithm):
    return dns.tsig.Key(KEY, SECRET, algorithm_name(algorithm))


def query(name="www.example.", rdtype="A", ident=0x4711):
    message = dns.message.make_query(name, rdtype, id=ident)
    message.flags = 0
    return message


def sign(message, algorithm, now=NOW, **kwargs):
    message.use_tsig(key(algorithm), **kwargs)
    with mock.patch("time.time", lambda: now):
        return message.to_wire()


def dnspython_pair(algorithm):
    """A request, and its answer."""
    request = query()
    request_wire = sign(request, algorithm)
    answer = dns.message.make_response(request)
    answer.answer.append(dns.rrset.from_text("www.example.", 60, "IN", "A", "192.0.2.1"))
    answer.request_mac = request.mac
    return request_wire, sign(answer, algorithm)


class Named:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.bind(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()
        keys = "".join(f'key "{a}.key.example." {{ algorithm {a}; secret "{base64.b64encode(SECRET).decode()}"; }};\n'
                       for a in ALGORITHMS)
        self.folder.joinpath("example.zone").write_text(ZONE)
        self.folder.joinpath("named.conf").write_text(
            f'options {{ directory "{folder}"; pid-file none; session-keyfile none; listen-on-v6 {{ none; }};\n'
            f'  listen-on port {self.port} {{ 127.0.0.1; }}; recursion no; notify no; dnssec-validation no;\n'
            f'  transfer-message-size 600; minimal-responses yes; }};\ncontrols {{ }};\n{keys}'
            'zone "example" { type primary; file "example.zone"; allow-transfer { any; }; };\n')
        self.process = subprocess.Popen(["/usr/sbin/named", "-f", "-c", str(self.folder / "named.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                if dns.query.udp(query("example.", "SOA"), "127.0.0.1", port=self.port, timeout=0.2).answer:
                    return
            except Exception:  # not there yet
                time.sleep(0.05)
        raise SystemExit("named does not answer")

    def ask(self, wire):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(wire, ("127.0.0.1", self.port))
            return sock.recv(65535)

    def transfer(self, wire):
        """The messages of a zone transfer."""
        messages, soas = [], 0
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            file = sock.makefile("rb")
            sock.sendall(struct.pack("!H", len(wire)) + wire)
            while soas < 2:
                messages.append(file.read(struct.unpack("!H", file.read(2))[0]))
                parsed = dns.message.from_wire(messages[-1], keyring=False, xfr=True, one_rr_per_rrset=True,
                                               continue_on_error=True)
                soas += sum(rrset.rdtype == dns.rdatatype.SOA for rrset in parsed.answer)
        return messages


def dig_request(algorithm):
    """What dig sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        secret = base64.b64encode(SECRET).decode()
        with subprocess.Popen(
                ["dig", "-p", str(sock.getsockname()[1]), "@127.0.0.1", "+tries=1", "+time=1", "+norec",
                 "-y", f"{algorithm}:{algorithm}.key.example:{secret}", "www.example", "A"],
                stdout=subprocess.DEVNULL) as dig:
            wire = sock.recv(65535)
            dig.kill()
    return wire


def text(wire):
    digits = wire.hex()
    return "\n".join(f'     "{digits[i:i + 108]}"' for i in range(0, len(digits), 108)).lstrip()


def row(*fields):
    return "    {" + ",\n     ".join(f'"{f}"' if isinstance(f, str) else text(f) for f in fields) + "},"


def cut_mac(wire, length):
    """The same message with its hmac-sha256 truncated."""
    fixed, mac_at = len("\x0bhmac-sha256\x00") + 8, len(wire) - 6 - 32
    rdata_at = mac_at - 2 - fixed
    return (wire[:rdata_at - 2] + struct.pack("!H", fixed + 2 + length + 6) + wire[rdata_at:mac_at - 2] +
            struct.pack("!H", length) + wire[mac_at:mac_at + length] + wire[-6:])


def complaints(named):
    """Requests that named finds fault with, and what it says."""
    def make(name="hmac-sha256.key.example.", when=None):
        message = query()
        message.use_tsig(dns.tsig.Key(dns.name.from_text(name), SECRET, "hmac-sha256"))
        with mock.patch("time.time", lambda: when or int(time.time_ns() // 10**9)):
            return message.to_wire()

    good = make()
    spoilt = good[:-10] + bytes([good[-10] ^ 1]) + good[-9:]
    for what, wire in (("badsig", spoilt), ("badkey", make(name="nobody.key.example.")),
                       ("badtime", make(when=NOW)), ("badtrunc", cut_mac(good, 16))):
        yield what, wire, named.ask(wire)


def main():
    print("/* Made by make-tsig-vectors.py: messages that dnspython and BIND have signed, in hexadecimal. */\n#pragma once\n")
    print("/* Algorithm, request, answer; key Key.Example., secret 1 to 64, time 1700000000. */")
    print("static const char *const dnspython_pairs[][3] = {")
    for algorithm in ALGORITHMS:
        print(row(algorithm, *dnspython_pair(algorithm)))
    print("};\n")
    with tempfile.TemporaryDirectory() as folder:
        named = Named(folder)
        try:
            print("/* Algorithm, dig's request, named's answer; key ALGORITHM.key.example., the same secret. */")
            print("static const char *const bind_pairs[][3] = {")
            for algorithm in ALGORITHMS:
                request = dig_request(algorithm)
                print(row(algorithm, request, named.ask(request)))
            print("};\n")
            print("/* What is wrong with it, a request, named's answer; key hmac-sha256.key.example. but for badkey. */")
            print("static const char *const bind_complaints[][3] = {")
            for complaint in complaints(named):
                print(row(*complaint))
            print("};\n")
            request = query("example.", "AXFR")
            request.use_tsig(dns.tsig.Key(dns.name.from_text("hmac-sha256.key.example."), SECRET, "hmac-sha256"))
            wire = request.to_wire()
            print("/* A request for a transfer, with that key, and the messages that named answers with. */")
            print("static const char *const bind_transfer[] = {")
            for message in [wire, *named.transfer(wire)]:
                print("    " + text(message).replace("\n     ", "\n    ") + ",")
            print("};")
        finally:
            named.process.terminate()
            named.process.wait()


if __name__ == "__main__":
    main()

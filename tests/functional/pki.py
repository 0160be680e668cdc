"""Certificates made on the spot by openssl, with any dates.

    pki = Pki(folder)
    leaf = pki.issue("www.example.com", days=61)       # issued by pki.ca
    server_context(leaf)                               # for a server that shows it
"""

import datetime
import pathlib
import ssl
import subprocess

CONFIG = """\
[ca]
default_ca = own
[own]
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[leaf]
basicConstraints = critical, CA:FALSE
[issuer]
basicConstraints = critical, CA:TRUE
"""


class Certificate:
    """One and its key, each in a file."""

    def __init__(self, path, key, chain=()):
        self.path, self.key = path, key
        self.text = path.read_text() + "".join(other.path.read_text() for other in chain)


class Pki:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.cnt = 0
        (self.dir / "index.txt").touch()
        (self.dir / "serial").write_text("1000\n")
        self.conf = self.dir / "ca.conf"
        self.conf.write_text(CONFIG.format(dir=self.dir))
        self.key = self.dir / "key.pem"  # of all of them, as none of this is secret
        self.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(self.key))
        self.ca = self.issue("an issuer", days=1000, issuer="self", kind="issuer")

    def run(self, *args):
        done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def issue(self, name, days, begins=-1, issuer=None, kind="leaf"):
        """For a host, from `begins` days from now to `days` and some minutes. `issuer`: "self", or whose."""
        self.cnt += 1
        request, path = self.dir / f"{self.cnt}.csr", self.dir / f"{self.cnt}.pem"
        names = [] if kind == "issuer" else ["-addext", f"subjectAltName=DNS:{name}"]
        self.run("req", "-new", "-key", str(self.key), "-subj", f"/CN={name}", *names, "-out", str(request))
        by = issuer or self.ca
        signer = ["-selfsign", "-keyfile", str(self.key)] if by == "self" else ["-cert", str(by.path), "-keyfile", str(by.key)]
        now = datetime.datetime.now(datetime.timezone.utc)
        times = [(now + datetime.timedelta(days=n, minutes=m)).strftime("%Y%m%d%H%M%SZ")
                 for n, m in ((begins, 0), (days, 10))]
        self.run("ca", "-batch", "-notext", "-config", str(self.conf), "-extensions", kind, *signer, "-startdate", times[0],
                 "-enddate", times[1], "-in", str(request), "-out", str(path))
        return Certificate(path, self.key)


def server_context(certificate, names=None):
    """A context of a server; the names that clients ask for are added to the list `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key)
    if names is not None:
        context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context

"""Signs zones that are served together, so that every server can be given the same signed files."""

import pathlib
import tempfile

import signing

CHAINS = {"nsec": (), "nsec3": ("-3", "-", "-H", "0"), "optout": ("-3", "-", "-H", "0", "-A")}


def sign(texts, chain="nsec"):
    """The zones (apex → text, absolute names) signed by BIND's tools, a record a line, the children's DS in their
    parents. Not one Signer each, because none of those knows of another."""
    signed = {}
    with tempfile.TemporaryDirectory(prefix="rondo-sign-") as name:
        folder = pathlib.Path(name)
        for apex in sorted(texts, key=lambda apex: -apex.count(".")):  # children first
            signing.run(folder, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", apex)
            (folder / "zone").write_text(texts[apex])
            # -g takes the children's DS records, -z signs all with the one key, -P leaves the checking to others.
            signing.run(folder, "dnssec-signzone", "-q", "-P", "-S", "-z", "-g", "-O", "full", *CHAINS[chain],
                        "-o", apex, "-f", "signed", "zone")
            lines = (folder / "signed").read_text().splitlines()
            signed[apex] = "\n".join(line for line in lines if line and line[0] != ";") + "\n"
    return {apex: signed[apex] for apex in texts}

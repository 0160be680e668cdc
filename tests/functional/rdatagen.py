"""Random rdata of every type that BIND, NSD and Knot all load, as zone text."""

import base64
import re

import dns.rdatatype

# What most questions are about.
COMMON = ("A", "AAAA", "TXT", "MX", "SRV", "PTR", "NS", "CNAME", "DS")

# Words in braces are filled in: n a name, 8 and 16 numbers, s a string, x hexadecimal and b base64 bytes (how many),
# 4 and 6 addresses. In a generic form (\#) the same as hexadecimal digits.
FORMS = {
    "A": ("{4}",),
    "AAAA": ("{6}",),
    "MX": ("{16} {n}",),
    "TXT": ("{s}", "{s} {s} {s}", '""'),
    "SPF": ("{s}",),
    "PTR": ("{n}",),
    "HINFO": ("{s} {s}",),
    "MINFO": ("{n} {n}",),
    "RP": ("{n} {n}",),
    "AFSDB": ("{16} {n}",),
    "RT": ("{16} {n}",),
    "KX": ("{16} {n}",),
    "SRV": ("{16} {16} {16} {n}",),
    "NAPTR": ('{16} {16} "u" "E2U+sip" "!^.*$!sip:x!" .', '{16} {16} "s" "" "" {n}'),
    "CERT": ("65000 {16} 200 {b40}",),
    "LOC": ("52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", "1 S 2 W 3m"),
    "APL": ("1:192.0.2.0/24 !2:2001:db8::/32", "!1:{4}/32"),
    "DS": ("{16} 13 2 {x32}", "{16} 8 1 {x20}", "{16} 14 4 {x48}"),
    "KEY": ("256 3 13 {b64}",),
    "SSHFP": ("1 1 {x20}", "4 2 {x32}"),
    "IPSECKEY": ("{8} 1 2 {4} {b20}", "{8} 2 2 {6} {b20}", "{8} 3 2 gateway.example. {b20}", "{8} 0 2 . {b20}"),
    "DHCID": ("{b35}",),
    "TLSA": ("3 1 1 {x32}", "0 0 0 {x200}"),
    "SMIMEA": ("3 1 1 {x32}",),
    "OPENPGPKEY": ("{b300}",),
    "CSYNC": ("{16} 3 A NS AAAA TYPE65280", "{16} 0"),
    "ZONEMD": ("1 1 1 {x48}",),
    "SVCB": ("{16} {n} port={16} ipv4hint={4},{4}", "0 {n}", "1 . mandatory=alpn alpn=h2,h3"),
    "HTTPS": ("{16} {n} alpn=h2 ipv6hint={6}", "0 {n}", "1 . key65000=abc"),
    "L32": ("{16} {4}",),
    "LP": ("{16} {n}",),
    "EUI48": ("00-00-5e-00-53-2a",),
    "EUI64": ("00-00-5e-ef-10-00-00-2a",),
    "URI": ('{16} {16} "ftp://example/{8}"',),
    "CAA": ("0 issue {s}", '128 iodef "mailto:x"'),
    # In the generic form, because one of the servers does not know the word or the words of its rdata.
    "TYPE7": ("{n}",),
    "TYPE8": ("{n}",),
    "TYPE9": ("{n}",),
    "TYPE10": ("{x3}", ""),
    "TYPE11": ("{x5}",),
    "TYPE19": ("0433313130",),
    "TYPE20": ("053135303836023030",),
    "TYPE22": ("{x7}",),
    "TYPE23": ("{n}",),
    "TYPE26": ("000a{n}{n}",),
    "TYPE27": ("013101320133",),
    "TYPE31": ("{x2}",),
    "TYPE55": ("10 02 0004 {x16} 03010001 {n}",),
    "TYPE56": ("0178",),
    "TYPE58": ("{n}{n}",),
    "TYPE104": ("000a{x8}",),
    "TYPE106": ("000a{x8}",),
    "TYPE258": ("0178",),
    "TYPE260": ("0a01{x4}",),
    "TYPE261": ("0178",),
    "TYPE262": ("0178",),
    "TYPE1234": ("{x0}", "{x1}", "{x40}"),
    "TYPE32769": ("{x2} 0d 02 {x32}",),
    "TYPE65280": ("{x1}", "{x250}", "{x2000}"),
    "TYPE65535": ("{x16}",),
}
TYPES = tuple(FORMS)
# Those that stay as they are when BIND's tools have written them: it knows words that NSD and Knot don't.
PORTABLE = tuple(rdtype for rdtype in TYPES
                 if not rdtype.startswith("TYPE") or rdtype in ("TYPE1234", "TYPE65280", "TYPE65535"))
# Asked for, but in no zone: data types that need others beside them, and numbers without meaning.
ASKED = ("SOA", "DNAME", "DNSKEY", "NSEC", "NSEC3", "NSEC3PARAM", "RRSIG", "CDS", "CDNSKEY", "TYPE0", "TYPE3",
         "TYPE103", "TYPE128", "TYPE200", "TYPE41", "MAILB", "TYPE65534", "ANY")


def number(rdtype):
    return int(rdtype[4:]) if re.fullmatch(r"TYPE\d+", rdtype) else int(dns.rdatatype.from_text(rdtype))


def address(rng):
    return f"192.0.2.{rng.randrange(256)}"


def address6(rng):
    return f"2001:db8::{rng.randrange(65536):x}"


def string(rng):
    """A character-string in quotes: mostly letters, now and then any octets; up to 255."""
    size = rng.choice((0, 1, 5, 20, 20, 255))
    octets = rng.choices(b"abc XYZ;\\\"\0\x80\xff." if rng.random() < 0.3 else b"abcdefgh", k=size)
    return '"' + "".join(chr(o) if 32 <= o < 127 and o not in b'"\\' else f"\\{o:03d}" for o in octets) + '"'


def make(rng, rdtype, name, text_of, wire_of):
    """One rdata as text; name() gives a name, text_of and wire_of turn it into text and bytes."""
    form = rng.choice(FORMS[rdtype]) if rdtype in FORMS else "{n}"
    generic = rdtype.startswith("TYPE")

    def fill(match):
        what = match[1]
        if what == "n":
            return wire_of(name()).hex() if generic else text_of(name())
        if what == "s":
            return string(rng)
        if what == "4":
            return address(rng)
        if what == "6":
            return address6(rng)
        if what[0] == "x":
            return rng.randbytes(int(what[1:])).hex()
        if what[0] == "b":
            return base64.b64encode(rng.randbytes(int(what[1:]))).decode()
        return str(rng.randrange(1 << int(what)))

    filled = re.sub(r"\{(\w+)\}", fill, form)
    if not generic:
        return filled
    digits = filled.replace(" ", "")
    return f"\\# {len(digits) // 2} {digits}"

"""Prints a JSON line for every X.509 certificate of the package cryptography_vectors: its file,
its DER, and its facts as asn1crypto (no part of the product) reads them, or null if it cannot."""

import base64
import calendar
import ipaddress
import json
import pathlib
import re

import cryptography_vectors
from asn1crypto import core, parser, x509

ROOT = pathlib.Path(cryptography_vectors.__file__).parent
BLOCK = re.compile(
    rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL
)
UPN = "1.3.6.1.4.1.311.20.2.3"
KEYS = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA",
    "1.2.840.10045.2.1": "ECC",
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}


def elements(content):
    """Each element's identifier octet and content."""
    found = []
    while content:
        _, _, _, header, inner, trailer = parser.parse(content)
        found.append((header[0], inner))
        content = content[len(header) + len(inner) + len(trailer) :]
    return found


def is_signed(der):
    """Whether the outline is that of a certificate, a request or a CRL: body, algorithm, signature."""
    try:
        [(outer, content)] = elements(der)
        return outer == 0x30 and [tag for tag, _ in elements(content)] == [0x30, 0x30, 0x03]
    except ValueError:
        return False


def documents():
    for path in sorted(ROOT.rglob("*")):
        if not path.is_file():
            continue
        octets = path.read_bytes()
        blocks = BLOCK.findall(octets)
        for _, text in blocks:
            # An empty line ends the headers of a block.
            text = text.split(b"\n\n", 1)[-1] if b":" in text else text
            yield path, base64.b64decode(b"".join(text.split()))
        if not blocks and path.suffix in (".crt", ".cer", ".der") and is_signed(octets):
            yield path, octets


def text(octets):
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def string(tag, octets):
    wide = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}.get(tag)
    return octets.decode(wide) if wide else text(octets)


def names(extension):
    [(_, content)] = elements(extension)
    for tag, octets in elements(content):
        kind = tag & ~0x20
        if kind == 0x81:
            yield "email", text(octets)
        elif kind == 0x82:
            yield "dns", text(octets)
        elif kind == 0x87:
            known = len(octets) in (4, 16)
            yield "ip", str(ipaddress.ip_address(octets)) if known else octets.hex()
        elif kind == 0x80:
            oid, (tag, value) = elements(octets)
            if core.ObjectIdentifier(contents=oid[1]).dotted == UPN:
                yield "upn", string(*elements(value)[0]) if tag == 0xA0 else string(tag, value)


def algorithm(der):
    """The OID of the key's algorithm."""
    [(_, content)] = elements(der)
    parts = elements(elements(content)[0][1])
    key = parts[6 if parts[0][0] == 0xA0 else 5][1]
    oid = elements(elements(key)[0][1])[0][1]
    return core.ObjectIdentifier(contents=oid).dotted


def second(time):
    return calendar.timegm(time.native.utctimetuple())


def facts(der):
    body = x509.Certificate.load(der)["tbs_certificate"]
    extensions = [] if not body["extensions"] else body["extensions"]
    return {
        "issuer": body["issuer"].dump().hex(),
        "serial": format(body["serial_number"].native, "x"),
        "not_before": second(body["validity"]["not_before"].chosen),
        "not_after": second(body["validity"]["not_after"].chosen),
        "key": KEYS.get(algorithm(der), ""),
        "sans": [
            name
            for extension in extensions
            if extension["extn_id"].dotted == "2.5.29.17"
            for name in names(extension["extn_value"].contents)
        ],
    }


def main():
    seen = set()
    for path, der in documents():
        if der in seen:
            continue
        seen.add(der)
        try:
            found = facts(der)
        except (ValueError, KeyError, TypeError):
            found = None
        line = {"file": str(path.relative_to(ROOT)), "der": der.hex(), "facts": found}
        print(json.dumps(line))


main()

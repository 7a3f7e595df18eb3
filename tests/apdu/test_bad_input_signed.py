# SPDX-License-Identifier: Apache-2.0
"""Bad public and private keys, signatures and certificates are refused by the field's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from badinput import KEY, Row, Rows, chance, cut, refused
from books import of_format
from operations import OPERATIONS
from rsakeys import PRIMES, key_of_size

from apdu.crypto import (
    gmcert,
    oda,
    oda_input,
    oda_sign,
    sm2,
    sm2_asn1,
    sm3,
    x509,
)
from apdu.crypto.rsa import CrtParts, RsaPrivateKey, RsaPublicKey, crt_parts
from apdu.errors import FormatError
from apdu.wire.oda import DynamicData

PAN = "6217001234567890"
ORDER = bytes.fromhex("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123")
SIGNER = sm2.PrivateKey(KEY * 2)
MODULUS = key_of_size(512).public.modulus
P, Q = map(bytes.fromhex, PRIMES[512])
PARTS = crt_parts(P, Q, b"\x03")


def rows_of_rsa() -> Iterator[Row]:
    for size in (0, 63, 257):
        value = (b"\x80" + bytes(size))[: max(size - 1, 0)] + b"\x01" * (size > 0)
        yield RsaPublicKey, (value, b"\x03"), f"modulus: {size} bytes, must be 64 to 256"
    yield RsaPublicKey, (b"\x7f" + MODULUS[1:], b"\x03"), "modulus: its first and its last bit"
    yield RsaPublicKey, (MODULUS[:-1] + b"\x02", b"\x03"), "modulus: its first and its last bit"
    for exponent in (b"", b"\x01\x00\x00\x01"):
        yield RsaPublicKey, (MODULUS, exponent), "exponent: .* must be 1 to 3"
    for exponent in (b"\x01", b"\x02", b"\x00\x03"):
        yield RsaPublicKey, (MODULUS, exponent), "exponent: must be odd, 3 at least"
    public = RsaPublicKey(MODULUS, b"\x03")
    for wrong in (b"", MODULUS[1:], MODULUS + b"\x00"):
        yield public.recover, (wrong,), "signature: .* must be 64, the length of the modulus"
        yield key_of_size(512).sign, (wrong, chance), "block: .* must be 64, the length"
    yield public.recover, (MODULUS,), "signature: must be below the modulus"
    yield key_of_size(512).sign, (MODULUS, chance), "block: must be below the modulus"
    yield key_of_size(512).sign, (bytes(64), lambda size: KEY), "random: not as many bytes"
    parts = [PARTS.p, PARTS.q, PARTS.dp, PARTS.dq, PARTS.qinv]
    for at, name in enumerate(("p", "q", "dp", "dq", "qinv")):
        for mask in (1, 2, 0x10):
            value = parts[at][:-1] + bytes((parts[at][-1] ^ mask,))
            changed = CrtParts(*parts[:at], value, *parts[at + 1 :])
            said = rf"{name}\b|p and q|modulus|dp and dq|exponent"
            yield RsaPrivateKey.from_crt, (changed,), said
    yield crt_parts, (P, P, b"\x02"), "p and q: no private exponent"
    key = oda.RsaPublicKey(MODULUS, b"\x03")
    yield oda.static_data, (key, MODULUS[1:], b""), r"signed static data \(93\): .* must be 64"
    yield oda.dynamic_data, (key, bytes(64), b""), r"signed dynamic data \(9F4B\)"
    given = (key, bytes(64), b"", b"\x03")
    yield oda.issuer_key, given, r"issuer certificate \(90\)"
    yield oda.icc_key, (*given, b"", PAN), r"ICC certificate \(9F46\)"
    yield oda.icc_pin_key, (*given, PAN), r"ICC PIN certificate \(9F2D\)"
    for number in cut(0, 3, 5):
        said = "unpredictable number: .* must be 4"
        yield oda_input.fdda_data, (1, number, bytes(6), bytes(2), bytes(8)), said
        yield oda.combined_data, (key, bytes(64), number, 0x80, bytes(20)), said
    yield oda_input.transaction_hash, (b"", b"", b"", KEY), "TLV|answer"
    for size in (1, 9):
        data = DynamicData((KEY * 2)[:size], b"")
        yield oda_sign.sign_dynamic, (key_of_size(512), data, b"", chance), "dynamic number"
    data = DynamicData(KEY[:8], bytes(60))
    yield oda_sign.sign_dynamic, (key_of_size(512), data, b"", chance), "ICC dynamic data: "


def rows_of_sm2() -> Iterator[Row]:
    for value in cut(0, 31, 33):
        yield sm2.PrivateKey, (value,), "private key: .* must be 32"
    for value in (bytes(32), ORDER, (int.from_bytes(ORDER) - 1).to_bytes(32), b"\xff" * 32):
        yield sm2.PrivateKey, (value,), "private key: must be from 1 to n - 2"
    for value in cut(0, 63, 65):
        yield sm2.PublicKey, (value,), "public key: .* must be 64"
    for value in (bytes(64), SIGNER.public.value[:-1] + b"\x00", b"\xff" * 64):
        yield sm2.PublicKey, (value,), "public key: not a point of the curve"
    for value in cut(0, 63, 65):
        yield sm2.verify, (SIGNER.public, b"", value), "signature: .* must be 64"
        yield sm2_asn1.signature_to_der, (value,), "signature: .* must be 64"
    for value in cut(0, 31, 33):
        yield sm2.sign, (SIGNER, b"", lambda size, value=value: value), "random: .* must be 32"
    for value in (bytes(32), ORDER):
        yield sm2.sign, (SIGNER, b"", lambda size, value=value: value), "random: .* none of use"
        yield sm2.generate, (lambda size, value=value: value,), "random: .* none of use"
    yield sm2.encrypt, (SIGNER.public, b"", chance), "message: 0 bytes, must be 1 or more"
    yield sm2.za, (SIGNER.public, bytes(8192)), "identity: 8192 bytes, 8191 at most"
    whole = sm2.encrypt(SIGNER.public, KEY, chance)
    for size in range(len(whole)):
        yield sm2.decrypt, (SIGNER, whole[:size]), "ciphertext: "
    yield sm2.decrypt, (SIGNER, b"\x02" + whole[1:]), "ciphertext: must begin with 04"
    yield sm2.decrypt, (SIGNER, b"\x04" + bytes(64) + whole[65:]), "ciphertext: its point"
    yield sm2.decrypt, (SIGNER, whole[:-1] + bytes((whole[-1] ^ 1,))), "ciphertext: not one for"
    yield sm3.derive_key, (KEY, 0), "derived key: 0 bytes"
    der = sm2_asn1.signature_to_der(ORDER * 2)
    for size in range(len(der)):
        yield sm2_asn1.signature_from_der, (der[:size],), "signature|TLV"
    der = sm2_asn1.ciphertext_to_der(whole)
    for size in range(len(der)):
        yield sm2_asn1.ciphertext_from_der, (der[:size],), "ciphertext|TLV"


@pytest.mark.parametrize("table", [rows_of_rsa, rows_of_sm2])
def test_bad_input_is_refused_by_the_name_of_its_field(table: Rows) -> None:
    rows = list(table())
    assert len(rows) >= 9
    for row in rows:
        refused(*row)


# Signed objects, cut short at every byte


SIGNED = {
    "issuer_key": ("certificate", "tag_90"),
    "icc_key": ("certificate", "tag_9f46"),
    "icc_pin_key": ("certificate",),
    "static_data": ("signed", "tag_93"),
    "dynamic_data": ("signed", "tag_9f4b"),
    "combined_data": ("signed", "tag_9f4b"),
}
"""What verifies a signed object, and how the books call it."""


def signed_objects() -> Iterator[Any]:
    for case, _ in of_format("crypto"):
        module, _, step = case["op"].partition(".")
        if module in ("oda", "gmcert") and step in SIGNED and case["result"] == "valid":
            (name,) = set(SIGNED[step]) & case["given"].keys()
            yield pytest.param(case, name, id=f"{module}-{case['id']}")


@pytest.mark.parametrize(("case", "name"), list(signed_objects()))
def test_a_signed_object_that_is_cut_short_is_refused_at_every_length(
    case: dict[str, Any], name: str
) -> None:
    whole = bytes.fromhex(case["given"][name])
    for size in range(len(whole)):
        given = case["given"] | {name: whole[:size].hex()}
        with pytest.raises(FormatError, match=r"\(9"):
            OPERATIONS[case["op"]](**given)


def test_an_x509_certificate_that_is_cut_short_is_refused_at_every_length() -> None:
    (der, *_) = [
        bytes.fromhex(case["given"]["der"])
        for case, _ in of_format("crypto")
        if case["op"] == "x509.read" and case["result"] == "valid"
    ]
    assert x509.read(der).not_before.tzinfo is UTC
    assert isinstance(x509.read(der).not_after, datetime)
    for size in range(len(der)):
        with pytest.raises(FormatError):
            x509.read(der[:size])
    for more in (b"\x00", der):
        with pytest.raises(FormatError):
            x509.read(der + more)


def test_a_ca_key_of_sm2_with_a_field_that_does_not_fit_is_refused() -> None:
    for rid, index, expires in ((KEY[:4], 1, "1230"), (KEY[:5], 256, "1230"), (KEY[:5], 1, "12")):
        ca = gmcert.CaKey(rid, index, SIGNER.public, expires)
        refused(ca.verify, (bytes(64),), "Sm2CaKeyData")

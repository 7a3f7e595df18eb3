# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates with SM2 keys (GM/T 0015, RFC 5280), as the PKI application holds them.

`cryptography` reads names, times and extensions; it refuses the keys and cannot sign with them,
so the key is taken out here, and a certificate is put together here from its DER parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Final

from apdu.crypto import sm2
from apdu.crypto.sm2_asn1 import INTEGER, SEQUENCE, integer, signature_from_der, signature_to_der
from apdu.crypto.sm3 import digest
from apdu.errors import FormatError
from apdu.tlv import Tlv, build, parse, tlv

EC_PUBLIC_KEY: Final = bytes.fromhex("2A8648CE3D0201")  # 1.2.840.10045.2.1
SM2_CURVE: Final = bytes.fromhex("2A811CCF5501822D")  # 1.2.156.10197.1.301
SM2_WITH_SM3: Final = bytes.fromhex("2A811CCF55018375")  # 1.2.156.10197.1.501
MAX_SERIAL: Final = 1 << 159
"""Serial numbers are positive and have 20 bytes at most (RFC 5280 4.1.2.2)."""

_BOOLEAN, _BIT_STRING, _OCTETS, _OID, _UTC_TIME, _TIME = 0x01, 0x03, 0x04, 0x06, 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_ALGORITHM: Final = tlv(SEQUENCE, [tlv(_OID, SM2_WITH_SM3)])
_KEY_ALGORITHM: Final = tlv(SEQUENCE, [tlv(_OID, EC_PUBLIC_KEY), tlv(_OID, SM2_CURVE)])


class Purpose(Enum):
    """What a certificate's key may do. Cards have one key to sign and one to encipher."""

    AUTHORITY = "sign certificates"
    SIGNATURE = "sign"
    ENCIPHERMENT = "encipher"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Nothing of it is proven before `verify` or `trusted`.

    `subject`, `issuer`: names as RFC 4514 writes them. Times are in UTC.
    """

    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    public: sm2.PublicKey
    purposes: frozenset[Purpose]
    der: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    subject_der: bytes = field(repr=False)
    issuer_der: bytes = field(repr=False)


def read(der: bytes) -> Certificate:
    """What the DER bytes of a certificate say.

    Raises FormatError when they are not a certificate of version 3 with an SM2 key and an SM2
    signature, or when it has a critical extension other than basic constraints and key usage.
    """
    parts = _parts(der)
    serial, issuer, subject = parts["serial"], parts["issuer"], parts["subject"]
    number = int.from_bytes(serial.value)
    if serial.value != integer(number).value or not 0 < number < MAX_SERIAL:
        raise FormatError("certificate: its serial number must be positive and of 20 bytes at most")
    library = _library()
    try:
        found = library.load_der_x509_certificate(der)
        return Certificate(
            found.subject.rfc4514_string(),
            found.issuer.rfc4514_string(),
            number,
            found.not_valid_before_utc,
            found.not_valid_after_utc,
            _public_key(parts["key"]),
            _purposes(found.extensions),
            der,
            bytes(parts["signed"]),
            signature_from_der(_bits(parts["signature"])),
            bytes(subject),
            bytes(issuer),
        )
    except FormatError:
        raise
    except (ValueError, TypeError, library.InvalidVersion, library.DuplicateExtension):
        raise FormatError("certificate: not one of X.509") from None


def verify(
    certificate: Certificate, issuer: sm2.PublicKey, identity: bytes = sm2.DEFAULT_ID
) -> bool:
    """Whether the issuer's key signed the certificate. `identity`: the issuer's."""
    return sm2.verify(issuer, certificate.signed, certificate.signature, identity)


def trusted(certificate: Certificate, authority: Certificate, moment: datetime) -> bool:
    """Whether an authority that is trusted itself issued the certificate, both valid at `moment`.

    `moment` has a time zone. Which purposes the certificate has is the caller's to ask.
    """
    _check_zone("moment", moment)
    return (
        certificate.issuer_der == authority.subject_der
        and Purpose.AUTHORITY in authority.purposes
        and all(each.not_before <= moment <= each.not_after for each in (certificate, authority))
        and verify(certificate, authority.public)
    )


def make(
    authority: sm2.PrivateKey,
    issuer: str,
    random: sm2.Random,
    *,
    subject: str,
    public: sm2.PublicKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    purpose: Purpose,
) -> bytes:
    """A certificate of `public`, signed by `authority`; self-signed when it is its own key.

    `issuer`, `subject`: names as RFC 4514 writes them, `CN=Test CA,O=Test,C=CN`. Times have a
    time zone and whole seconds.
    """
    if not 0 < serial < MAX_SERIAL:
        raise FormatError("serial number: must be positive and of 20 bytes at most")
    _check_zone("validity", not_before)
    _check_zone("validity", not_after)
    if not_before > not_after:
        raise FormatError("validity: must not end before it begins")
    point = _key_bits(public)
    signed = tlv(
        SEQUENCE,
        [
            tlv(_VERSION, [integer(2)]),
            integer(serial),
            _ALGORITHM,
            _name("issuer", issuer),
            tlv(SEQUENCE, [_time(not_before), _time(not_after)]),
            _name("subject", subject),
            tlv(SEQUENCE, [_KEY_ALGORITHM, tlv(_BIT_STRING, point)]),
            tlv(_EXTENSIONS, [_extensions(purpose, point, _key_bits(authority.public))]),
        ],
    )
    signature = signature_to_der(sm2.sign(authority, bytes(signed), random))
    return build([tlv(SEQUENCE, [signed, _ALGORITHM, tlv(_BIT_STRING, b"\0" + signature)])])


@cache
def _library() -> Any:
    from cryptography import x509

    return x509


# Reading


_SIGNED_PARTS: Final = {
    "version": _VERSION,
    "serial": INTEGER,
    "algorithm": SEQUENCE,
    "issuer": SEQUENCE,
    "validity": SEQUENCE,
    "subject": SEQUENCE,
    "key": SEQUENCE,
}


def _parts(der: bytes) -> dict[str, Tlv]:
    """The data objects that are looked into here; the library judges all the rest."""
    whole = parse(der)
    if [item.tag for item in whole] != [SEQUENCE]:
        raise FormatError("certificate: must be one DER sequence")
    outer = whole[0].children
    if [item.tag for item in outer] != [SEQUENCE, SEQUENCE, _BIT_STRING]:
        raise FormatError("certificate: not the parts of its DER sequence")
    inner = outer[0].children
    if [item.tag for item in inner[: len(_SIGNED_PARTS)]] != list(_SIGNED_PARTS.values()):
        raise FormatError("certificate: not the parts of what is signed")
    found = dict(zip(_SIGNED_PARTS, inner, strict=False))
    for algorithm in (found["algorithm"], outer[1]):
        if algorithm != _ALGORITHM:
            raise FormatError("certificate: not signed by SM2 with SM3")
    return found | {"signed": outer[0], "signature": outer[2]}


def _bits(item: Tlv) -> bytes:
    """The bytes of a BIT STRING without unused bits."""
    if item.tag != _BIT_STRING or item.value[:1] != b"\0":
        raise FormatError("certificate: a bit string must be of whole bytes")
    return item.value[1:]


def _public_key(item: Tlv) -> sm2.PublicKey:
    if len(item.children) != 2 or item.children[0] != _KEY_ALGORITHM:
        raise FormatError("certificate: its key must be one of SM2")
    point = _bits(item.children[1])
    if point[:1] != b"\x04":
        raise FormatError("certificate: its key must be an uncompressed point")
    return sm2.PublicKey(point[1:])


def _purposes(extensions: Any) -> frozenset[Purpose]:
    library = _library()
    authority, usage = False, None
    for extension in extensions:
        match extension.value:
            case library.BasicConstraints():
                authority = extension.value.ca
            case library.KeyUsage():
                usage = extension.value
            case _ if extension.critical:
                raise FormatError("certificate: has a critical extension that is not known here")
    allowed = {
        Purpose.AUTHORITY: authority and (usage is None or usage.key_cert_sign),
        Purpose.SIGNATURE: usage is None or usage.digital_signature,
        Purpose.ENCIPHERMENT: usage is None
        or usage.key_encipherment
        or usage.data_encipherment
        or usage.key_agreement,
    }
    return frozenset(purpose for purpose, may in allowed.items() if may)


# Making


def _key_bits(public: sm2.PublicKey) -> bytes:
    return b"\0\x04" + public.value


def _name(field_name: str, text: str) -> Tlv:
    try:
        (name,) = parse(_library().Name.from_rfc4514_string(text).public_bytes())
    except ValueError:
        name = None
    if name is None or not name.children:
        raise FormatError(f"{field_name}: not a name as RFC 4514 writes them")
    return name


def _time(moment: datetime) -> Tlv:
    """UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5)."""
    if moment.microsecond:
        raise FormatError("validity: must be in whole seconds")
    moment = moment.astimezone(UTC)
    if moment.year < 1950:
        raise FormatError("validity: must not begin before 1950")
    written = f"{moment:%Y%m%d%H%M%S}Z"
    if moment.year < 2050:
        return tlv(_UTC_TIME, written[2:].encode())
    return tlv(_TIME, written.encode())


def _check_zone(name: str, moment: datetime) -> None:
    if moment.tzinfo is None:
        raise FormatError(f"{name}: must have a time zone")


def _extensions(purpose: Purpose, point: bytes, authority: bytes) -> Tlv:
    library = _library()
    enciphers, issues = purpose is Purpose.ENCIPHERMENT, purpose is Purpose.AUTHORITY
    usage = library.KeyUsage(
        digital_signature=purpose is Purpose.SIGNATURE,
        content_commitment=purpose is Purpose.SIGNATURE,
        key_encipherment=enciphers,
        data_encipherment=enciphers,
        key_agreement=enciphers,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )
    found = [
        (library.BasicConstraints(ca=issues, path_length=None), True),
        (usage, True),
        (library.SubjectKeyIdentifier(_identifier(point)), False),
        (library.AuthorityKeyIdentifier(_identifier(authority), None, None), False),
    ]
    return tlv(SEQUENCE, [_extension(value, critical) for value, critical in found])


def _identifier(point: bytes) -> bytes:
    """20 bytes of the key's digest; any way to tell keys apart will do (RFC 5280 4.2.1.2)."""
    return digest(point[1:])[:20]


def _extension(value: Any, critical: bool) -> Tlv:
    numbers = [int(part) for part in value.oid.dotted_string.split(".")]
    oid = bytes((40 * numbers[0] + numbers[1], *numbers[2:]))  # all of 2.5.29, so below 128
    flag = [tlv(_BOOLEAN, b"\xff")] if critical else []
    return tlv(SEQUENCE, [tlv(_OID, oid), *flag, tlv(_OCTETS, value.public_bytes())])

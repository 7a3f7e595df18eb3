# SPDX-License-Identifier: Apache-2.0
"""The PKI application of generation 3.0 (数字证书应用): its directories, files, PINs and keys.

Names, FIDs of the files and of the inner directory, PIN references and FCIs as drivers of two
makers and the exchanges recorded beside the source of one have them (LD/T 32 itself was not at
hand). Who may do what is profile choice `pki-access`: drivers prove the user PIN before all work
with keys and certificates, and read public keys without.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from apdu.tlv import build, tlv
from apdu.wire.access import ALWAYS, NEVER, Access, Pin
from apdu.wire.codes import CHARSET
from apdu.wire.fields import const, fixed, raw, wire
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import EfSpec, transparent_file
from apdu.wire.perso import KeyUsage
from apdu.wire.record import Record, record

PKI_NAME: Final = "PKI.社会保障".encode(CHARSET)
"""DF name of the environment: what is selected first."""
CERTIFICATES_NAME: Final = b"SS.CERT.ADF1"
"""DF name of the application in it, which holds everything."""
PKI_FID: Final = 0xDDF2
"""Profile choice `pki-fid`: no source has it."""
CERTIFICATES_FID: Final = 0xDF01
_VERSION: Final = b"30"


class PkiPin(IntEnum):
    """The PINs of the application: P2 of the commands that name one."""

    ADMIN = 0x00
    """管理员 PIN (GLYPIN)."""
    USER = 0x81
    """用户 PIN: the holder's, of this application alone."""


USER: Final = Pin(PkiPin.USER)
INITIAL_PINS: Final = {PkiPin.USER: "123456", PkiPin.ADMIN: "12345678"}
"""As in the recorded exchanges."""
PIN_TRIES: Final = 6
"""Wrong tries until one of the PINs is blocked (profile choice `pki-tries`)."""
MASTER: Final = KeySpec("PKIMK", 0x00, KeyUsage.MASTER)
"""主控密钥 of either directory: proves the issuer, and protects its own replacement."""


@record
class PublicKeyContent(Record):
    """A file with a public key, 66 bytes: tag and length, X, Y; all 00 while there is none.

    Drivers skip the two bytes in front. That they are CA 40 is profile choice
    `pki-public-header`: a public key has this tag where it is imported.
    """

    header: bytes = fixed(const(b"\xca\x40"))
    point: bytes = wire(raw(64))


@record
class PrivateKeyContent(Record):
    """A file with a private key, 34 bytes: tag and length as where one is imported, the number."""

    header: bytes = fixed(const(b"\xcb\x20"))
    value: bytes = wire(raw(32), secret=True)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair of the card with its certificate, a file each."""

    chinese: str
    public: EfSpec
    private: EfSpec
    certificate: EfSpec

    @property
    def files(self) -> tuple[EfSpec, ...]:
        return self.public, self.private, self.certificate


PUBLIC_SIZE: Final = 66
PRIVATE_SIZE: Final = 34
CERTIFICATE_SIZE: Final = 2048
"""Bytes of a certificate's file (profile choice `pki-certificate-size`): a DER certificate, filled
with 00. One driver writes 1020 bytes; certificates of 631 were seen."""


def _pair(chinese: str, english: str, public: int, private: int, certificate: int) -> KeyPair:
    def file(fid: int, kind: str, what: str, size: int, read: Access, update: Access) -> EfSpec:
        return transparent_file(fid, chinese + kind, f"{english} {what}", size, read, update)

    return KeyPair(
        chinese,
        file(public, "公钥", "public key", PUBLIC_SIZE, ALWAYS, NEVER),
        file(private, "私钥", "private key", PRIVATE_SIZE, NEVER, NEVER),
        file(certificate, "证书", "certificate", CERTIFICATE_SIZE, ALWAYS, USER),
    )


SIGNATURE: Final = _pair("签名", "signature", 0x0012, 0x0013, 0x0018)
ENCIPHERMENT: Final = _pair("加密", "encipherment", 0x0014, 0x0015, 0x0019)
PAIRS: Final = (SIGNATURE, ENCIPHERMENT)


def pki_fci() -> bytes:
    """What SELECT of the environment answers, as recorded: name, and version 3.0 in 73 92."""
    return build([tlv(0x6F, [tlv(0x84, PKI_NAME), tlv(0x73, [tlv(0x92, _VERSION)])])])


def certificates_fci() -> bytes:
    """What SELECT of the inner application answers, as recorded."""
    return build([tlv(0x6F, [tlv(0x84, CERTIFICATES_NAME)])])

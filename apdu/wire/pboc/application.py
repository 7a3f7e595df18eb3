# SPDX-License-Identifier: Apache-2.0
"""The bank's application and its two directories: names, file identifiers, keys, and the PIN.

A debit card has one payment application, A000000333010101; electronic cash (电子现金) and qPBOC
live inside it. PSE lists it for contact readers, PPSE for contactless ones (JR/T 0025.5, 0025.12).
"""

from __future__ import annotations

from typing import Final

from apdu.tlv import build, tlv
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.perso import KeyUsage

RID: Final = bytes.fromhex("A000000333")
"""Registered provider: China UnionPay."""
DEBIT_AID: Final = RID + bytes.fromhex("010101")
PARTIAL_AID: Final = RID + bytes.fromhex("0101")
"""What terminals look for: every UnionPay product begins with it."""
PSE_NAME: Final = b"1PAY.SYS.DDF01"
PPSE_NAME: Final = b"2PAY.SYS.DDF01"
DEBIT_FID: Final = 0xADF1
PSE_FID: Final = 0xADF2
PPSE_FID: Final = 0xADF3
DIRECTORY_SFI: Final = 1
"""SFI of the PSE's directory file."""

PIN_REFERENCE: Final = 0x80
"""P2 of VERIFY: the plaintext offline PIN of this application."""
AC_KEY, MAC_KEY, ENC_KEY = 0x81, 0x82, 0x83
"""KIDs under which the chip keeps UDK-AC, UDK-MAC and UDK-ENC; the key version is the algorithm's
number, so a card may have a set for 3DES and one for SM4."""

CHANNEL_ENC_KEY, CHANNEL_MAC_KEY, CHANNEL_DEK_KEY = 0x91, 0x92, 0x93
"""KIDs of the secure channel's keys ENC, MAC and DEK."""
CHANNEL_VERSION: Final = 1
"""Version of these keys."""
CHANNEL_KEYS: Final = (
    KeySpec("channel ENC", CHANNEL_ENC_KEY, KeyUsage.CHANNEL_ENC),
    KeySpec("channel MAC", CHANNEL_MAC_KEY, KeyUsage.CHANNEL_MAC),
    KeySpec("channel DEK", CHANNEL_DEK_KEY, KeyUsage.CHANNEL_DEK),
)
PAYMENT_KEYS: Final = (
    KeySpec("UDK-AC", AC_KEY, KeyUsage.CRYPTOGRAM),
    KeySpec("UDK-MAC", MAC_KEY, KeyUsage.SCRIPT_MAC),
    KeySpec("UDK-ENC", ENC_KEY, KeyUsage.SCRIPT_ENCIPHERMENT),
)
"""What these keys are called and may do."""

LABEL: Final = b"PBOC DEBIT"
_PRIORITY: Final = b"\x01"


def directory_entry(aid: bytes = DEBIT_AID, label: bytes = LABEL) -> bytes:
    """应用模板 61: what PSE and PPSE say of an application (EMV Book 1 12.2.3)."""
    return build([tlv(0x61, [tlv(0x4F, aid), tlv(0x50, label), tlv(0x87, _PRIORITY)])])


def directory_record(*entries: bytes) -> bytes:
    """A record of the PSE's directory file: template 70 around entries."""
    return build([tlv(0x70, b"".join(entries))])


def pse_fci() -> bytes:
    """FCI of the PSE (EMV Book 1 11.3.4 table 8)."""
    proprietary = [tlv(0x88, bytes((DIRECTORY_SFI,))), tlv(0x5F2D, b"zh"), tlv(0x9F11, b"\x01")]
    return build([tlv(0x6F, [tlv(0x84, PSE_NAME), tlv(0xA5, proprietary)])])


def ppse_fci(*entries: bytes) -> bytes:
    """FCI of the PPSE, which has the whole directory in it (JR/T 0025.12)."""
    return build([tlv(0x6F, [tlv(0x84, PPSE_NAME), tlv(0xA5, [tlv(0xBF0C, b"".join(entries))])])])

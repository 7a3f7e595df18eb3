# SPDX-License-Identifier: Apache-2.0
"""The bank's application (借记应用, JR/T 0025): its name, FCI and the records of this first cut."""

from __future__ import annotations

from typing import Final

from apdu.tlv import build, tlv

DEBIT_AID: Final = bytes.fromhex("A000000333010101")
DEBIT_FID: Final = 0xADF1
TEST_PAN: Final = "6228000100001117"
"""The PAN of a published test card; no account belongs to it."""


def debit_fci() -> bytes:
    """FCI of the contact debit application without PDOL (JR/T 0025.5; EMV Book 1 table 45)."""
    label = b"PBOC DEBIT"
    proprietary = [
        tlv(0x50, label),
        tlv(0x87, b"\x01"),
        tlv(0x5F2D, b"zh"),
        tlv(0x9F11, b"\x01"),
        tlv(0x9F12, label),
    ]
    return build([tlv(0x6F, [tlv(0x84, DEBIT_AID), tlv(0xA5, proprietary)])])


def account_record(pan: str = TEST_PAN, expires: str = "991231") -> bytes:
    """The record with 应用主账号 (5A) and expiry YYMMDD (5F24)."""
    digits = pan if len(pan) % 2 == 0 else pan + "F"
    return build(
        [tlv(0x70, [tlv(0x5A, bytes.fromhex(digits)), tlv(0x5F24, bytes.fromhex(expires))])]
    )

# SPDX-License-Identifier: Apache-2.0
"""What Secure Channel Protocol 03 computes under AES (GlobalPlatform Card Specification 2.3
amendment D), as implementation option 10: a card challenge that follows from the counter, and no
protection of answers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.crypto.aes import cmac
from apdu.crypto.suite import BlockKey

COUNTER: Final = 3
"""Bytes of the sequence counter."""
CHALLENGE: Final = 8
CRYPTOGRAM: Final = 8


class Purpose(IntEnum):
    """What is derived (table 4-1)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    CARD_CHALLENGE = 0x02
    ENC = 0x04
    C_MAC = 0x06


def derived(key: BlockKey, purpose: Purpose, context: bytes, length: int) -> bytes:
    """`length` bytes, a block at most, by the counter mode of NIST SP 800-108 (4.1.5)."""
    label = bytes(11) + bytes((purpose,))
    return cmac(key, label + b"\x00" + (8 * length).to_bytes(2) + b"\x01" + context)[:length]


def card_challenge(enc_key: BlockKey, counter: bytes, aid: bytes) -> bytes:
    """8 bytes, from the static key of the encipherment (6.2.2.1)."""
    return derived(enc_key, Purpose.CARD_CHALLENGE, counter + aid, CHALLENGE)


def command_iv(enc_key: BlockKey, number: int) -> bytes:
    """The initial value for the data of a command, the first of a session being 1 (6.2.6)."""
    return enc_key.encrypt(number.to_bytes(enc_key.suite.block))

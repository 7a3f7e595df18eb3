# SPDX-License-Identifier: Apache-2.0
"""What Secure Channel Protocol 02 computes under 3DES (GlobalPlatform Card Specification 2.3
annex E), as implementation option 55: three keys, the sequence counter in every session key, a
C-MAC over the command as it is sent but for its encipherment, its chaining value enciphered, and
a card challenge that follows from the counter.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.cbc import cbc_encrypt
from apdu.crypto.padding import method_2
from apdu.crypto.suite import BlockKey
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError

COUNTER: Final = 2
"""Bytes of the sequence counter."""
CHALLENGE: Final = 6
"""Bytes of the card's challenge; the host's has 8."""
_BLOCK: Final = 8
_ZEROS: Final = bytes(_BLOCK)
C_MAC, ENC, DEK = b"\x01\x01", b"\x01\x82", b"\x01\x81"
"""Constants of the session keys (E.4.1)."""


def session_key(key: BlockKey, constant: bytes, counter: bytes) -> bytes:
    """A session key, 16 bytes, from the static key of the same purpose (E.4.1)."""
    if len(counter) != COUNTER:
        raise FormatError(f"sequence counter: {len(counter)} bytes, must be {COUNTER}")
    return cbc_encrypt(key, constant + counter + bytes(12), _ZEROS)


def card_challenge(mac_key: BlockKey, aid: bytes) -> bytes:
    """6 bytes: the MAC over the application's AID under the session key of the C-MAC (E.4.2.3)."""
    return mac_key.mac(aid)[:CHALLENGE]


def card_cryptogram(enc_key: BlockKey, host: bytes, counter: bytes, card: bytes) -> bytes:
    """8 bytes that prove the card, over the challenges and the counter (E.4.4.1)."""
    return enc_key.cbc_mac(host + counter + card)


def host_cryptogram(enc_key: BlockKey, host: bytes, counter: bytes, card: bytes) -> bytes:
    """8 bytes that prove the host (E.4.4.2)."""
    return enc_key.cbc_mac(counter + card + host)


def command_mac(mac_key: BlockKey, chain: bytes, command: bytes) -> bytes:
    """C-MAC, 8 bytes, of header and data; `chain`: what `next_chain` made of the last one, zeros
    at first (E.4.4)."""

    def chained(data: bytes, block: int) -> bytes:
        blocks = method_2(data, block)
        first = int.from_bytes(blocks[:block]) ^ int.from_bytes(chain)
        return first.to_bytes(block) + blocks[block:]

    return mac_key.mac(command, chained)


def next_chain(mac_key: bytes, mac: bytes) -> bytes:
    """The last C-MAC enciphered under the first half of its session key (E.3.4)."""
    return TDES.key(mac_key[:_BLOCK]).encrypt(mac)

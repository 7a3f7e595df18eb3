# SPDX-License-Identifier: Apache-2.0
"""What the PKI application of generation 3.0 computes to prove a PIN and to protect a command.

A PIN is known to the card as a key made of it; it is proven by enciphering a challenge, and a
command is protected under the key itself. Rules as a public driver has them, which agree with
the recorded exchanges beside its source (default PINs, challenges, proofs, a MAC).

The proof protects a PIN only where nobody overhears the line: a try counter guards the card alone.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.padding import method_2, without
from apdu.crypto.sm3 import digest
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError

PIN_KEY: Final = 16
"""Bytes of the key that is made of a PIN."""
CHALLENGES: Final = (8, 16)
"""Bytes that a challenge may have."""
MAC: Final = 4
_BLOCK: Final = 16


def pin_key(pin: bytes) -> bytes:
    """The key of a PIN, 16 bytes: the beginning of its SM3 digest. `pin`: packed BCD."""
    return digest(pin)[:PIN_KEY]


def proof(key: BlockKey, challenge: bytes) -> bytes:
    """What proves a key over the card's last challenge, 16 bytes."""
    return key.encrypt(_whole(challenge))


def folded_mac(key: BlockKey, challenge: bytes, data: bytes) -> bytes:
    """4 bytes: the last block of CBC that begins with the challenge, its quarters XORed.

    Padding method 2. `data`: CLA INS P1 P2 Lc as sent, then the data as sent.
    """
    blocks = method_2(data, _BLOCK)
    first = int.from_bytes(blocks[:_BLOCK]) ^ int.from_bytes(_whole(challenge))
    last = key.cbc_mac(first.to_bytes(_BLOCK) + blocks[_BLOCK:], without)
    found = 0
    for at in range(0, _BLOCK, MAC):
        found ^= int.from_bytes(last[at : at + MAC])
    return found.to_bytes(MAC)


def _whole(challenge: bytes) -> bytes:
    """A challenge as one block: one of 8 bytes is filled with 00, as one driver does it."""
    if len(challenge) not in CHALLENGES:
        raise FormatError(f"challenge: {len(challenge)} bytes, must be 8 or 16")
    return challenge.ljust(_BLOCK, b"\0")

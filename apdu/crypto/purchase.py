# SPDX-License-Identifier: Apache-2.0
"""The cryptograms of a purchase from the medical account: what card, PSAM and centre compute.

Session key and MACs are as PBOC's purse has them (profile choice `purchase-cryptograms`); each
is cut to 4 bytes.
"""

from __future__ import annotations

from typing import Final

from apdu.crypto.derive import challenge_key
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.wire.purchase import (
    CARD_SEQUENCE,
    MAC,
    RANDOM,
    TERMINAL_SEQUENCE,
    Mac1Input,
    Mac2Input,
    TacInput,
)

_LOW: Final = 2
"""Bytes of the terminal's sequence number that go into the session key."""


def purchase_key(
    dpk: BlockKey, random: bytes, card_sequence: bytes, terminal_sequence: bytes
) -> BlockKey:
    """The session key of one purchase, from the card's purchase key (DPK).

    `random`: the card's, 4 bytes; `card_sequence`: its off-line number, 2 bytes;
    `terminal_sequence`: 4 bytes, of which the last 2 count. Raises FormatError for other lengths.
    """
    for name, value, size in (
        ("random", random, RANDOM),
        ("card sequence", card_sequence, CARD_SEQUENCE),
        ("terminal sequence", terminal_sequence, TERMINAL_SEQUENCE),
    ):
        if len(value) != size:
            raise FormatError(f"{name}: {len(value)} bytes, must be {size}")
    return challenge_key(dpk, random + card_sequence + terminal_sequence[-_LOW:])


def mac1(session: BlockKey, terms: Mac1Input) -> bytes:
    """4 bytes of the PSAM's: the terms of the purchase."""
    return session.mac(bytes(terms))[:MAC]


def mac2(session: BlockKey, booked: Mac2Input) -> bytes:
    """4 bytes of the card's: it has booked what MAC1 was for."""
    return session.mac(bytes(booked))[:MAC]


def tac(dtk: BlockKey, booked: TacInput) -> bytes:
    """4 bytes of the card's for the centre, under its TAC key (DTK), the halves of it XORed.

    Only the centre can check them. Under SM4 the key is one block already (profile choice
    `sm4-tac`). Raises FormatError for a key of more than two blocks.
    """
    return dtk.folded().mac(bytes(booked))[:MAC]

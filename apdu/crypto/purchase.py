# SPDX-License-Identifier: Apache-2.0
"""The cryptograms of a purchase from the medical account and of a load of it: what card, PSAM
and centre compute.

Session keys and MACs are as PBOC's purse has them (profile choices `purchase-cryptograms` and
`load`); each is cut to 4 bytes.
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
    LoadMac1Input,
    LoadMac2Input,
    LoadTacInput,
    Mac1Input,
    Mac2Input,
    TacInput,
)

_LOW: Final = 2
"""Bytes of the terminal's sequence number that go into the session key."""
_FILL: Final = b"\x80\x00"
"""What stands in their place in the session key of a load."""


def purchase_key(
    dpk: BlockKey, random: bytes, card_sequence: bytes, terminal_sequence: bytes
) -> BlockKey:
    """The session key of one purchase, from the card's purchase key (DPK).

    `random`: the card's, 4 bytes; `card_sequence`: its off-line number, 2 bytes;
    `terminal_sequence`: 4 bytes, of which the last 2 count. Raises FormatError for other lengths.
    """
    _check("random", random, RANDOM)
    _check("card sequence", card_sequence, CARD_SEQUENCE)
    _check("terminal sequence", terminal_sequence, TERMINAL_SEQUENCE)
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


def load_key(dlk: BlockKey, random: bytes, card_sequence: bytes) -> BlockKey:
    """The session key of one load, from the card's load key (DLK).

    `random`: the card's, 4 bytes; `card_sequence`: its on-line number, 2 bytes. Raises FormatError
    for other lengths.
    """
    _check("random", random, RANDOM)
    _check("card sequence", card_sequence, CARD_SEQUENCE)
    return challenge_key(dlk, random + card_sequence + _FILL)


def load_mac1(session: BlockKey, asked: LoadMac1Input) -> bytes:
    """4 bytes of the card's: what it has, and what is to be loaded."""
    return session.mac(bytes(asked))[:MAC]


def load_mac2(session: BlockKey, allowed: LoadMac2Input) -> bytes:
    """4 bytes of the centre's: the card may credit."""
    return session.mac(bytes(allowed))[:MAC]


def load_tac(dtk: BlockKey, booked: LoadTacInput) -> bytes:
    """4 bytes of the card's for the centre, under the key of `tac`."""
    return dtk.folded().mac(bytes(booked))[:MAC]


def _check(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise FormatError(f"{name}: {len(value)} bytes, must be {size}")

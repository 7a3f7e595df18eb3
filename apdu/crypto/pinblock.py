# SPDX-License-Identifier: Apache-2.0
"""PIN blocks: ISO 9564-1 formats 0 to 4, and the PIN change of payment cards.

A PIN has 4 to 12 digits, a PAN 12 to 19, as text. Formats 0 to 3 are 8 clear bytes, to be
enciphered by whoever sends them; format 4 is bound to its AES key. The fields are declared in
`apdu.wire.pinblock`. Every function raises FormatError, which names the rule and shows no digit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apdu.crypto.aes import AES
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.wire.digits import PIN_DIGITS, check_pan, check_pin
from apdu.wire.pinblock import FILLINGS

Random = Callable[[int], bytes]
"""As many bytes as asked for, by chance."""

BLOCK: Final = 8
CARD_KEY: Final = 16
_RIGHT: Final = (1 << 32) - 1

PIN_CHANGE_KEY: Final = "ENC"
"""Whose bytes a PIN change is masked with, those of UDK-ENC or of UDK-AC: `ENC` or `AC` (profile
choice `pin-change-key`). The one card program of PBOC at hand takes UDK-ENC, VIS takes UDK-AC."""


# Formats 0 to 3: 8 bytes


def build_iso_0(pin: str, pan: str) -> bytes:
    """Format 0: PIN, F, and the account XORed to it (ISO 9564-1 9.3.2; ANSI X9.8)."""
    return (_field(0, pin) ^ _account(pan)).to_bytes(BLOCK)


def read_iso_0(block: bytes, pan: str) -> str:
    """The PIN in a clear block of format 0.

    Under a PAN of another account this is never the same PIN, but it may be another one.
    """
    return _pin(_number(block) ^ _account(pan), 0)


def build_iso_1(pin: str, random: Random) -> bytes:
    """Format 1: PIN and free filling, where no PAN is known (ISO 9564-1 9.3.3)."""
    return _field(1, pin, _exactly(random, 5).hex()).to_bytes(BLOCK)


def read_iso_1(block: bytes) -> str:
    """The PIN in a clear block of format 1. Its filling cannot be checked: of blocks made
    chance one in 640 has a PIN."""
    return _pin(_number(block), 1)


def build_iso_2(pin: str) -> bytes:
    """Format 2: PIN and F; between terminal and card only (ISO 9564-1 9.3.4, EMV Book 3 6.5.12)."""
    return _field(2, pin).to_bytes(BLOCK)


def read_iso_2(block: bytes) -> str:
    """The PIN in a block of format 2."""
    return _pin(_number(block), 2)


def build_iso_3(pin: str, pan: str, random: Random) -> bytes:
    """Format 3: as format 0, but filled with A to F by chance (ISO 9564-1 9.3.5)."""
    # Ten digits of base 6 from 8 bytes: none is likelier than another by more than 2**-38.
    chance = int.from_bytes(_exactly(random, 8))
    letters = FILLINGS[3]
    filling = "".join(letters[chance // 6**at % 6] for at in range(10))
    return (_field(3, pin, filling) ^ _account(pan)).to_bytes(BLOCK)


def read_iso_3(block: bytes, pan: str) -> str:
    """The PIN in a clear block of format 3.

    A PAN that is wrong only where it covers the filling often goes unseen.
    """
    return _pin(_number(block) ^ _account(pan), 3)


# Format 4: 16 bytes under AES


def encipher_iso_4(key: BlockKey, pin: str, pan: str, random: Random) -> bytes:
    """Format 4: the PIN with 8 bytes of chance, enciphered, the PAN XORed, enciphered again
    (ISO 9564-1 9.4). `key`: of the suite AES."""
    _only_aes(key)
    field = _field(4, pin).to_bytes(BLOCK) + _exactly(random, 8)
    mixed = int.from_bytes(key.encrypt(field)) ^ _whole_pan(pan)
    return key.encrypt(mixed.to_bytes(AES.block))


def decipher_iso_4(key: BlockKey, block: bytes, pan: str) -> str:
    """The PIN in an enciphered block of format 4.

    One error says that key, PAN or block are not the right ones; it does not say which.
    """
    _only_aes(key)
    account = _whole_pan(pan)
    if len(block) != AES.block:
        raise FormatError(f"PIN block: {len(block)} bytes, must be {AES.block}")
    mixed = int.from_bytes(key.decrypt(block)) ^ account
    field = key.decrypt(mixed.to_bytes(AES.block))[:BLOCK]
    try:
        return _pin(int.from_bytes(field), 4)
    except FormatError:
        raise FormatError("PIN block: no PIN under this key and PAN") from None


# What cards are sent


def pin_change_key(udk_ac: bytes, udk_enc: bytes) -> bytes:
    """Of a card's keys the one that masks a PIN change, as `PIN_CHANGE_KEY` says."""
    return {"AC": udk_ac, "ENC": udk_enc}[PIN_CHANGE_KEY]


def build_pin_change(pin: str, card_key: bytes, current: str = "") -> bytes:
    """The 8 bytes of a new PIN for PIN CHANGE, before they are enciphered.

    `card_key`: 16 bytes, of which bytes 5 to 8 are XORed in (see `pin_change_key`). `current`: the
    PIN in force, for P2 = 01; none for P2 = 02 (VIS, and PBOC cards alike).
    """
    return _change(_field(0, pin), card_key, current).to_bytes(BLOCK)


def read_pin_change(block: bytes, card_key: bytes, current: str = "") -> str:
    """The new PIN in such a block, as the card reads it."""
    return _pin(_change(_number(block), card_key, current), 0)


# The fields as numbers


def _field(form: int, pin: str, filling: str = "") -> int:
    length = len(check_pin(pin))
    filling = filling or FILLINGS[form] * 10
    return int(f"{form}{length:x}{pin}{filling[: 14 - length]}", 16)


def _pin(field: int, form: int) -> str:
    nibbles = f"{field:016X}"
    end = 2 + int(nibbles[1], 16)
    pin = nibbles[2:end]
    if nibbles[0] != str(form):
        raise FormatError(f"PIN block: not of format {form}")
    if len(pin) not in PIN_DIGITS:
        raise FormatError("PIN block: the PIN must have 4 to 12 digits")
    if not pin.isdecimal():
        raise FormatError("PIN block: the PIN is not decimal digits")
    if nibbles[end:].strip(FILLINGS[form]):
        raise FormatError("PIN block: the filling is not right")
    return pin


def _number(block: bytes) -> int:
    if len(block) != BLOCK:
        raise FormatError(f"PIN block: {len(block)} bytes, must be {BLOCK}")
    return int.from_bytes(block)


def _account(pan: str) -> int:
    return int(check_pan(pan)[-13:-1], 16)


def _whole_pan(pan: str) -> int:
    return int(f"{len(check_pan(pan)) - 12}{pan}".ljust(2 * AES.block, "0"), 16)


def _change(field: int, card_key: bytes, current: str) -> int:
    if len(card_key) != CARD_KEY:
        raise FormatError(f"card key: {len(card_key)} bytes, must be {CARD_KEY}")
    field ^= int.from_bytes(card_key[:BLOCK]) & _RIGHT
    return field ^ int(check_pin(current).ljust(2 * BLOCK, "0"), 16) if current else field


def _only_aes(key: BlockKey) -> None:
    if key.suite is not AES:
        raise FormatError(f"key: {key.suite.name}, must be AES")


def _exactly(random: Random, count: int) -> bytes:
    found = random(count)
    if len(found) != count:
        raise FormatError(f"random: {len(found)} bytes, must be {count}")
    return found

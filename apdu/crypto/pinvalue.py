# SPDX-License-Identifier: Apache-2.0
"""What an issuer keeps instead of a PIN: Visa's PVV, and the offset of IBM 3624.

Keys are `BlockKey`s of 3DES, made once and kept. A PIN has 4 to 12 digits, a PAN 12 to 19, as
text. Every function raises FormatError for input that is not in its shape; the verifying ones
answer False for everything else and do the same work whatever was wrong.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.wire.digits import PIN_DIGITS, check_pan, check_pin
from apdu.wire.pinblock import FILLINGS

DECIMALISATION: Final = "0123456789012345"
"""The usual decimalisation table: what each digit of 0 to F becomes."""
PAD: Final = "F"
"""What usually fills validation data up to 16 digits."""
_BLOCK: Final = 8
_PVV: Final = 4
_DIGITS: Final = b"0123456789"
_LETTERS: Final = b"abcdef"
_VISA: Final = bytes.maketrans(_LETTERS, b"012345")
_HEADS: Final = {
    f"0{length:x}": (2 + length, FILLINGS[0].lower() * (14 - length)) for length in PIN_DIGITS
}
"""First byte of a PIN field of format 0 in digits: where its PIN ends, and what must follow."""
_INDICES: Final = frozenset("0123456789")
_NO_PIN: Final = "0" * PIN_DIGITS[0]
_NO_HEAD: Final = (2 + PIN_DIGITS[0], "")
"""Nothing follows: that no field can fulfil."""


# Visa


def pvv(pvk: BlockKey, pin: str, pan: str, pvki: str = "1") -> str:
    """The PIN verification value, 4 digits.

    `pvk`: the 16 bytes of a key pair; `pvki`: its index, a digit. Of the PIN the first 4 digits
    count, of the PAN the last 11 before the check digit (Visa; IBM CCA, "VISA PVV").
    """
    check_pin(pin)
    check_pan(pan)
    if pvki not in _INDICES:
        raise _wrong_index()
    return _pvv(pvk, pin, pan, pvki).decode()


def verify_pvv(
    pin_key: BlockKey, block: bytes, pan: str, pvk: BlockKey, pvki: str, pvv: str
) -> bool:
    """Whether the PIN in an enciphered block of format 0 has this PVV.

    `block`: 8 bytes under `pin_key`. A block without a PIN (another key, another PAN) is False.
    """
    check_pan(pan)
    if pvki not in _INDICES:
        raise _wrong_index()
    if len(pvv) != _PVV or not (pvv.isdecimal() and pvv.isascii()):
        raise FormatError(f"PVV: must be {_PVV} digits")
    if len(block) != _BLOCK:
        raise _wrong_block(block)
    # `_deciphered` and `_pvv`, written out: an issuer does this for every transaction with a PIN.
    clear = int.from_bytes(pin_key.decrypt(block)) ^ int(pan[-13:-1], 16)
    field = clear.to_bytes(_BLOCK).hex()
    end, filling = _HEADS.get(field[:2], _NO_HEAD)
    pin = field[2:end]
    is_pin = pin.isdecimal() & (field[end:] == filling)
    first = (_NO_PIN, pin)[is_pin][:4]
    done = hexlify(pvk.encrypt(unhexlify(pan[-12:-1] + pvki + first)))
    found = (done.translate(None, _LETTERS) + done.translate(_VISA, _DIGITS))[:_PVV]
    return compare_digest(found, pvv.encode()) & is_pin


def _pvv(pvk: BlockKey, pin: str, pan: str, pvki: str) -> bytes:
    done = hexlify(pvk.encrypt(unhexlify(pan[-12:-1] + pvki + pin[:4])))
    return (done.translate(None, _LETTERS) + done.translate(_VISA, _DIGITS))[:_PVV]


# IBM 3624


def natural_pin(
    pvk: BlockKey,
    validation: str,
    length: int = 4,
    table: str = DECIMALISATION,
    pad: str = PAD,
) -> str:
    """The PIN that follows from a card alone: its validation data enciphered and decimalised.

    `validation`: 1 to 16 digits, mostly of the PAN, filled up with `pad` (0 to F). `table`: 16
    decimal digits. `length`: digits of the PIN, 4 to 12.
    """
    if length not in PIN_DIGITS:
        raise FormatError(f"length: {length}, must be {PIN_DIGITS[0]} to {PIN_DIGITS[-1]}")
    _check_digits("validation data", validation, 1, 2 * _BLOCK)
    if len(pad) != 1 or pad not in "0123456789ABCDEFabcdef":
        raise FormatError("pad: must be one of 0 to F")
    done = pvk.encrypt(bytes.fromhex(validation.ljust(2 * _BLOCK, pad)))
    return done.hex().translate(_decimalising(table))[:length]


def pin_offset(
    pvk: BlockKey, pin: str, validation: str, table: str = DECIMALISATION, pad: str = PAD
) -> str:
    """What is added to the natural PIN to make this one, digit by digit without carry."""
    natural = natural_pin(pvk, validation, len(check_pin(pin)), table, pad)
    return _digitwise(pin, natural, -1)


def pin_from_offset(
    pvk: BlockKey, offset: str, validation: str, table: str = DECIMALISATION, pad: str = PAD
) -> str:
    """The PIN that this offset makes; as long as the offset, 4 to 12 digits."""
    _check_digits("offset", offset, PIN_DIGITS[0], PIN_DIGITS[-1])
    return _digitwise(natural_pin(pvk, validation, len(offset), table, pad), offset, 1)


def verify_offset(
    pin_key: BlockKey,
    block: bytes,
    pan: str,
    pvk: BlockKey,
    validation: str,
    offset: str,
    table: str = DECIMALISATION,
    pad: str = PAD,
) -> bool:
    """Whether the PIN in an enciphered block of format 0 is the one that this offset makes.

    A PIN that is longer or shorter than the offset is False.
    """
    check_pan(pan)
    expected = pin_from_offset(pvk, offset, validation, table, pad)
    pin, is_pin = _deciphered(pin_key, block, pan)
    return compare_digest(pin, expected) & is_pin


# Both


def _deciphered(pin_key: BlockKey, block: bytes, pan: str) -> tuple[str, bool]:
    """The PIN in an enciphered block of format 0, and True; where there is none, another one and
    False. Written out for speed, and without a branch, so that all blocks take the same steps."""
    if len(block) != _BLOCK:
        raise _wrong_block(block)
    clear = int.from_bytes(pin_key.decrypt(block)) ^ int(pan[-13:-1], 16)
    field = clear.to_bytes(_BLOCK).hex()
    end, filling = _HEADS.get(field[:2], _NO_HEAD)
    pin = field[2:end]
    is_pin = pin.isdecimal() & (field[end:] == filling)
    return (_NO_PIN, pin)[is_pin], is_pin


def _digitwise(left: str, right: str, sign: int) -> str:
    pairs = zip(left, right, strict=True)
    return "".join(str((int(one) + sign * int(other)) % 10) for one, other in pairs)


@lru_cache(maxsize=64)
def _decimalising(table: str) -> dict[int, str]:
    _check_digits("decimalisation table", table, 16, 16)
    return dict(zip(map(ord, "0123456789abcdef"), table, strict=True))


def _wrong_block(block: bytes) -> FormatError:
    return FormatError(f"PIN block: {len(block)} bytes, must be {_BLOCK}")


def _wrong_index() -> FormatError:
    return FormatError("PVKI: must be 1 digit")


def _check_digits(name: str, text: str, shortest: int, longest: int) -> None:
    if not (text.isascii() and text.isdecimal() and shortest <= len(text) <= longest):
        rule = f"{shortest} digits" if shortest == longest else f"{shortest} to {longest} digits"
        raise FormatError(f"{name}: must be {rule}")

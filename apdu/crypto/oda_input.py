# SPDX-License-Identifier: Apache-2.0
"""What the card and the terminal both hash beside a dynamic signature: for fDDA and for CDA."""

from __future__ import annotations

from hashlib import sha1
from typing import Final

from apdu import tlv
from apdu.errors import FormatError
from apdu.wire.oda import CardAuthentication, FddaData

UNPREDICTABLE_NUMBER: Final = 4
"""Bytes of a terminal's unpredictable number (9F37)."""
CARD_AUTHENTICATION: Final = range(8, 17)
"""Bytes of card authentication related data (9F69)."""
_ANSWER, _SIGNED = 0x77, 0x9F4B


def fdda_data(
    version: int,
    number: bytes,
    amount: bytes = b"",
    currency: bytes = b"",
    card_authentication: bytes = b"",
) -> bytes:
    """What fDDA hashes of terminal and card: 9F37, and in version 1 also 9F02, 5F2A and 9F69.

    In version 0 the last three are not looked at (JR/T 0025.12). Raises FormatError when one
    has a wrong length.
    """
    check_unpredictable_number(number)
    if version == 0:
        return number
    if version != 1:
        raise FormatError(f"fDDA version: {version}, must be 0 or 1")
    size = len(card_authentication)
    if size not in CARD_AUTHENTICATION:
        raise FormatError(
            f"card authentication data (9F69): {size} bytes, must be "
            f"{CARD_AUTHENTICATION[0]} to {CARD_AUTHENTICATION[-1]}"
        )
    CardAuthentication.parse(card_authentication)
    return bytes(FddaData(number, amount, currency, card_authentication))


def check_unpredictable_number(number: bytes) -> None:
    """FormatError unless it has 4 bytes."""
    if len(number) != UNPREDICTABLE_NUMBER:
        raise FormatError(
            f"unpredictable number: {len(number)} bytes, must be {UNPREDICTABLE_NUMBER}"
        )


def transaction_data(pdol: bytes, cdol1: bytes, cdol2: bytes, answer: bytes) -> bytes:
    """What CDA hashes of a transaction (EMV Book 2 6.6.1).

    `pdol`, `cdol1`, `cdol2`: the values that were sent; the last is empty at the first GENERATE
    AC. `answer`: the data that came back, one template 77; 9F4B in it is left out, so the card
    may hash what it is about to sign. Raises FormatError when it is no such template, or a
    length in it is not in its shortest form.
    """
    objects = tlv.parse(answer)
    if len(objects) != 1 or objects[0].tag != _ANSWER:
        raise FormatError("answer to GENERATE AC: must be one template 77")
    said = tlv.build(item for item in objects[0].children if item.tag != _SIGNED)
    return pdol + cdol1 + cdol2 + said


def certificate_hash(data: bytes) -> bytes:
    """交易证书哈希值 (98): SHA-1, 20 bytes, of what the TDOL asks for (EMV Book 3 9.2.2)."""
    return sha1(data).digest()  # noqa: S324 - the rule says SHA-1


def transaction_hash(pdol: bytes, cdol1: bytes, cdol2: bytes, answer: bytes) -> bytes:
    """The transaction data hash of CDA under RSA: SHA-1, 20 bytes, of `transaction_data`."""
    data = transaction_data(pdol, cdol1, cdol2, answer)
    return sha1(data).digest()  # noqa: S324 - the rule says SHA-1

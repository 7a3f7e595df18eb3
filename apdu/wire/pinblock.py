# SPDX-License-Identifier: Apache-2.0
"""How a PIN is laid out where it travels: the fields of ISO 9564-1 PIN blocks.

These are the clear fields. What is added to them (account number, card key, cipher) is in
`apdu.crypto.pinblock`, which also has the fast way; a test holds it to these declarations.
"""

from __future__ import annotations

from typing import Any, Final

from apdu.wire.fields import Field, raw, wire
from apdu.wire.record import Record, record

FILLINGS: Final = {0: "F", 1: "0123456789ABCDEF", 2: "F", 3: "ABCDEF", 4: "A"}
"""What may stand behind the digits, by format."""


def _codecs() -> Any:
    from apdu.wire import pincodecs

    return pincodecs


def _pin_field(form: int) -> Field[str]:
    """8 bytes: number of the format, number of digits, digits, filling to the end.

    The value is the PIN; where the filling is free, the PIN, a colon and the filling.
    """
    return Field(lambda _: _codecs().PinField(form, FILLINGS[form]))


@record
class Iso0PinField(Record):
    """Format 0, the part with the PIN; so begins the PIN change block of payment cards as well."""

    pin: str = wire(_pin_field(0), secret=True)


@record
class Iso0PanField(Record):
    """Formats 0 and 3, the part with the account: 0000 and the last 12 digits before the check
    digit, a shorter PAN filled with 0 on the left (ISO 9564-1 9.3.2)."""

    account: str = wire(Field(lambda _: _codecs().Account()))


@record
class Iso1PinBlock(Record):
    """Format 1: no account, free filling (ISO 9564-1 9.3.3)."""

    pin: str = wire(_pin_field(1), secret=True)


@record
class Iso2PinBlock(Record):
    """Format 2: what VERIFY of a payment card carries (ISO 9564-1 9.3.4, EMV Book 3 6.5.12)."""

    pin: str = wire(_pin_field(2), secret=True)


@record
class Iso3PinField(Record):
    """Format 3, the part with the PIN: filled with letters by chance (ISO 9564-1 9.3.5)."""

    pin: str = wire(_pin_field(3), secret=True)


@record
class Iso4PinField(Record):
    """Format 4, the part with the PIN and 8 bytes of chance (ISO 9564-1 9.4.2)."""

    pin: str = wire(_pin_field(4), secret=True)
    random: bytes = wire(raw(8), secret=True)


@record
class Iso4PanField(Record):
    """Format 4, the part with the account: digits beyond 12, the PAN, 0 to 16 bytes (9.4.2)."""

    pan: str = wire(Field(lambda _: _codecs().Pan()))

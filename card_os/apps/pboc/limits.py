# SPDX-License-Identifier: Apache-2.0
"""What the issuer lays down for card risk management: its limits, currencies and default actions.

A limit that the card does not have is None or, where the specification says that 0 is none, 0; an
absent one-byte limit is not the limit 00 (JR/T 0025.5 annex A).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_of
from card_os.apps.pboc.conversion import converted

_MANDATORY: Final = 0x80


@dataclass(frozen=True, slots=True)
class Limits:
    """Amounts are in the minor unit of the application's currency."""

    currency: bytes
    """9F51, empty when the card has none: nothing is compared with it then."""
    country: bytes
    """9F57, as above."""
    second_currency: bytes
    """9F76, as above."""
    ada: int
    """9F52, bits of `Ada`."""
    authentication_mandatory: bool
    """9F56: without an ARPC an online transaction is not in order."""
    lower: int | None
    """9F58: transactions offline in a row before the card asks to go online."""
    upper: int | None
    """9F59: those before it declines when it cannot."""
    international_currency: int | None
    """9F53."""
    international_country: int | None
    """9F72."""
    spent: int
    """9F54 (CTTAL)."""
    spent_upper: int
    """9F5C (CTTAUL)."""
    dual: int
    """9F75, of both currencies."""
    factor: bytes
    """9F73, empty when the card has none, or one that makes nothing of every amount."""

    @classmethod
    def of(cls, parameters: Mapping[int, bytes]) -> Self:
        """From the application's own elements. Raises FormatError for an amount or a conversion
        factor that is none."""

        def number(tag: int) -> int | None:
            value = parameters.get(tag)
            return int.from_bytes(value) if value else None

        def amount(tag: int) -> int:
            return amount_of(parameters.get(tag) or b"\0")

        factor = parameters.get(tags.CONVERSION_FACTOR, b"")
        if factor and not converted(LARGEST_AMOUNT, factor):
            factor = b""
        indicator = number(tags.ISSUER_AUTHENTICATION_INDICATOR) or 0
        return cls(
            currency=parameters.get(tags.RISK_CURRENCY, b""),
            country=parameters.get(tags.RISK_COUNTRY, b""),
            second_currency=parameters.get(tags.SECOND_CURRENCY, b""),
            ada=number(tags.ADA) or 0,
            authentication_mandatory=bool(indicator & _MANDATORY),
            lower=number(tags.LOWER_LIMIT),
            upper=number(tags.UPPER_LIMIT),
            international_currency=number(tags.INTERNATIONAL_CURRENCY_LIMIT),
            international_country=number(tags.INTERNATIONAL_COUNTRY_LIMIT),
            spent=amount(tags.CTTAL),
            spent_upper=amount(tags.CTTAUL),
            dual=amount(tags.DUAL_LIMIT),
            factor=factor,
        )

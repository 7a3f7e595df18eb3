# SPDX-License-Identifier: Apache-2.0
"""Card data (制卡数据): what a bank decides about one debit card, before it becomes data groups.

Amounts are in fen. Elements that are bits are their bytes, as specifications write them
(`apdu.wire.pboc.flags` says what each bit means).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.cryptogram import Cvn, OneAmount, TwoAmounts
from host.issuer.test_keys import TEST_ISSUER

PIN_DIGITS: Final = range(4, 13)
PAN_DIGITS: Final = range(13, 20)


@dataclass(frozen=True, slots=True)
class Face:
    """What stands on the card, and whose it is.

    Raises FormatError naming the field: `pan` 13 to 19 digits that begin with the test issuer's
    and end with a Luhn digit, `psn` 2 digits, `service_code` 3.
    """

    pan: str
    psn: str
    name: str
    effective: date
    expires: date
    service_code: str
    product: bytes
    """Card product identification (9F63), 16 bytes."""
    pin: Secret = field(repr=False)
    """The offline PIN, 4 to 12 digits."""
    pin_tries: int = 3
    document_type: str = ""
    """9F62, 2 digits; empty when the card does not say."""
    document_number: str = ""

    def __post_init__(self) -> None:
        check_pan(self.pan)
        _digits("psn", self.psn, range(2, 3))
        _digits("service_code", self.service_code, range(3, 4))
        _text("name", self.name, range(2, 27))
        if self.expires < self.effective:
            raise FormatError("expires: must not be before the day the card becomes good")
        if not 2000 <= self.effective.year <= self.expires.year <= 2099:
            raise FormatError("effective, expires: must be in the years 2000 to 2099")
        pin = self.pin.reveal().decode()
        if not (pin.isascii() and pin.isdecimal() and len(pin) in PIN_DIGITS):
            raise FormatError("pin: must be 4 to 12 digits")
        if not 1 <= self.pin_tries <= 15:
            raise FormatError("pin_tries: must be 1 to 15")
        if len(self.product) != 16:
            raise FormatError(f"product: {len(self.product)} bytes, must be 16")
        if bool(self.document_type) != bool(self.document_number):
            raise FormatError("document_type and document_number: go together")
        if self.document_type:
            _digits("document_type", self.document_type, range(2, 3))
            _text("document_number", self.document_number, range(1, 41))


@dataclass(frozen=True, slots=True)
class Methods:
    """How the holder is verified and when a terminal declines or goes online, for one way."""

    cvm: tuple[bytes, ...]
    """Rules of the CVM list (8E), 2 bytes each."""
    iac_default: bytes
    iac_denial: bytes
    iac_online: bytes


@dataclass(frozen=True, slots=True)
class ApplicationData:
    """The application as terminals meet it."""

    label: str
    preferred_name: str
    language: str
    version: int
    """9F08."""
    interchange: bytes
    """AIP (82), of all ways."""
    usage: bytes
    """AUC (9F07)."""
    country: str
    """ISO 3166-1, 3 digits."""
    currency: str
    """ISO 4217, 3 digits."""
    methods: Methods
    log_records: int


@dataclass(frozen=True, slots=True)
class Risk:
    """Card risk management (卡片风险管理). None: the card does not have the limit."""

    default_action: bytes
    """ADA (9F52)."""
    issuer_authentication_mandatory: bool
    terminal_lower_limit: int | None = None
    terminal_upper_limit: int | None = None
    lower_limit: int | None = None
    upper_limit: int | None = None
    amount_limit: int | None = None
    """CTTAL (9F54)."""
    amount_upper_limit: int | None = None
    """CTTAUL (9F5C)."""
    international_currency_limit: int | None = None
    international_country_limit: int | None = None
    second_currency: str = ""
    """9F76, 3 digits."""
    conversion_factor: bytes = b""
    """9F73: decimal places in the first digit, then 7 digits."""
    dual_limit: int | None = None
    """9F75."""


@dataclass(frozen=True, slots=True)
class SecondCash:
    """Electronic cash in a second currency (双币电子现金)."""

    currency: str
    balance: int
    balance_limit: int
    single_limit: int
    reset_threshold: int
    cvm_limit: int


@dataclass(frozen=True, slots=True)
class Cash:
    """Electronic cash (电子现金)."""

    balance: int
    balance_limit: int
    single_limit: int
    reset_threshold: int
    authorisation_code: str
    """9F74, 6 characters."""
    methods: Methods
    load_log_records: int
    second: SecondCash | None = None


@dataclass(frozen=True, slots=True)
class Contactless:
    """qPBOC."""

    processing: bytes
    """9F68."""
    qualifiers: bytes
    """9F6C, as it is before a transaction sets its bits."""
    cvm_limit: int
    cvn: Cvn


@dataclass(frozen=True, slots=True)
class Cryptograms:
    """How the card computes, and what it tells the issuer with every cryptogram."""

    key_index: int
    """DKI."""
    told: OneAmount | TwoAmounts | None
    """Which amounts stand in 9F10 behind the CVR."""


@dataclass(frozen=True, slots=True)
class CardData:
    """All of it. `rsa_bits`: of the authority's key, 1152, 1408 or 1984. `sm`: whether the card
    has a set of records and keys under SM2, SM3 and SM4 as well."""

    face: Face
    application: ApplicationData
    risk: Risk
    cryptograms: Cryptograms
    rsa_bits: int
    cash: Cash | None = None
    contactless: Contactless | None = None
    sm: bool = False


def luhn_digit(digits: str) -> str:
    """The check digit that goes behind these (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def check_pan(pan: str) -> None:
    """FormatError unless it is the number of a test card; the error does not show it."""
    _digits("pan", pan, PAN_DIGITS)
    if not pan.startswith(TEST_ISSUER):
        raise FormatError(f"pan: must begin with {TEST_ISSUER}, the test issuer")
    if pan[-1] != luhn_digit(pan[:-1]):
        raise FormatError("pan: its last digit is not the check digit (Luhn)")


def _digits(name: str, text: str, sizes: range) -> None:
    if not (text.isascii() and text.isdecimal() and len(text) in sizes):
        rule = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        raise FormatError(f"{name}: must be {rule} digits")


def _text(name: str, text: str, sizes: range) -> None:
    if not (text.isascii() and text.isprintable() and len(text) in sizes):
        raise FormatError(
            f"{name}: must be {sizes[0]} to {sizes[-1]} printable characters of ASCII"
        )

# SPDX-License-Identifier: Apache-2.0
"""Card data as tables of a profile: [card], [application], [risk], [cash], [qpboc], [keys], [rsa]
and [sm]. A name that is not known, or a value that does not fit, is a FormatError that names it."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.cryptogram import Cvn, OneAmount, TwoAmounts
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from host.issuer.card_data import (
    PAN_DIGITS,
    PIN_DIGITS,
    ApplicationData,
    CardData,
    Cash,
    Contactless,
    Cryptograms,
    Face,
    Methods,
    Risk,
    SecondCash,
)
from host.issuer.test_keys import SIZES
from host.settings import Settings

_AMOUNTS: Final = range(LARGEST_AMOUNT + 1)
_BYTE: Final = range(0x100)
_LOG_RECORDS: Final = range(1, 31)
_TOLD: Final[dict[str, OneAmount | TwoAmounts | None]] = {
    "nothing": None,
    "balance": OneAmount.BALANCE,
    "spent": OneAmount.SPENT,
    "available": OneAmount.AVAILABLE,
    "balance and spent": TwoAmounts.BALANCE_AND_SPENT,
    "spent and limit": TwoAmounts.SPENT_AND_LIMIT,
}
_CVNS: Final = {"01": Cvn.CVN_01, "17": Cvn.CVN_17}


def read_card_data(whole: Settings) -> CardData:
    """The card data in a profile. Raises FormatError naming the setting and the rule."""
    data = CardData(
        face=_face(whole.table("card")),
        application=_application(whole.table("application")),
        risk=_risk(whole.table("risk")),
        cryptograms=_cryptograms(whole.table("keys")),
        rsa_bits=_rsa(whole.table("rsa")),
        cash=_cash(whole.table("cash")) if whole.has("cash") else None,
        contactless=_contactless(whole.table("qpboc")) if whole.has("qpboc") else None,
        sm=_sm(whole.table("sm")) if whole.has("sm") else False,
    )
    whole.end()
    return data


def _face(table: Settings) -> Face:
    with_document = table.has("document_type") or table.has("document_number")
    pan = table.digits("pan", PAN_DIGITS)
    psn = table.digits("psn", {2})
    name = table.text("name", range(2, 27))
    effective, expires = table.day("effective"), table.day("expires")
    service_code = table.digits("service_code", {3})
    product = table.octets("product", {16})
    pin = Secret(table.digits("pin", PIN_DIGITS).encode())
    pin_tries = table.whole("pin_tries", range(1, 16))
    kind = table.digits("document_type", {2}) if with_document else ""
    number = table.text("document_number", range(1, 41)) if with_document else ""
    table.end()
    try:
        return Face(
            pan,
            psn,
            name,
            effective,
            expires,
            service_code,
            product,
            pin,
            pin_tries,
            kind,
            number,
        )
    except FormatError as error:
        raise FormatError(f"card.{error}") from None


def _methods(table: Settings) -> Methods:
    return Methods(
        _rules(table),
        table.octets("iac_default", {5}),
        table.octets("iac_denial", {5}),
        table.octets("iac_online", {5}),
    )


def _rules(table: Settings) -> tuple[bytes, ...]:
    """`cvm`: one string, 4 hexadecimal digits a rule."""
    whole = table.octets("cvm", range(2, 245, 2))
    return tuple(whole[at : at + 2] for at in range(0, len(whole), 2))


def _application(table: Settings) -> ApplicationData:
    found = ApplicationData(
        label=table.text("label", range(1, 17)),
        preferred_name=table.text("preferred_name", range(1, 17)),
        language=table.text("language", range(2, 9, 2)),
        version=int.from_bytes(table.octets("version", {2})),
        interchange=table.octets("interchange", {2}),
        usage=table.octets("usage", {2}),
        country=table.digits("country", {3}),
        currency=table.digits("currency", {3}),
        methods=_methods(table),
        log_records=table.whole("log_records", _LOG_RECORDS),
    )
    table.end()
    return found


def _optional(table: Settings, name: str, allowed: range) -> int | None:
    return table.whole(name, allowed) if table.has(name) else None


def _risk(table: Settings) -> Risk:
    found = Risk(
        default_action=table.octets("default_action", {2}),
        issuer_authentication_mandatory=table.flag("issuer_authentication_mandatory"),
        terminal_lower_limit=_optional(table, "terminal_lower_limit", _BYTE),
        terminal_upper_limit=_optional(table, "terminal_upper_limit", _BYTE),
        lower_limit=_optional(table, "lower_limit", _BYTE),
        upper_limit=_optional(table, "upper_limit", _BYTE),
        amount_limit=_optional(table, "amount_limit", _AMOUNTS),
        amount_upper_limit=_optional(table, "amount_upper_limit", _AMOUNTS),
        international_currency_limit=_optional(table, "international_currency_limit", _BYTE),
        international_country_limit=_optional(table, "international_country_limit", _BYTE),
        second_currency=table.digits("second_currency", {3})
        if table.has("second_currency")
        else "",
        conversion_factor=bytes.fromhex(table.digits("conversion_factor", {8}))
        if table.has("conversion_factor")
        else b"",
        dual_limit=_optional(table, "dual_limit", _AMOUNTS),
    )
    table.end()
    return found


def _cash(table: Settings) -> Cash:
    found = Cash(
        balance=table.whole("balance", _AMOUNTS),
        balance_limit=table.whole("balance_limit", _AMOUNTS),
        single_limit=table.whole("single_limit", _AMOUNTS),
        reset_threshold=table.whole("reset_threshold", _AMOUNTS),
        authorisation_code=table.text("authorisation_code", {6}),
        methods=_methods(table),
        load_log_records=table.whole("load_log_records", _LOG_RECORDS),
        second=_second_cash(table.table("second")) if table.has("second") else None,
    )
    if found.balance > found.balance_limit:
        table.fail("balance", "must not be above balance_limit")
    table.end()
    return found


def _second_cash(table: Settings) -> SecondCash:
    found = SecondCash(
        currency=table.digits("currency", {3}),
        balance=table.whole("balance", _AMOUNTS),
        balance_limit=table.whole("balance_limit", _AMOUNTS),
        single_limit=table.whole("single_limit", _AMOUNTS),
        reset_threshold=table.whole("reset_threshold", _AMOUNTS),
        cvm_limit=table.whole("cvm_limit", _AMOUNTS),
    )
    if found.balance > found.balance_limit:
        table.fail("balance", "must not be above balance_limit")
    table.end()
    return found


def _contactless(table: Settings) -> Contactless:
    cvn = table.digits("cvn", {2})
    if cvn not in _CVNS:
        table.fail("cvn", f"must be {' or '.join(_CVNS)}")
    found = Contactless(
        processing=table.octets("processing", {4}),
        qualifiers=table.octets("qualifiers", {2}),
        cvm_limit=table.whole("cvm_limit", _AMOUNTS),
        cvn=_CVNS[cvn],
    )
    table.end()
    return found


def _cryptograms(table: Settings) -> Cryptograms:
    index = table.whole("index", _BYTE)
    told = table.text("tell_issuer", range(1, 41))
    if told not in _TOLD:
        table.fail("tell_issuer", f"must be {', '.join(_TOLD)}")
    table.end()
    return Cryptograms(index, _TOLD[told])


def _rsa(table: Settings) -> int:
    bits = table.whole("bits", range(min(SIZES), max(SIZES) + 1))
    if bits not in SIZES:
        table.fail("bits", f"must be {', '.join(map(str, SIZES))}")
    table.end()
    return bits


def _sm(table: Settings) -> bool:
    wanted = table.flag("records")
    table.end()
    return wanted

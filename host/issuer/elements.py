# SPDX-License-Identifier: Apache-2.0
"""The data elements of a card, made of its card data: what stands in each record and parameter."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.tlv import Tlv, tlv
from apdu.wire.cryptogram import OneAmount, OneAmountIdd, TwoAmounts, TwoAmountsIdd
from apdu.wire.elements import BY_TAG
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.answers import CvmRule
from host.issuer.card_data import CardData, Methods

CDOL1: Final = bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14")
"""What CVN 01 is computed over, and time and merchant for the log."""
CDOL2: Final = bytes.fromhex("8A02") + CDOL1
LOG_FORMAT: Final = bytes.fromhex("9A039F21039F02069F03069F1A025F2A029F4E149C019F3602")
LOAD_LOG_FORMAT: Final = bytes.fromhex("9A039F21039F1A029F4E149C019F3602")
DISCRETIONARY: Final = "00000000"
"""Issuer's digits at the end of the track."""


def element(tag: int, value: bytes) -> Tlv:
    """An element of a length that it may have. Raises FormatError naming it."""
    known = BY_TAG[tag]
    if not known.least <= len(value) <= known.most:
        rule = f"{known.least} to {known.most}"
        raise FormatError(f"{known.name} ({tag:X}): {len(value)} bytes, must be {rule}")
    return tlv(tag, value)


def track(data: CardData) -> list[Tlv]:
    """57 and 9F1F."""
    return [_track_2(data), element(0x9F1F, DISCRETIONARY.encode())]


def static(data: CardData) -> list[Tlv]:
    """What offline data authentication covers: PAN, dates and version."""
    face = data.face
    return [
        element(tags.PAN, _left(face.pan)),
        element(tags.EXPIRY, bytes.fromhex(face.expires.strftime("%y%m%d"))),
        element(tags.EFFECTIVE, bytes.fromhex(face.effective.strftime("%y%m%d"))),
        element(tags.CARD_VERSION, data.application.version.to_bytes(2)),
    ]


def holder(data: CardData) -> list[Tlv]:
    """The rest of what a terminal reads in any transaction."""
    face, application = data.face, data.application
    found = [
        element(tags.PSN, bytes.fromhex(face.psn)),
        element(tags.ISSUER_COUNTRY, _code(application.country)),
        element(tags.AUC, application.usage),
        element(tags.CARDHOLDER_NAME, face.name.encode()),
        element(tags.SERVICE_CODE, _code(face.service_code)),
        element(tags.CURRENCY_CODE, _code(application.currency)),
        element(tags.PRODUCT, face.product),
    ]
    if face.document_type:
        found += [
            element(tags.DOCUMENT_NUMBER, face.document_number.encode()),
            element(tags.DOCUMENT_TYPE, bytes.fromhex(face.document_type)),
        ]
    return found


def terminal_limits(data: CardData) -> list[Tlv]:
    """9F14 and 9F23; an empty record when the card has neither."""
    risk = data.risk
    return _numbers(
        {
            tags.TERMINAL_LOWER_LIMIT: risk.terminal_lower_limit,
            tags.TERMINAL_UPPER_LIMIT: risk.terminal_upper_limit,
        }
    )


def object_lists() -> list[Tlv]:
    return [element(tags.CDOL1, CDOL1), element(tags.CDOL2, CDOL2)]


def methods(found: Methods) -> list[Tlv]:
    """CVM list without amounts, and IACs."""
    rules = b"".join(bytes(CvmRule(*rule)) for rule in found.cvm)
    return [
        element(tags.CVM_LIST, bytes(8) + rules),
        element(tags.IAC_DEFAULT, found.iac_default),
        element(tags.IAC_DENIAL, found.iac_denial),
        element(tags.IAC_ONLINE, found.iac_online),
    ]


def discretionary(told: OneAmount | TwoAmounts | None) -> bytes:
    """The end of 9F10, with zeros for what the card puts in."""
    if told is None:
        return b""
    if isinstance(told, OneAmount):
        return bytes(OneAmountIdd(told, bytes(5)))
    return bytes(TwoAmountsIdd(told, bytes(5), bytes(5)))


def parameters(data: CardData) -> tuple[list[Tlv], list[Tlv]]:
    """The application's own elements, groups 0D01 and 0E01: limits and balances, and the rest."""
    return [*_limits(data), *_cash(data)], _others(data)


def _limits(data: CardData) -> list[Tlv]:
    risk, contactless = data.risk, data.contactless
    return [
        element(tags.RISK_CURRENCY, _code(data.application.currency)),
        element(tags.RISK_COUNTRY, _code(data.application.country)),
        *_numbers(
            {
                tags.INTERNATIONAL_CURRENCY_LIMIT: risk.international_currency_limit,
                tags.INTERNATIONAL_COUNTRY_LIMIT: risk.international_country_limit,
                tags.LOWER_LIMIT: risk.lower_limit,
                tags.UPPER_LIMIT: risk.upper_limit,
            }
        ),
        *_amounts(
            {
                tags.CTTAL: risk.amount_limit,
                tags.CTTAUL: risk.amount_upper_limit,
                tags.DUAL_LIMIT: risk.dual_limit,
                tags.CARD_CVM_LIMIT: contactless.cvm_limit if contactless else None,
            }
        ),
        *_given(tags.SECOND_CURRENCY, risk.second_currency and _code(risk.second_currency)),
        *_given(tags.CONVERSION_FACTOR, risk.conversion_factor),
    ]


def _cash(data: CardData) -> list[Tlv]:
    cash = data.cash
    if cash is None:
        return []
    found = _amounts(
        {
            tags.EC_BALANCE: cash.balance,
            tags.EC_BALANCE_LIMIT: cash.balance_limit,
            tags.EC_SINGLE_LIMIT: cash.single_limit,
            tags.EC_RESET_THRESHOLD: cash.reset_threshold,
        }
    )
    second = cash.second
    if second is not None:
        found += [
            element(tags.SECOND_EC_CURRENCY, _code(second.currency)),
            *_amounts(
                {
                    tags.SECOND_EC_BALANCE: second.balance,
                    tags.SECOND_EC_BALANCE_LIMIT: second.balance_limit,
                    tags.SECOND_EC_SINGLE_LIMIT: second.single_limit,
                    tags.SECOND_EC_THRESHOLD: second.reset_threshold,
                    tags.SECOND_EC_CVM_LIMIT: second.cvm_limit,
                }
            ),
        ]
    return found


def _others(data: CardData) -> list[Tlv]:
    """Among them what a tap answers beside its cryptogram."""
    risk, face, contactless = data.risk, data.face, data.contactless
    found = [
        element(tags.ADA, risk.default_action),
        element(
            tags.ISSUER_AUTHENTICATION_INDICATOR,
            b"\x80" if risk.issuer_authentication_mandatory else b"\x00",
        ),
        element(tags.ATC, bytes(2)),
        element(tags.LAST_ONLINE_ATC, bytes(2)),
        element(tags.LOG_FORMAT, LOG_FORMAT),
    ]
    if data.cash is not None:
        found.append(element(tags.LOAD_LOG_FORMAT, LOAD_LOG_FORMAT))
    if contactless is not None:
        found += [
            element(tags.CARD_PROCESSING, contactless.processing),
            element(tags.CTQ, contactless.qualifiers),
            _track_2(data),
            element(tags.PSN, bytes.fromhex(face.psn)),
            element(tags.CARDHOLDER_NAME, face.name.encode()),
            element(tags.PRODUCT, face.product),
        ]
    return found


def _track_2(data: CardData) -> Tlv:
    face = data.face
    whole = face.pan + "D" + face.expires.strftime("%y%m") + face.service_code + DISCRETIONARY
    return element(tags.TRACK_2, _left(whole))


def _left(digits: str) -> bytes:
    """Digits from the left, filled with F to whole bytes."""
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def _code(digits: str) -> bytes:
    """Three digits in two bytes."""
    return bytes.fromhex(digits.zfill(4))


def _numbers(values: dict[int, int | None]) -> list[Tlv]:
    """One byte each; what is None is not there."""
    return [element(tag, value.to_bytes(1)) for tag, value in values.items() if value is not None]


def _amounts(values: dict[int, int | None]) -> list[Tlv]:
    return [element(tag, amount_bytes(value)) for tag, value in values.items() if value is not None]


def _given(tag: int, value: bytes | str) -> list[Tlv]:
    return [element(tag, value)] if isinstance(value, bytes) and value else []

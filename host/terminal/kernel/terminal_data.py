# SPDX-License-Identifier: Apache-2.0
"""The data elements that a terminal has: the white list. Of all that it knows, DOLs are filled from
these, and from nothing else.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from host.network.authorisation import EntryMode, Purpose
from host.network.purposes import TRANSACTION_TYPES
from host.terminal.kernel.config import ApplicationParameters, TerminalConfig
from host.terminal.kernel.transaction import Order

ACQUIRER, AMOUNT_BINARY, CURRENCY_EXPONENT = 0x9F01, 0x81, 0x5F36
_LARGEST_BINARY: Final = 0xFFFFFFFF


def terminal_data(
    config: TerminalConfig, order: Order, entry: EntryMode = EntryMode.CHIP
) -> dict[int, bytes]:
    """The elements of a transaction that do not depend on the application.

    Raises FormatError for an amount of more than 12 digits, or an unpredictable number that has
    not 4 bytes. An amount that does not fit 4 bytes has no binary form (81).
    """
    if len(order.unpredictable_number) != 4:
        raise FormatError("unpredictable number (9F37): must be 4 bytes")
    data = {
        tags.AMOUNT: amount_bytes(order.amount),
        tags.OTHER_AMOUNT: amount_bytes(order.other_amount),
        tags.CURRENCY: _number(order.currency, 2),
        tags.DATE: bytes.fromhex(f"{order.time:%y%m%d}"),
        tags.TIME: bytes.fromhex(f"{order.time:%H%M%S}"),
        tags.TRANSACTION_TYPE: TRANSACTION_TYPES[order.purpose],
        tags.SEQUENCE_COUNTER: _number(str(order.trace), 4),
        tags.UNPREDICTABLE_NUMBER: order.unpredictable_number,
        tags.TERMINAL_COUNTRY: _number(config.country, 2),
        CURRENCY_EXPONENT: _number(str(config.currency_exponent), 1),
        tags.TERMINAL_TYPE: _number(config.type, 1),
        tags.TERMINAL_CAPABILITIES: config.capabilities.to_bytes(3),
        tags.ADDITIONAL_CAPABILITIES: config.additional_capabilities,
        tags.TERMINAL_ID: config.id.encode("ascii"),
        tags.DEVICE_SERIAL: config.serial.encode("ascii"),
        tags.MERCHANT_ID: config.merchant_id.encode("ascii"),
        tags.MERCHANT_NAME: config.merchant_name,
        tags.MERCHANT_CATEGORY: _number(config.merchant_category, 2),
        tags.POS_ENTRY_MODE: _number(entry.value, 1),
        tags.SM_INDICATOR: bytes((config.sm,)),
        ACQUIRER: _number(config.acquirer, 6),
    }
    if order.amount <= _LARGEST_BINARY:
        data[AMOUNT_BINARY] = order.amount.to_bytes(4)
    return data


def application_data(application: ApplicationParameters, order: Order) -> dict[int, bytes]:
    """The elements that the parameters of the selected application give.

    Electronic cash is offered (9F7A) for purchases within the terminal's limit for it
    (JR/T 0025.13).
    """
    cash = application.cash_limit
    offers_cash = (
        cash is not None
        and order.purpose is Purpose.PURCHASE
        and not order.force_online
        and order.amount <= cash
    )
    data = {
        tags.TERMINAL_AID: application.aid,
        tags.TERMINAL_VERSION: application.version,
        tags.FLOOR_LIMIT: application.risk.floor_limit.to_bytes(4),
        tags.EC_INDICATOR: bytes((offers_cash,)),
        tags.TTQ: application.ttq.to_bytes(4),
    }
    if cash is not None:
        data[tags.EC_TERMINAL_LIMIT] = amount_bytes(cash)
    return data


def _number(digits: str, size: int) -> bytes:
    """Format n: digits in BCD, filled with 0 on the left."""
    return bytes.fromhex(digits.rjust(2 * size, "0"))

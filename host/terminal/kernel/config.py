# SPDX-License-Identifier: Apache-2.0
"""What a terminal is: its identity, what it can do, its limits, and whom it trusts.

`load_config` reads it from TOML (`config_file` has the rules); the one that is shipped,
`terminal.toml`, has the values of UnionPay. `terminal_data` and `application_data` are the white
list: of all that a terminal knows, DOLs are filled from these elements, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.flags import TerminalCapabilities
from host.network.authorisation import EntryMode, Purpose
from host.network.purposes import TRANSACTION_TYPES
from host.terminal.kernel.capks import AuthorityKeys
from host.terminal.kernel.transaction import Order

ACQUIRER, AMOUNT_BINARY, CURRENCY_EXPONENT = 0x9F01, 0x81, 0x5F36
_LARGEST_BINARY: Final = 0xFFFFFFFF
_CASH, _ONLINE, _UNATTENDED = 0x80, frozenset("1245"), frozenset("456")
_INSTITUTION: Final = "1"
"""First digit of the terminal type where a bank operates it (EMV Book 4 annex A1)."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Terminal risk management (EMV Book 3 10.6). Amounts in fen, shares in percent, 0 to 99."""

    floor_limit: int
    random_threshold: int
    random_target: int
    random_maximum: int


@dataclass(frozen=True, slots=True)
class ContactlessLimits:
    """In fen; a limit that is None is not asked. An amount of a limit is within it."""

    floor: int | None = None
    """DF19: above it a transaction is to be online."""
    transaction: int | None = None
    """DF20: above it no transaction is made over contactless."""
    cvm: int | None = None
    """DF21: above it the holder must be verified."""


@dataclass(frozen=True, slots=True)
class ApplicationParameters:
    """What a terminal does with the applications that an AID stands for."""

    aid: bytes
    """5 to 16 bytes."""
    partial: bool
    """Whether longer names that begin with `aid` are meant too (部分匹配)."""
    version: bytes
    """9F09."""
    tac_denial: bytes
    tac_online: bytes
    tac_default: bytes
    risk: Risk
    default_ddol: bytes
    cash_limit: int | None
    """9F7B: the largest amount for electronic cash, in fen; None: the terminal does none. On that
    way it stands for the floor limit, and nothing is selected at random (`cash-risk`)."""
    ttq: int
    """9F66 as bits of `Ttq`, before what a transaction adds to it."""
    contactless: ContactlessLimits

    def covers(self, name: bytes) -> bool:
        """Whether an application of this name is meant."""
        return name.startswith(self.aid) if self.partial else name == self.aid


@dataclass(frozen=True, slots=True)
class TerminalConfig:
    """A terminal as it was set up; nothing of it changes while it works."""

    id: str
    """9F1C, 8 characters."""
    serial: str
    """9F1E, 8 characters."""
    type: str
    """9F35, two digits: who operates it, whether it is attended and can go online."""
    capabilities: int
    """9F33 as bits of `TerminalCapabilities`."""
    additional_capabilities: bytes
    """9F40, 5 bytes."""
    country: str
    """9F1A, 3 digits of ISO 3166."""
    currency: str
    currency_exponent: int
    sm: bool
    """Whether it can do SM2, SM3 and SM4 (DF69)."""
    pse: bool
    """Whether it asks for the directory 1PAY.SYS.DDF01 before it tries its list of AIDs."""
    merchant_id: str
    """9F16, 15 characters."""
    merchant_name: bytes
    """9F4E, in GBK, 20 bytes at most."""
    merchant_category: str
    acquirer: str
    """9F01, 6 to 11 digits."""
    applications: tuple[ApplicationParameters, ...]
    keys: AuthorityKeys = field(default=AuthorityKeys(), repr=False)
    exceptions: frozenset[str] = field(default=frozenset(), repr=False)
    """终端异常文件: PANs that were reported lost."""

    @property
    def online_capable(self) -> bool:
        return self.type[1] in _ONLINE

    @property
    def attended(self) -> bool:
        return self.type[1] not in _UNATTENDED

    @property
    def dispenses_cash(self) -> bool:
        """Whether it is a bank's machine that gives out notes: an ATM (EMV Book 4 annex A1)."""
        unattended = self.type[0] == _INSTITUTION and not self.attended
        return unattended and bool(self.additional_capabilities[0] & _CASH)

    def can(self, capability: TerminalCapabilities) -> bool:
        """Whether 9F33 has this bit."""
        return bool(self.capabilities & capability)

    def parameters(self, name: bytes) -> ApplicationParameters | None:
        """Those for an application of this name: of several the longest AID; None: not known."""
        found = [each for each in self.applications if each.covers(name)]
        return max(found, key=lambda each: len(each.aid), default=None)


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

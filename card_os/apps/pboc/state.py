# SPDX-License-Identifier: Apache-2.0
"""What changes from transaction to transaction, and survives: counters, flags, balances.

All of it is one record of fixed length, written whole in one atomic step together with whatever
else belongs to the step (a log, a life-cycle state). Amounts are in the minor unit of their
currency (fen).
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.fields import uint, wire
from apdu.wire.record import Record, record
from card_os.files.records import ElementaryFile
from card_os.files.tree import Directory

STATE_FID: Final = 0xD501
LARGEST_ATC: Final = 0xFFFF
"""At this the application is blocked for good: the ATC never begins anew."""
MOST_FAILURES: Final = 100
"""Failures of EXTERNAL AUTHENTICATE, or of script MACs, after which all of them are refused."""


class Flag(IntFlag):
    """What a transaction leaves for the next one."""

    ONLINE_REQUESTED = 0x01
    """联机授权请求: the last online transaction was not completed."""
    ISSUER_AUTHENTICATION_FAILED = 0x02
    SDA_FAILED = 0x04
    DDA_FAILED = 0x08
    SCRIPT_FAILED = 0x10


@record
class CardState(Record):
    """The counters and balances of the application, 42 bytes."""

    atc: int = wire(uint(2), default=0)
    last_online_atc: int = wire(uint(2), default=0)
    flags: int = wire(uint(1), default=0)
    """Bits of `Flag`."""
    scripts: int = wire(uint(1), default=0)
    """发卡行脚本命令计数器: commands after the last second GENERATE AC, 15 at most."""
    authentication_failures: int = wire(uint(1), default=0)
    mac_failures: int = wire(uint(1), default=0)
    spent: int = wire(uint(6), default=0)
    """CTTA 累计脱机交易金额."""
    spent_dual: int = wire(uint(6), default=0)
    """CTTA in both currencies, counted in the application's own."""
    international_currency: int = wire(uint(1), default=0)
    international_country: int = wire(uint(1), default=0)
    balance: int = wire(uint(6), default=0)
    """9F79 电子现金余额."""
    second_balance: int = wire(uint(6), default=0)
    """DF79."""
    deducted: int = wire(uint(6), default=0)
    """DF63 分段扣费已抵扣额."""


def _file(directory: Directory) -> ElementaryFile:
    file = directory.by_fid.get(STATE_FID)
    if file is None:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
    return file


def load(directory: Directory) -> CardState:
    """The state as memory has it. StatusError 6985 when the application has none."""
    return CardState.parse(_file(directory).read_binary(0, CardState.byte_length()))


def store(directory: Directory, state: CardState) -> None:
    """Write the state; inside a block with the rest of it."""
    _file(directory).update_binary(0, bytes(state))

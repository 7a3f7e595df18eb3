# SPDX-License-Identifier: Apache-2.0
"""What changes from transaction to transaction, and survives: counters, flags, balances.

All of it is one record of fixed length, written whole in one atomic step together with whatever
else belongs to the step (a log, a life-cycle state). Amounts are in the minor unit of their
currency (fen).
"""

from __future__ import annotations

from enum import IntFlag
from struct import Struct, error
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
    """The counters and balances of the application, 40 bytes."""

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
        text = "{place} has no state: it is not personalised"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    return file


def load(directory: Directory) -> CardState:
    """The state as memory has it. StatusError 6985 when the application has none."""
    raw = _file(directory).read_binary(0, SIZE)
    profile = directory.made
    if profile is None:
        return unpacked(raw)
    state: CardState | None = profile.states.get(raw)
    return _keep(profile.states, raw, unpacked(raw)) if state is None else state


def store(directory: Directory, state: CardState) -> None:
    """Write the state; inside a block with the rest of it."""
    raw = packed(state)
    _file(directory).update_binary(0, raw)
    if directory.made is not None:
        _keep(directory.made.states, raw, state)


def with_flags(state: CardState, flags: int) -> CardState:
    """`replace(state, flags=flags)`, written out: nearly every online transaction passes here."""
    return CardState(
        state.atc,
        state.last_online_atc,
        flags,
        state.scripts,
        state.authentication_failures,
        state.mac_failures,
        state.spent,
        state.spent_dual,
        state.international_currency,
        state.international_country,
        state.balance,
        state.second_balance,
        state.deducted,
    )


def _keep(states: dict[bytes, CardState], raw: bytes, state: CardState) -> CardState:
    """Remember what the bytes mean, of these alone; that memory has them is not said by it."""
    states.clear()
    states[raw] = state
    return state


# Every command of a transaction takes the state from memory, so that is written out here. The
# declaration above is what it is held to.

_PACKED: Final = Struct(">HHBBBBHIHIBBHIHIHI")
"""A number of six bytes as its upper two and its lower four."""
SIZE: Final = _PACKED.size
_LOW: Final = 0xFFFFFFFF


def unpacked(raw: bytes) -> CardState:
    """What `CardState.parse` makes of these bytes, or FormatError."""
    try:
        (
            atc,
            last_online_atc,
            flags,
            scripts,
            authentication_failures,
            mac_failures,
            spent_high,
            spent,
            dual_high,
            dual,
            international_currency,
            international_country,
            balance_high,
            balance,
            second_high,
            second,
            deducted_high,
            deducted,
        ) = _PACKED.unpack(raw)
    except error:
        return CardState.parse(raw)
    return CardState(
        atc,
        last_online_atc,
        flags,
        scripts,
        authentication_failures,
        mac_failures,
        spent_high << 32 | spent,
        dual_high << 32 | dual,
        international_currency,
        international_country,
        balance_high << 32 | balance,
        second_high << 32 | second,
        deducted_high << 32 | deducted,
    )


def packed(state: CardState) -> bytes:
    """What `bytes(state)` is, or FormatError."""
    spent, dual, balance = state.spent, state.spent_dual, state.balance
    second, deducted = state.second_balance, state.deducted
    try:
        return _PACKED.pack(
            state.atc,
            state.last_online_atc,
            state.flags,
            state.scripts,
            state.authentication_failures,
            state.mac_failures,
            spent >> 32,
            spent & _LOW,
            dual >> 32,
            dual & _LOW,
            state.international_currency,
            state.international_country,
            balance >> 32,
            balance & _LOW,
            second >> 32,
            second & _LOW,
            deducted >> 32,
            deducted & _LOW,
        )
    except error:
        return bytes(state)

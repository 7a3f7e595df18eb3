# SPDX-License-Identifier: Apache-2.0
"""What the bank's application answers, and what it keeps in lists: AIP and AFL, cryptograms, CVMs.

Answers come in format 1 (template 80, values alone) or format 2 (template 77, TLVs).
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import before, raw, rest, uint, wire
from apdu.wire.record import Record, record

AFL_ENTRY: Final = 4
"""Bytes of one entry of the AFL."""
MAX_RECORDS: Final = 256
"""Records that an AFL may name in all: a limit of ours, so that no card makes a reader go on."""


@record
class AflEntry(Record):
    """应用文件定位器 (94): some records of one file (EMV Book 3 10.2)."""

    file: int = wire(uint(1))
    """SFI in the upper five bits."""
    first: int = wire(uint(1))
    last: int = wire(uint(1))
    authenticated: int = wire(uint(1))
    """How many of them, from the first, are static data to be authenticated."""

    @property
    def sfi(self) -> int:
        return self.file >> 3


def parse_afl(afl: bytes) -> tuple[AflEntry, ...]:
    """The entries of an AFL. Raises FormatError naming the rule it breaks: whole entries, SFI 1 to
    30, records from 1 upwards, no more for authentication than there are, 256 records in all."""
    if not afl or len(afl) % AFL_ENTRY:
        raise FormatError(f"AFL: {len(afl)} bytes, must be entries of {AFL_ENTRY}")
    found = tuple(AflEntry.parse(afl[at : at + AFL_ENTRY]) for at in range(0, len(afl), AFL_ENTRY))
    total = 0
    for entry in found:
        count = entry.last - entry.first + 1
        if not 1 <= entry.sfi <= 30 or entry.file & 7:
            raise FormatError(f"AFL: {entry.file:02X} names no SFI from 1 to 30")
        if entry.first < 1 or count < 1:
            raise FormatError(f"AFL: records {entry.first} to {entry.last} of SFI {entry.sfi}")
        if entry.authenticated > count:
            raise FormatError(
                f"AFL: {entry.authenticated} of {count} records of SFI {entry.sfi} to authenticate"
            )
        total += count
    if total > MAX_RECORDS:
        raise FormatError(f"AFL: {total} records, {MAX_RECORDS} at most")
    return found


@record
class ProcessingOptions(Record):
    """GPO's answer in format 1: AIP and AFL."""

    aip: int = wire(uint(2))
    afl: bytes = wire(rest())


@record
class Cryptogram(Record):
    """GENERATE AC's answer in format 1."""

    cid: int = wire(uint(1))
    atc: bytes = wire(raw(2))
    ac: bytes = wire(raw(8))
    iad: bytes = wire(rest(), default=b"")


@record
class CvmRule(Record):
    """One rule of the CVM list: a method and when it applies (EMV Book 3 annex C3)."""

    method: int = wire(uint(1))
    condition: int = wire(uint(1))


@record
class LogEntry(Record):
    """交易日志入口 (9F4D) and 圈存日志入口 (DF4D): where a log is, and how many records it has."""

    sfi: int = wire(uint(1))
    records: int = wire(uint(1))


@record
class LoadLogHead(Record):
    """In front of a load log record, 14 bytes: what was loaded, and the balance before and after.

    `tag`: 9F79, or DF79 for the second currency. Amounts are packed BCD. The elements that DF4F
    lists follow.
    """

    tag: int = wire(uint(2))
    before: bytes = wire(raw(6))
    after: bytes = wire(raw(6))


@record
class LoadLog(Record):
    """圈存日志 read as a whole (READ RECORD with P1 = 00): records of one length, newest first.

    `mac`: over all before it, under the transaction's script key (SK-MAC) of this ATC (profile
    choice `load-log-mac`).
    """

    atc: bytes = wire(raw(2))
    count: int = wire(uint(1))
    records: bytes = wire(before(4))
    mac: bytes = wire(raw(4))

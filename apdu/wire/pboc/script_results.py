# SPDX-License-Identifier: Apache-2.0
"""发卡行脚本结果 (DF31): what became of the issuer's scripts, 5 bytes for each, one behind the
other in the order they came (profile choice `script-results`)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import raw, uint, wire
from apdu.wire.record import Record, record

SIZE: Final = 5
LAST_NUMBERED: Final = 15
"""Of a later command the number does not fit: it is told as this one."""


class ScriptOutcome(IntEnum):
    """Upper half of the first byte."""

    NOT_PROCESSED = 0
    FAILED = 1
    SUCCEEDED = 2


@record
class ScriptResult(Record):
    """One script's result (EMV Book 4 annex A5 has the same shape)."""

    status: int = wire(uint(1))
    """`ScriptOutcome` in the upper half; in the lower the number of the command that failed,
    counted from 1, and 0 where that is not known."""
    identifier: bytes = wire(raw(4), default=bytes(4))
    """9F18 of the script, zeros when it had none."""

    @property
    def outcome(self) -> ScriptOutcome:
        """Raises FormatError for a value that means nothing."""
        try:
            return ScriptOutcome(self.status >> 4)
        except ValueError:
            raise FormatError(f"DF31: {self.status >> 4} is no result of a script") from None

    @property
    def failed_command(self) -> int:
        return self.status & 0x0F


def script_result(
    outcome: ScriptOutcome, failed_command: int = 0, identifier: bytes = b""
) -> ScriptResult:
    """A result; `identifier`: 4 bytes, or none."""
    number = min(failed_command, LAST_NUMBERED)
    return ScriptResult(outcome << 4 | number, identifier or bytes(4))


def parse_script_results(data: bytes) -> tuple[ScriptResult, ...]:
    """The results in a DF31. Raises FormatError when these are not whole results."""
    if len(data) % SIZE:
        raise FormatError(f"DF31: {len(data)} bytes, must be {SIZE} for each script")
    found = tuple(ScriptResult.parse(data[at : at + SIZE]) for at in range(0, len(data), SIZE))
    for result in found:
        _ = result.outcome
    return found

# SPDX-License-Identifier: Apache-2.0
"""Every chip of a test is asked for its reason after every command, and what it says is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apdu.command import decode
from apdu.errors import FormatError
from card_os.chip import Chip
from card_os.refusal import Refusal

OK, MORE = 0x9000, 0x61


def judge(answer: bytes, why: Refusal | None) -> None:
    """There is a reason for every answer that is a no, or a warning, and for no other."""
    sw = int.from_bytes(answer[-2:])
    if sw == OK or sw >> 8 == MORE:
        assert why is None
        return
    assert why is not None, f"{sw:04X}"
    assert sw == why.sw
    assert why.reason == why.reason.strip() != ""
    assert not any(mark in str(why) for mark in ("{", "}", "None"))
    assert all(isinstance(fact, int | str | tuple | None) for fact in why.about.values())


class Listener:
    """What the chips of a test said of themselves, and what was sent to them."""

    def __init__(self) -> None:
        self.said: list[str | bytes] = []
        self.sent: set[bytes] = set()
        self.refusals: list[Refusal] = []

    def judging(self, transmit: Callable[[Any, bytes], bytes]) -> Callable[[Any, bytes], bytes]:
        def judged(chip: Chip, command: bytes) -> bytes:
            answer = transmit(chip, command)
            why, remark = chip.refusal, chip.remark
            judge(answer, why)
            assert why is None or remark is None
            for each in (why, remark):
                if each is not None:
                    self.said += [str(each), repr(each)]
            if why is not None:
                self.refusals.append(why)
            self.sent |= {data_of(command), answer[:-2]}
            return answer

        return judged


def data_of(command: bytes) -> bytes:
    try:
        return decode(command)[3]
    except FormatError:
        return command[4:]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    found = Listener()
    monkeypatch.setattr(Chip, "transmit", found.judging(Chip.transmit))
    return found

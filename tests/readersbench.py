# SPDX-License-Identifier: Apache-2.0
"""Readers with cards in them, for the command line: `--reader ''` has a card, `psam` a PSAM.

readers = Readers.put(monkeypatch, tmp_path)        # the place of the allow-list is below tmp_path
answers(SELECT, PIN, "--allow", readers.atr)
"""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import sscard

from apdu.atr import Interface
from card_os.chip import Chip
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card, issue_test_psam

PIN = "0020000003123456"
UPDATE = "00D6850001AA"


class Readers:
    """The cards, and how many channels to them are open."""

    def __init__(self) -> None:
        self.card = issue_test_card()
        self.psam = issue_test_psam()
        self.open = 0

    @classmethod
    def put(cls, monkeypatch: pytest.MonkeyPatch, directory: Path) -> Readers:
        found = cls()

        class Reader(MemoryChannel):
            @classmethod
            def open(cls, name_part: str = "", **_: object) -> Reader:
                found.open += 1
                return cls(found.chip(name_part))

            def close(self) -> None:
                found.open -= 1

        monkeypatch.setattr("host.channel.pcsc.PcscChannel", Reader)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
        return found

    def chip(self, name: str) -> Chip:
        return self.psam if "psam" in name else self.card

    @property
    def atr(self) -> str:
        return self.card.reset(Interface.CONTACT).hex().upper()

    @property
    def psam_atr(self) -> str:
        return self.psam.reset(Interface.CONTACT).hex().upper()

    def cells(self) -> tuple[bytes, bytes]:
        return bytes(self.card._flash.cells), bytes(self.psam._flash.cells)


def answers(*words: object) -> list[str]:
    result = sscard("apdu", "--reader", "", *words)
    assert 0 == result.exit_code, result.output
    return [line[-5:] for line in result.stdout.splitlines()]

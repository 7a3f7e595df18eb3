# SPDX-License-Identifier: Apache-2.0
"""A recorded conversation of host and chip, replayed byte for byte against either of them.

The PINs in it are test PINs and stand in the clear, so it is read here and not by `apdu.trace`,
which masks them. `PYTHONPATH=.:tests python tests/together/test_journeys.py` records it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from books import VECTORS

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.trace import Exchange, write
from apdu.wire.hrss.application import INITIAL_PIN, SSSE_NAME
from apdu.wire.iso7816 import GET_CHALLENGE, READ_RECORD, SELECT, RecordRef, Selection
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_HOLDER, issue_test_card
from host.clients.hrss import HrssClient
from host.faults import NotAllowed, PinWrong

JOURNEY = VECTORS / "journeys" / "hrss_first_use.apdu"
CHOSEN_PIN, MISTYPED_PIN = "318274", "654312"
REMARKS = (
    "HRSS, the first use of a card: read it, be refused, mistype the PIN, log in, choose a PIN;",
    "then a challenge, and the account record of the bank's application",
    "chip: issue_test_card(generation='2.0', seed=7), test PINs in the clear",
    "source: ours; the chip of this project answered the host of this project",
    "how: PYTHONPATH=.:tests python tests/together/test_journeys.py",
    "checked: by eye, item by item, against the tables of apdu/wire/hrss.py and apdu/wire/pboc.py",
)


def first_use(card: Card) -> None:
    """What the journey is, in the words of the host."""
    client = HrssClient(card)
    issuer, holder = client.issuer(), client.holder()
    assert (TEST_HOLDER.card_number, TEST_HOLDER.number, TEST_HOLDER.name) == (
        issuer.card_number,
        holder.number,
        holder.full_name,
    )
    with pytest.raises(NotAllowed):
        client.household()
    client.select()
    assert 6 == client.tries_left()
    with pytest.raises(PinWrong) as wrong:
        client.verify(MISTYPED_PIN)
    assert 5 == wrong.value.tries_left
    client.verify(INITIAL_PIN)
    client.change_pin(INITIAL_PIN, CHOSEN_PIN)
    assert 6 == client.tries_left()
    client.verify(CHOSEN_PIN)
    assert "" == client.household().address
    assert 8 == len(card.send(GET_CHALLENGE, None, None, ne=8))
    card.send(SELECT, Selection(), DEBIT_AID)
    assert card.send(READ_RECORD, RecordRef(1, 1), None)
    assert card.send(SELECT, Selection(), SSSE_NAME)


def exchanges() -> Iterator[tuple[bytes, bytes]]:
    """The commands of the journey and their answers."""
    lines = JOURNEY.read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if not line.startswith("#")]
    for command, answer in zip(said[::2], said[1::2], strict=True):
        assert command.startswith("> ") and answer.startswith("< ")
        yield bytes.fromhex(command[2:]), bytes.fromhex(answer[2:])


class Tape:
    """Stands where a chip would: hands commands on and takes them down, or plays them back."""

    def __init__(self, transmit: Callable[[bytes], bytes]) -> None:
        self._transmit = transmit
        self.taken: list[Exchange] = []

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        return issue_test_card(seed=7).reset(interface)

    def transmit(self, command: bytes, /) -> bytes:
        answer = self._transmit(command)
        self.taken.append(Exchange(command, answer))  # not `of`, which would mask the test PINs
        return answer


def test_the_chip_answers_the_journey_byte_for_byte() -> None:
    chip = issue_test_card(seed=7)
    for command, answer in exchanges():
        assert answer == chip.transmit(command), command.hex(" ")


def test_the_host_says_the_journey_byte_for_byte() -> None:
    journey = exchanges()

    def play_back(command: bytes) -> bytes:
        expected, answer = next(journey)
        assert expected == command
        return answer

    first_use(Card(MemoryChannel(Tape(play_back))))
    assert [] == list(journey)


def record() -> str:
    tape = Tape(issue_test_card(seed=7).transmit)
    first_use(Card(MemoryChannel(tape)))
    return write(tape.taken, REMARKS)


def test_the_journey_is_what_would_be_recorded_today() -> None:
    assert JOURNEY.read_text(encoding="utf-8") == record()


def test_a_journey_with_pins_cannot_be_read_as_if_it_had_none() -> None:
    """The reader of `apdu.trace` masks: what it gives back is not what was said."""
    from apdu.trace import read

    text = JOURNEY.read_text(encoding="utf-8")
    masked = write(read(text), REMARKS)
    assert text != masked
    with pytest.raises(FormatError):
        list(read(masked))


if __name__ == "__main__":
    JOURNEY.write_text(record(), encoding="utf-8")

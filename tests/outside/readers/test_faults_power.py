# SPDX-License-Identifier: Apache-2.0
"""Cards that another program, or pcscd itself, has powered off: whoever comes next has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hermetic import READERS, Inserted, Pcscd, until

from apdu.vpcd import Signal
from host.channel.pcsc import PcscChannel
from host.faults import CardReset

pytestmark = pytest.mark.outside
scard = pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")

ASK = bytes.fromhex("0084000008")
OK = b"\x90\x00"
OFTEN = 20


class Toy:
    """A card that says yes."""

    def reset(self) -> bytes:
        return b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        return OK


@pytest.fixture
def inserted(pcscd: Pcscd) -> Iterator[Inserted]:
    inserted = pcscd.insert(Toy())
    until("the card is in the reader", pcscd.atr)
    yield inserted
    inserted.pull()
    until("the reader is empty", lambda: not pcscd.atr())


class Other:
    """A program that does not queue, with a connection."""

    def __init__(self) -> None:
        self.how = scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0
        code, self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        assert 0 == code
        self.connect()

    def connect(self) -> None:
        code, self.card, _ = scard.SCardConnect(self.context, READERS[0], *self.how)
        assert 0 == code, f"{code & 0xFFFF_FFFF:08X}"

    def take_up(self) -> None:
        assert 0 == scard.SCardReconnect(self.card, *self.how, scard.SCARD_LEAVE_CARD)[0]

    def power_off(self) -> None:
        self.leave(scard.SCARD_UNPOWER_CARD)

    def leave(self, disposition: int) -> None:
        assert 0 == scard.SCardDisconnect(self.card, disposition)

    def end(self) -> None:
        scard.SCardReleaseContext(self.context)


@pytest.fixture
def other(inserted: Inserted) -> Iterator[Callable[[], Other]]:
    others: list[Other] = []

    def other() -> Other:
        others.append(Other())
        return others[-1]

    yield other
    for each in others:
        each.end()


def test_a_card_that_was_powered_off_is_reset_once_by_whoever_takes_it_up_first(
    inserted: Inserted, other: Callable[[], Other]
) -> None:
    vandal = other()
    with PcscChannel.open(READERS[0]) as channel, PcscChannel.open(READERS[0]) as waiting:
        for _ in range(OFTEN):
            vandal.power_off()
            for each in channel, waiting:
                with pytest.raises(CardReset):
                    each.transmit(ASK)
            begun = len(inserted.signals)
            for each in channel, waiting:
                each.reset()
                assert OK == each.transmit(ASK)
            assert [Signal.RESET] == inserted.signals[begun:], "the first has, for all"
            vandal.connect()


def test_a_card_that_was_powered_off_is_opened_at_once_and_who_had_it_is_told(
    inserted: Inserted, other: Callable[[], Other]
) -> None:
    vandal = other()
    with PcscChannel.open(READERS[0]) as channel:
        for _ in range(OFTEN):
            vandal.power_off()
            with PcscChannel.open(READERS[0]) as late:
                assert OK == late.transmit(ASK)
                with pytest.raises(CardReset):
                    channel.transmit(ASK)
                channel.reset()
                assert OK == late.transmit(ASK), "it was not reset once more"
            vandal.connect()


def test_a_card_that_others_took_up_without_power_is_opened_all_the_same(
    inserted: Inserted, other: Callable[[], Other]
) -> None:
    careless, vandal = other(), other()
    for _ in range(OFTEN):
        vandal.power_off()
        careless.take_up()
        with pytest.raises(AssertionError, match="80100067"):
            vandal.connect()
        with PcscChannel.open(READERS[0]) as channel:
            assert OK == channel.transmit(ASK)
            vandal.connect()


def test_a_card_that_pcscd_powered_off_because_nobody_used_it_is_opened_at_once(
    inserted: Inserted,
) -> None:
    for _ in range(3):
        begun = len(inserted.signals)
        with PcscChannel.open(READERS[0]) as channel:
            assert OK == channel.transmit(ASK)
        until(
            "pcscd has powered it off",
            lambda begun=begun: inserted.signals[begun:][-1:] == [Signal.OFF],
            30,
        )

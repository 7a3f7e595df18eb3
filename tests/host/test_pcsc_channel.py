# SPDX-License-Identifier: Apache-2.0
"""The PC/SC channel against a service that fails on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
from fakescard import CONTACT, CONTACTLESS, ERRORS, NUMBERS, Service, installed

from apdu.atr import Interface
from apdu.wire.iso7816 import READ_RECORD, VERIFY, PinRef, RecordRef
from host.card import Card
from host.channel.pcsc import PcscChannel, PcscUnavailable, Protocol, readers
from host.channel.pcsc.context import REASONS
from host.faults import CardBusy, CardFault, CardGone, CardMute, CardReset, ReaderGone

ASK = bytes.fromhex("0084000008")
RESET = ERRORS["SCARD_W_RESET_CARD"]
LEAVE, ANEW = NUMBERS["SCARD_LEAVE_CARD"], NUMBERS["SCARD_RESET_CARD"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = installed(monkeypatch)
    service.insert()
    yield service
    service.is_left_alone()


@pytest.mark.parametrize("name", REASONS)
def test_every_failure_is_its_kind_of_fault_in_words(service: Service, name: str) -> None:
    kind, sentence = REASONS[name]
    with PcscChannel.open("one") as channel:
        service.fails["SCardTransmit"] = ERRORS[name]
        with pytest.raises(CardGone) as caught:
            channel.transmit(ASK)
    if name == "SCARD_E_PROTO_MISMATCH":  # of a card that had agreed on one
        name = "SCARD_W_RESET_CARD"
        kind, sentence = REASONS[name]
    assert (kind, f"ACME One: {sentence} ({name})") == (type(caught.value), str(caught.value))


def test_a_card_without_the_protocol_asked_for_is_told(service: Service) -> None:
    service.fails["SCardConnect"] = ERRORS["SCARD_E_PROTO_MISMATCH"]
    with pytest.raises(CardGone, match="does not speak the protocol asked for") as caught:
        PcscChannel.open("one")
    assert not isinstance(caught.value, CardReset)


def test_a_failure_without_words_is_told_as_a_number(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        service.fails["SCardTransmit"] = 0x8010FFFF
        with pytest.raises(CardGone, match="SCardTransmit failed with 8010FFFF"):
            channel.transmit(ASK)


def test_a_desk_can_tell_what_to_do(service: Service) -> None:
    kinds = {name: kind for name, (kind, _) in REASONS.items()}
    assert {"SCARD_W_RESET_CARD", "SCARD_W_UNPOWERED_CARD"} == {
        name for name, kind in kinds.items() if kind is CardReset
    }
    assert {"SCARD_E_SHARING_VIOLATION"} == {name for name in kinds if kinds[name] is CardBusy}
    assert ReaderGone is kinds["SCARD_E_NO_SERVICE"] is kinds["SCARD_E_READER_UNAVAILABLE"]
    assert CardGone is kinds["SCARD_W_REMOVED_CARD"]


@pytest.mark.parametrize("kept", [False, True])
def test_a_reset_says_whether_it_came_into_a_transaction(service: Service, kept: bool) -> None:
    with PcscChannel.open("one") as channel:
        with pytest.raises(CardReset) as caught:
            if not kept:
                service.fails["SCardTransmit"] = RESET
                channel.transmit(ASK)
            with channel.transaction():
                service.fails["SCardTransmit"] = RESET
                channel.transmit(ASK)
        assert kept == caught.value.kept
        service.fails = {"SCardBeginTransaction": RESET}
        with pytest.raises(CardReset) as caught, channel.transaction():
            pytest.fail("the card was not the same")
        assert not caught.value.kept


def test_a_read_is_sent_again_over_pcsc_and_a_pin_is_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reset_once(*given: object) -> tuple[int, list[int]]:
        monkeypatch.setattr(service, "SCardTransmit", real)
        return RESET - (1 << 32), []

    real = service.SCardTransmit
    with PcscChannel.open("one") as channel:
        card = Card(channel)
        monkeypatch.setattr(service, "SCardTransmit", reset_once)
        card.send(READ_RECORD, RecordRef(1, 5), None)
        assert [bytes.fromhex("00B2012C00")] == service.sent
        assert [LEAVE, ANEW] == ways(service), "nothing says where the other has left it"
        names = [call[0] for call in service.calls]
        assert "SCardBeginTransaction" == names[names.index("SCardReconnect") + 4]
        monkeypatch.setattr(service, "SCardTransmit", reset_once)
        with pytest.raises(CardReset):
            card.send(VERIFY, PinRef(), b"\x12\x34\x56")
        assert 1 == len(service.sent)


def ways(service: Service) -> list[int]:
    """How the card was taken up, each time."""
    return [call[-1] for call in service.calls if call[0] == "SCardReconnect"]


def test_a_card_that_another_program_reset_is_taken_up_as_it_is_and_a_second_call_resets_it(
    service: Service,
) -> None:
    with PcscChannel.open("one") as channel:
        for failing in ("SCardTransmit", "SCardBeginTransaction"):
            service.fails = {failing: RESET}
            with pytest.raises(CardReset), channel.transaction():
                channel.transmit(ASK)
            service.fails = {}
            service.calls = []
            for _ in range(3):
                channel.reset()
            assert [LEAVE, ANEW, ANEW] == ways(service)


def test_a_card_that_another_program_switched_off_is_reset_to_have_power(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        service.fails = {"SCardTransmit": ERRORS["SCARD_W_UNPOWERED_CARD"]}
        with pytest.raises(CardReset) as caught:
            channel.transmit(ASK)
        assert caught.value.off
        channel.reset()
        assert [ANEW] == ways(service)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("function", ["SCardReconnect", "SCardStatus"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_reset_that_comes_between_is_met_by_another_try_and_a_few_are_told(
    service: Service, told: bool, function: str, times: int
) -> None:
    most = 2 if told else 1
    with PcscChannel.open("one") as channel:
        if told:
            service.fails = {"SCardTransmit": RESET}
            with pytest.raises(CardReset):
                channel.transmit(ASK)
            service.fails = {}
        service.fails_for = {function: [RESET] * times}
        if times <= most:
            assert CONTACT == channel.reset()
        else:
            with pytest.raises(CardReset):
                channel.reset()
        assert ([LEAVE] * told + [ANEW] * 2)[: times + 1] == ways(service)


def test_a_reset_forgets_what_was_told(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        channel.transmit(ASK)
        assert not channel.told.only_reads
        channel.reset()
        assert channel.told.only_reads


def test_a_reader_that_another_program_keeps_is_busy(service: Service) -> None:
    service.fails["SCardConnect"] = ERRORS["SCARD_E_SHARING_VIOLATION"]
    with pytest.raises(CardBusy):
        PcscChannel.open("one")
    service.fails.clear()
    service.hangs["SCardBeginTransaction"] = Event()
    with PcscChannel.open("one") as channel:
        channel.deadline = 0.05
        with pytest.raises(CardBusy, match="kept the card to itself"), channel.transaction():
            pytest.fail("nobody else was there")
    _wake(service, "SCardBeginTransaction")
    assert [] == service.sent


def test_a_service_that_does_not_answer_is_told_and_one_that_is_not_there(
    service: Service,
) -> None:
    service.hangs["SCardListReaders"] = Event()
    with pytest.raises(ReaderGone, match="does not answer"):
        readers(deadline=0.05)
    _wake(service, "SCardListReaders")
    service.alive = False
    with pytest.raises(ReaderGone, match="does not run"):
        readers()


def _wake(service: Service, function: str) -> None:
    """Let the calls that hang go on, and wait until their threads have cleared up."""
    service.hangs.pop(function).set()
    service.is_left_alone()


def test_one_command_may_take_longer_than_others(service: Service) -> None:
    with PcscChannel.open("one", deadline=5) as channel:
        with channel.patience(60):
            assert 60 == channel.deadline
            with channel.patience(1):
                assert 60 == channel.deadline
        assert 5 == channel.deadline
        channel.deadline = 0.05
        service.hangs["SCardTransmit"] = Event()
        with pytest.raises(CardMute, match=r"did not answer for 0\.05 s"):
            channel.transmit(ASK)
    _wake(service, "SCardTransmit")


def test_a_card_in_the_field_is_known_by_its_atr_and_has_an_identifier(service: Service) -> None:
    service.insert(CONTACTLESS)
    service.uid = bytes.fromhex("08112233 9000")
    with PcscChannel.open("one") as channel:
        assert (Interface.CONTACTLESS, Protocol.T1) == (channel.interface, channel.protocol)
        assert channel.le_with_data
        assert bytes.fromhex("08112233") == channel.uid()
        assert [bytes.fromhex("FFCA000000")] == service.sent
        assert channel.told.only_reads, "the card was not asked"
        service.uid = b"\x6a\x81"
        assert b"" == channel.uid()


def test_a_card_in_a_slot_is_not_asked_for_an_identifier(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        assert (Interface.CONTACT, CONTACT) == (channel.interface, channel.atr)
        assert b"" == channel.uid()
    assert [] == service.sent


def test_another_card_after_a_reset_may_be_reached_otherwise(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        service.insert(CONTACTLESS)
        assert CONTACTLESS == channel.reset()
        assert Interface.CONTACTLESS is channel.interface


def test_every_fault_is_one_that_a_desk_handles() -> None:
    for kind in (CardReset, CardBusy, ReaderGone, CardMute):
        assert issubclass(kind, CardGone)
    assert issubclass(PcscUnavailable, CardFault)

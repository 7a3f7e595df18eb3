# SPDX-License-Identifier: Apache-2.0
"""A card that other programs power off: nobody sends to one without power, everybody gets on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from fakescard import CONTACT, ERRORS, NUMBERS, OK, Service, installed
from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.iso7816 import READ_RECORD, VERIFY, PinRef, RecordRef
from host.card import Card
from host.channel.pcsc import PcscChannel
from host.faults import CardBusy, CardGone, CardReset

ASK = bytes.fromhex("0084000008")
READ = READ_RECORD, RecordRef(1, 5), None
LEAVE, ANEW = NUMBERS["SCARD_LEAVE_CARD"], NUMBERS["SCARD_RESET_CARD"]
SIX = range(6)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = installed(monkeypatch)
    service.insert()
    yield service
    service.is_left_alone()
    assert not service.connected, "a connection was left behind"


def ways(service: Service) -> list[int]:
    """How the card was taken up, each time."""
    return [call[-1] for call in service.calls if call[0] == "SCardReconnect"]


def six(stack: ExitStack) -> list[PcscChannel]:
    return [stack.enter_context(PcscChannel.open("one")) for _ in SIX]


ACTS = st.one_of(
    st.tuples(st.just("off"), st.booleans()),
    st.tuples(st.sampled_from(["read", "reset", "open"]), st.sampled_from(SIX)),
)


@given(st.lists(ACTS, max_size=20))
def test_whatever_the_order_reads_go_on_and_nothing_is_sent_without_power(
    acts: list[tuple[str, int]],
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as stack:
        service = installed(monkeypatch)
        service.insert()
        channels = six(stack)
        for act, which in acts:
            if act == "off":
                service.powers_off(taken_up=bool(which))
            elif act == "reset":
                assert CONTACT == channels[which].reset()
            elif act == "open":
                channels[which].close()
                channels[which] = stack.enter_context(PcscChannel.open("one"))
            if act in ("open", "read"):
                Card(channels[which]).send(*READ)
        before = len(service.sent)
        for channel in channels:
            try:
                channel.transmit(ASK)
            except CardReset:
                channel.reset()
                assert OK == channel.transmit(ASK)
        assert len(SIX) == len(service.sent) - before


def test_of_six_that_had_the_card_the_first_gives_it_power_and_the_others_leave_it_so(
    service: Service,
) -> None:
    with ExitStack() as stack:
        channels = six(stack)
        service.powers_off()
        for channel in channels:
            with pytest.raises(CardReset):
                channel.transmit(ASK)
        service.calls = []
        for channel in channels:
            channel.reset()
            assert OK == channel.transmit(ASK)
        assert [LEAVE, ANEW] + [LEAVE] * 5 == ways(service)


def test_a_read_goes_on_after_a_power_off_and_a_pin_is_not_sent(service: Service) -> None:
    with PcscChannel.open("one") as channel:
        card = Card(channel)
        service.powers_off()
        card.send(*READ)
        assert 1 == len(service.sent)
        service.powers_off()
        with pytest.raises(CardReset):
            card.send(VERIFY, PinRef(), b"\x12\x34\x56")
        assert 1 == len(service.sent)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("taken_up", [True, False])
def test_a_card_without_power_is_opened(service: Service, taken_up: bool, shared: bool) -> None:
    service.powers_off(taken_up=taken_up)
    with PcscChannel.open("one", shared=shared) as channel:
        assert 1 == len(service.connected)
        assert OK == channel.transmit(ASK)
    assert [ANEW] * taken_up == ways(service)
    for call in service.calls:  # to have it alone it would wait until the others have left
        assert call[0] != "SCardReconnect" or NUMBERS["SCARD_SHARE_SHARED"] == call[2]
    shares = [call[3] for call in service.calls if call[0] == "SCardConnect"]
    share = NUMBERS["SCARD_SHARE_SHARED" if shared else "SCARD_SHARE_EXCLUSIVE"]
    assert share == shares[-1]


@pytest.mark.parametrize("code", ["SCARD_W_RESET_CARD", "SCARD_W_UNPOWERED_CARD"])
def test_a_card_that_is_reset_while_it_is_opened_is_taken_up(service: Service, code: str) -> None:
    service.fails_for = {"SCardStatus": [ERRORS[code]]}
    with PcscChannel.open("one") as channel:
        assert CONTACT == channel.atr
        assert OK == channel.transmit(ASK)
    assert [ANEW if "UNPOWERED" in code else LEAVE] == ways(service)


@pytest.mark.parametrize(
    ("code", "fault"),
    [("SCARD_W_UNRESPONSIVE_CARD", CardGone), ("SCARD_E_SHARING_VIOLATION", CardBusy)],
)
def test_a_card_that_gets_no_power_is_told_and_nothing_is_left_connected(
    service: Service, code: str, fault: type[CardGone]
) -> None:
    service.powers_off(taken_up=True)
    service.fails = {"SCardReconnect": ERRORS[code]}
    with pytest.raises(fault, match=code):
        PcscChannel.open("one")


def test_a_card_that_does_not_get_power_by_a_reset_is_told_as_off(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_vain(handle: int, *how: int) -> tuple[int, int]:
        service.reset.discard(handle)
        return 0, 1

    with PcscChannel.open("one") as channel:
        service.powers_off()
        with monkeypatch.context() as patched:
            patched.setattr(service, "SCardReconnect", in_vain)
            with pytest.raises(CardReset, match="powered off") as caught:
                channel.reset()
        assert caught.value.off
        assert CONTACT == channel.reset()


def test_where_states_are_numbers_in_a_row_the_service_sees_to_the_power(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    import smartcard.scard as scard

    monkeypatch.setattr(scard, "resourceManager", "winscard")
    state = 6  # SCARD_SPECIFIC of Windows: a protocol was agreed on
    monkeypatch.setattr(service, "SCardStatus", lambda _: (0, "ACME One", state, 1, [*CONTACT]))
    with PcscChannel.open("one") as channel:
        assert CONTACT == channel.reset()

# SPDX-License-Identifier: Apache-2.0
"""The gate before a PIN: which tries it asks for, when, and what the floor keeps."""

from __future__ import annotations

import pytest
from guardbench import (
    ASK,
    ASK_PAYMENT,
    CHALLENGE,
    CHANGE,
    OK,
    PAYMENT_PIN,
    RESPONSE,
    SELECT,
    VERIFY,
    Seen,
    behind,
    held_back,
    tries,
)

from host.faults import NotConfirmed, TooFewTries
from host.rules import FLOOR, Rules

# PIN tries


def test_the_floor_leaves_a_try() -> None:
    assert 1 == FLOOR == Rules().floor


@pytest.mark.parametrize("floor", range(4))
@pytest.mark.parametrize("left", range(1, 6))
def test_a_pin_is_tried_while_a_wrong_one_leaves_the_floor(floor: int, left: int) -> None:
    card = Seen(x00200000=tries(left))
    channel = behind(card, floor=floor)
    if left - 1 >= floor:
        assert OK == channel.transmit(VERIFY)
        assert [ASK, VERIFY] == card.seen
        assert [True, True] == card.alone
    else:
        said = held_back(channel, VERIFY, TooFewTries)
        assert f"tries left: {left}" in said
        assert f"--floor {left - 1} tries" in said
        assert [ASK] == card.seen


def test_a_pin_that_has_no_tries_left_has_none_to_lose() -> None:
    card = Seen(x00200000=b"\x69\x83", x0020000003123456=b"\x69\x83")
    assert b"\x69\x83" == behind(card).transmit(VERIFY)
    assert b"\x69\x83" == behind(Seen(x0020000003123456=b"\x69\x83")).transmit(VERIFY)


def test_a_pin_that_was_just_proven_may_be_proven_again() -> None:
    card = Seen()
    assert OK == behind(card, floor=3).transmit(VERIFY)
    assert [ASK, VERIFY] == card.seen


@pytest.mark.parametrize("refusal", ["6700", "6D00", "6A88", "6984"])
def test_a_card_that_does_not_tell_its_tries_keeps_them(refusal: str) -> None:
    card = Seen(x00200000=bytes.fromhex(refusal))
    said = held_back(behind(card), VERIFY, TooFewTries)
    assert "does not tell" in said
    assert "--floor 0" in said
    assert OK == behind(card, floor=0).transmit(VERIFY)


def test_a_change_of_the_pin_tries_the_old_one() -> None:
    card = Seen(x00200000=tries(1))
    held_back(behind(card), CHANGE, TooFewTries)
    change_reference_data = bytes.fromhex("0024000006123456654321")
    held_back(behind(card), change_reference_data, TooFewTries)
    assert [ASK, ASK] == card.seen


def test_a_reload_of_the_pin_under_a_key_tries_none() -> None:
    card = Seen(x00200000=tries(1), x00200001=tries(1))
    for command in ("805E000007", "845E010107", "8424000104"):
        assert OK == behind(card).transmit(bytes.fromhex(command))


@pytest.mark.parametrize(
    ("cla", "asked"), [("00", "00200001"), ("01", "01200001"), ("42", "42200001")]
)
def test_tries_are_asked_for_on_the_channel_and_of_the_pin_that_is_meant(
    cla: str, asked: str
) -> None:
    card = Seen()
    behind(card).transmit(bytes.fromhex(f"{cla}20000103123456"))
    assert bytes.fromhex(asked) == card.seen[0]


# The PIN of a payment application


def test_a_payment_application_is_asked_for_its_tries_in_its_own_way() -> None:
    card = Seen(x80CA9F1700=bytes.fromhex("9F1701029000"), x00200080=b"\x67\x00")
    assert OK == behind(card).transmit(PAYMENT_PIN)
    assert [ASK_PAYMENT, PAYMENT_PIN] == card.seen
    card = Seen(x80CA9F1700=bytes.fromhex("9F1701019000"))
    held_back(behind(card), PAYMENT_PIN, TooFewTries)
    assert [ASK_PAYMENT] == card.seen


@pytest.mark.parametrize(
    "answer", ["6A88", "9000", "9F1702000290009000", "9F17", "9F36020003", "FFFFFF9000"]
)
def test_a_payment_application_that_does_not_tell_is_asked_as_others_are(answer: str) -> None:
    card = Seen(x80CA9F1700=bytes.fromhex(answer), x00200080=tries(2))
    assert OK == behind(card).transmit(PAYMENT_PIN)
    assert [ASK_PAYMENT, bytes.fromhex("00200080"), PAYMENT_PIN] == card.seen


# Between a challenge and its answer no question may come


def test_a_challenge_is_not_spoiled_by_a_question() -> None:
    card = Seen(x00200000=tries(3))
    channel = behind(card)
    channel.transmit(ASK)
    channel.transmit(CHALLENGE)
    channel.transmit(RESPONSE)
    assert OK == channel.transmit(VERIFY)
    assert [ASK, CHALLENGE, RESPONSE, VERIFY] == card.seen


def test_after_a_challenge_what_the_card_told_before_it_counts() -> None:
    card = Seen(x00200000=tries(1))
    channel = behind(card)
    channel.transmit(ASK)
    channel.transmit(CHALLENGE)
    assert "tries left: 1" in held_back(channel, VERIFY, TooFewTries)
    assert [ASK, CHALLENGE] == card.seen


@pytest.mark.parametrize("between", [[], [ASK, SELECT], [ASK[:3] + b"\x01"], [ASK, None]], ids=str)
def test_what_the_card_told_of_another_pin_or_before_a_reset_does_not_count(
    between: list[bytes | None],
) -> None:
    channel = behind(Seen(x00200000=tries(3), x00200001=tries(3)))
    for each in between:
        channel.reset() if each is None else channel.transmit(each)
    channel.transmit(CHALLENGE)
    assert "ask for them before" in held_back(channel, VERIFY, TooFewTries)


def test_what_a_wrong_pin_left_counts_after_a_challenge() -> None:
    card = Seen(x00200000=tries(3), x0020000003123456=tries(1))
    channel = behind(card)
    channel.transmit(VERIFY)
    channel.transmit(CHALLENGE)
    held_back(channel, VERIFY, TooFewTries)


def test_what_was_told_before_a_try_does_not_count_after_it() -> None:
    card = Seen(x00200000=tries(3), x0020000003123456=b"\x69\x82")
    channel = behind(card)
    channel.transmit(ASK)
    channel.transmit(VERIFY)
    channel.transmit(CHALLENGE)
    held_back(channel, VERIFY, TooFewTries)


@pytest.mark.parametrize("answer", [tries(1), b"\x67\x00"])
def test_the_last_try_of_a_pin_has_to_be_meant(answer: bytes) -> None:
    card = Seen(x00200000=answer)
    held_back(behind(card, sure=False, floor=0), VERIFY, NotConfirmed)
    assert [ASK] == card.seen
    assert OK == behind(card, floor=0).transmit(VERIFY)

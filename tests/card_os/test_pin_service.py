# SPDX-License-Identifier: Apache-2.0
"""PIN CHANGE/UNBLOCK: a desk with PUK and STK gives tries back, or sets a new PIN; nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import (
    NEW_PIN,
    PIN,
    SERVICES,
    SM4,
    TDES,
    Desk,
    both_suites,
    challenge,
    every_service,
    logged_in,
    ready,
)
from testbench import (
    FLASH_SIZE,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    change_pin,
    command,
    send_all,
    verify,
)

from apdu.crypto.suite import Suite
from apdu.wire.access import NEVER
from apdu.wire.hrss.application import PIN_TRIES, SSSE_NAME
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from card_os.world import World
from host.cli.testcard import TEST_DAY

# What it does


@both_suites
@pytest.mark.parametrize("wrong", range(PIN_TRIES + 1))
def test_unblocking_gives_the_tries_back_and_leaves_the_pin(suite: Suite, wrong: int) -> None:
    desk = ready(suite, wrong)
    assert PIN_TRIES - wrong == desk.tries()
    assert b"\x90\x00" == desk.chip.transmit(desk.unblock())
    assert PIN_TRIES == desk.tries()
    assert desk.opens()
    assert 0x9000 == desk.send(verify(PIN))


@both_suites
@pytest.mark.parametrize("wrong", [0, 1, PIN_TRIES])
def test_reloading_sets_a_new_pin_with_all_its_tries(suite: Suite, wrong: int) -> None:
    desk = ready(suite, wrong)
    assert b"\x90\x00" == desk.chip.transmit(desk.reload(NEW_PIN))
    assert PIN_TRIES == desk.tries()
    assert 0x63C0 | PIN_TRIES - 1 == desk.send(verify(PIN))
    assert 0x9000 == desk.send(verify(NEW_PIN))
    desk.chip.reset()
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(NEW_PIN))


@given(st.sampled_from([TDES, SM4]), st.text("0123456789", min_size=6, max_size=8))
def test_any_pin_of_6_to_8_digits_can_be_reloaded(suite: Suite, pin: str) -> None:
    desk = ready(suite)
    assert 0x9000 == desk.send(desk.reload(pin))
    assert 0x9000 == desk.send(verify(pin))


def test_the_initial_pin_can_be_reloaded_and_cannot_be_chosen_after_that() -> None:
    desk = ready()
    assert 0x9000 == desk.send(desk.reload(NEW_PIN))
    assert 0x6985 == desk.send(change_pin(NEW_PIN, PIN))
    assert 0x9000 == desk.send(desk.reload(PIN))
    assert 0x9000 == desk.send(verify(PIN))
    assert 0x6985 == desk.send(change_pin(PIN, PIN))


@both_suites
@every_service
def test_the_pin_must_then_be_verified_anew(suite: Suite, service: str) -> None:
    desk = Desk(suite)
    logged_in(desk)
    assert 0x9000 == desk.send(SERVICES[service](desk))
    assert PIN_TRIES == desk.tries()
    assert desk.opens("UKSSSE")
    # The desk is still there: it may do it again, with a challenge of its own.
    assert 0x9000 == desk.send(SERVICES[service](desk))


@pytest.mark.parametrize(("suite", "reload"), [(TDES, 17), (SM4, 25)])
def test_the_commands_have_the_lengths_seen_on_the_wire(suite: Suite, reload: int) -> None:
    desk = ready(suite)
    for pin in ("123456", "1234567", "12345678"):
        assert reload == len(desk.reload(pin))
    assert 9 == len(desk.unblock())


FIXED = bytes.fromhex("1122334455667788")
"""What a chip with this world gives as a challenge."""
SMALL_PIN = (0x00, KeyUsage.PIN, Algorithm.NONE, "888888")
SMALL_PUK = (
    0x06,
    KeyUsage.EXTERNAL_AUTHENTICATE,
    Algorithm.TDES,
    "06B372C3F4BF1ED6F4A4B15C2E65FE4A",
)
SMALL_STK = (0x02, KeyUsage.MESSAGING, Algorithm.TDES, "6C815FC25E20D4894DCFECCFF0F37520")
PUBLISHED = [
    bytes.fromhex("00820006100AB23DB42F991FCE0102030405060708"),
    bytes.fromhex("842400010C64AF80B1A9711AFF9DDB9A11"),
    bytes.fromhex("8424000004C0C6930D"),
]
"""PUK, reload to 123456 and unblock under these keys and this challenge."""


def small_card(*secrets: tuple[int, KeyUsage, Algorithm, str]) -> Chip:
    """A sealed card with these secrets and the fixed challenge."""
    flash = Flash(bytearray(FLASH_SIZE))
    ssse = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    steps = [command(CREATE_FILE, None, ssse)]
    for reference, usage, algorithm, value in secrets:
        block = KeyBlock(usage, int(bool(algorithm)), algorithm, 6, bytes.fromhex(value))
        steps.append(command(WRITE_KEY, KeyRef(reference), block))
    send_all(blank(flash), [*steps, SELECT_MF, command(ACTIVATE_FILE)])
    chip = Chip(ROM, flash, World(random=lambda n: FIXED[:n], today=lambda: TEST_DAY))
    send_all(chip, [SELECT_HRSS])
    return chip


def test_the_published_commands_work_on_a_card_with_their_keys_and_challenge() -> None:
    chip = small_card(SMALL_PIN, SMALL_PUK, SMALL_STK)
    send_all(chip, [verify("888888")])
    for raw in PUBLISHED:
        assert FIXED + b"\x90\x00" == chip.transmit(challenge())
        send_all(chip, [raw])
    send_all(chip, [verify("123456")])


def test_a_card_without_the_key_or_the_pin_says_so() -> None:
    for secrets in ([SMALL_PIN, SMALL_PUK], [SMALL_PUK, SMALL_STK]):
        chip = small_card(*secrets)
        send_all(chip, [challenge(), PUBLISHED[0]])
        for raw in PUBLISHED[1:]:
            send_all(chip, [challenge()])
            before = chip.snapshot()
            assert b"\x6a\x88" == chip.transmit(raw)
            assert before == chip.snapshot()


# Who may


@both_suites
@every_service
@pytest.mark.parametrize(
    "proven", [(), ("UKSSSE", "RKSSSE", "UK1DDF1", "UK2DDF1")], ids=["nothing", "all but PUK"]
)
def test_without_puk_nobody_may(suite: Suite, service: str, proven: tuple[str, ...]) -> None:
    desk = Desk(suite)
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(PIN))
    assert [0x9000] * len(proven) == [desk.authenticate(name) for name in proven]
    before = desk.chip.snapshot()
    assert b"\x69\x82" == desk.chip.transmit(SERVICES[service](desk))
    assert before == desk.chip.snapshot()
    # The command was rightly protected, so what was proven stays.
    assert desk.opens("PIN", *proven)


@every_service
@pytest.mark.parametrize("lost", ["a failure", "a selection", "a reset"])
def test_puk_that_was_proven_before_and_lost_does_not_count(service: str, lost: str) -> None:
    desk = ready()
    match lost:
        case "a failure":
            desk.fail("PUK")
        case "a selection":
            desk.go("SSSE")
        case _:
            desk.chip.reset()
            desk.go("SSSE")
    before = desk.chip.snapshot()
    assert 0x6982 == desk.send(SERVICES[service](desk))
    assert before == desk.chip.snapshot()


# What does not make sense behind the protection

NONSENSE = {
    "unblock with a PIN": ("8024000003123456", 0x6700),
    "reload without a PIN": ("80240001", 0x6700),
    "reload of 9 bytes": ("8024000109" + "12" * 9, 0x6700),
    "5 digits": ("802400010312345F", 0x6A80),
    "4 digits": ("80240001021234", 0x6A80),
    "2 digits": ("802400010112", 0x6A80),
    "no digits": ("8024000103ABCDEF", 0x6A80),
    "F in it": ("8024000104123F5678", 0x6A80),
    "FF behind": ("8024000104123456FF", 0x6A80),
    "10 digits": ("80240001051234567890", 0x6A80),
    "16 digits": ("8024000108" + "12" * 8, 0x6A80),
    "another service": ("8024000203123456", 0x6A86),
    "another P1": ("80240100", 0x6A86),
}


@both_suites
@pytest.mark.parametrize("what", NONSENSE)
def test_what_makes_no_sense_is_refused_and_changes_nothing(suite: Suite, what: str) -> None:
    raw, expected = NONSENSE[what]
    desk = ready(suite, wrong=1)
    before = desk.chip.snapshot()
    assert expected == desk.send(desk.protect(bytes.fromhex(raw), enciphered=True))
    assert before == desk.chip.snapshot()
    assert 0x9000 == desk.send(verify(PIN))


@both_suites
@every_service
def test_a_command_that_asks_for_an_answer_is_refused(suite: Suite, service: str) -> None:
    desk = ready(suite, wrong=1)
    before = desk.chip.snapshot()
    for le in (b"\x00", b"\x08"):
        assert 0x6700 == desk.send(SERVICES[service](desk) + le)
    assert before == desk.chip.snapshot()

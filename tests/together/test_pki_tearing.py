# SPDX-License-Identifier: Apache-2.0
"""Power cut at every write of every command that changes the PKI application: old or new.

As in `test_tearing`, which says what is asked of memory afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from keybench import SM4, flipped, issued_cells
from pkibench import (
    ADMIN,
    CENTRE,
    LIMIT,
    SELECT_CERTIFICATES,
    USER,
    Holder,
    generate,
    import_private,
    import_public,
    load_session,
    public_of,
    stored,
    tries,
    verify,
)
from powercuts import FaultyFlash
from tearing import (
    Scenario,
    digest,
    done_or_not_and_tried_again,
    outcomes,
    torn_cells,
    torn_recoveries,
)
from testbench import select_df, sw, world

from apdu.crypto import sm2
from apdu.wire.pki import ENCIPHERMENT, PAIRS, SIGNATURE, PkiPin
from card_os.chip import ROM, Chip
from card_os.nvm import Flash

Steps = Callable[[Holder], object]


@dataclass(frozen=True)
class PkiScenario(Scenario):
    """On an issued card of generation 3.0."""

    guarded: tuple[bytes, ...] = (tries(), tries(ADMIN), generate())

    def boot(self, flash: Flash) -> Chip:
        return Chip(ROM, flash, world())

    def blank_cells(self) -> bytes:
        return issued_cells(SM4)


class Listened:
    """A chip, and all that was said to it."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.heard: list[bytes] = []

    def transmit(self, raw: bytes) -> bytes:
        self.heard.append(raw)
        return self.chip.transmit(raw)


def said(*steps: Steps) -> tuple[bytes, ...]:
    """What a holder says in these steps; the last one may be a command itself.

    Challenges are the same whenever power comes, so it can be said again.
    """
    holder = Holder()
    listened = holder.chip = Listened(holder.chip)  # type: ignore[assignment]
    last: object = holder.select()
    for step in steps:
        last = step(holder)
    return (*listened.heard, last) if isinstance(last, bytes) else tuple(listened.heard)


def scenario(
    name: str, *steps: Steps, before: Sequence[Steps] = (), answer: int = 0x9000
) -> PkiScenario:
    """`before`: steps of another day, `steps`: those on the way, and the command that is torn."""
    *setup, torn = said(*steps)
    return PkiScenario(name, tuple(setup), (torn,), answer, said(*before))


CERTIFICATE = bytes(range(256)) * 2 + b"the end"


def chain(data: bytes) -> tuple[bytes, ...]:
    parts = [data[at : at + 200] for at in range(0, len(data), 200)]
    head = bytes.fromhex("D60000")
    return tuple(
        bytes((0x00 if part is parts[-1] else 0x10,)) + head + bytes((len(part),)) + part
        for part in parts
    )


def scenarios() -> Iterator[PkiScenario]:
    made: tuple[Steps, ...] = (
        Holder.verify,
        Holder.challenge,  # else the chance of that day would make the same keys as today's
        lambda holder: holder.send(generate()),
        lambda holder: holder.send(generate(ENCIPHERMENT)),
    )
    came: tuple[Steps, ...] = (*made, lambda holder: holder.send(import_public()))
    session: tuple[Steps, ...] = (Holder.verify, lambda holder: holder.send(load_session()))
    yield scenario("a first key pair", Holder.verify, lambda _: generate())
    yield scenario("a key pair anew", Holder.verify, lambda _: generate(), before=made)
    yield scenario("a public key comes in", *session, lambda _: import_public(), before=made)
    yield scenario("a private key comes in", *session, lambda _: import_private(), before=came)
    for wrong in (0, 1, 5):
        left = LIMIT - wrong
        bad = said(lambda holder: verify(USER, flipped(holder.proof())))[-1]
        for right in (True, False):
            made = scenario(
                f"VERIFY, {'right' if right else 'wrong'}, {left} tries left",
                lambda holder, right=right: verify(  # type: ignore[misc]
                    USER, holder.proof() if right else flipped(holder.proof())
                ),
                answer=0x9000 if right else 0x63C0 | left - 1,
                before=[Holder.fail] * wrong,
            )
            yield PkiScenario(made.name, made.setup, made.torn, made.answer, made.before, pays=bad)
    for which in PkiPin:
        yield scenario(
            f"a new PIN, {which.name}",
            lambda holder, which=which: holder.verify(which),  # type: ignore[misc]
            lambda holder, which=which: holder.change(which, "7777777"),  # type: ignore[misc]
        )
    for new in ("", "7777777"):
        yield scenario(
            f"unblocked {new}",
            lambda holder: holder.verify(ADMIN),
            lambda holder, new=new: holder.unblock(new),  # type: ignore[misc]
            before=[Holder.fail] * LIMIT,
        )
    yield scenario(
        "a new master key", Holder.authenticate, lambda holder: holder.update_master(bytes(16))
    )
    setup = said(Holder.verify, lambda holder: select_df(SIGNATURE.certificate.fid))
    yield PkiScenario("a certificate", setup, chain(CERTIFICATE))
    written = (*setup, *chain(CERTIFICATE[::-1]))
    yield PkiScenario("another certificate", setup, chain(CERTIFICATE), before=written)


SCENARIOS = [pytest.param(each, id=each.name) for each in scenarios()]
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@every_scenario
def test_a_command_torn_anywhere_is_done_or_not_and_can_be_tried_again(
    scenario: PkiScenario,
) -> None:
    done_or_not_and_tried_again(scenario)


@every_scenario
def test_a_recovery_torn_anywhere_leads_to_the_same_end(scenario: PkiScenario) -> None:
    for torn in list(torn_cells(scenario))[::3]:
        for once in torn_recoveries(torn):
            assert digest(torn) == digest(once)


@every_scenario
def test_a_pair_that_a_torn_command_leaves_is_whole(scenario: PkiScenario) -> None:
    """Whatever private half there is, it belongs to the public one."""
    for torn in torn_cells(scenario):
        holder = Holder(Flash(bytearray(torn)))
        for pair in PAIRS:
            private = stored(holder, pair)
            if private:
                assert public_of(holder, pair) == sm2.PrivateKey(private).public


VERIFICATIONS = [each for each in SCENARIOS if "VERIFY" in str(each.id)]


@pytest.mark.parametrize("scenario", VERIFICATIONS)
def test_no_power_cut_gives_a_try_back_to_a_wrong_proof(scenario: PkiScenario) -> None:
    """Before, one less, or, for the right proof alone, all."""

    def left(memory: bytes) -> int:
        return Holder(Flash(bytearray(memory))).tries()

    before = left(scenario.cells())
    allowed = {before, before - 1} | ({LIMIT} if scenario.answer == 0x9000 else set())
    assert allowed == {left(torn) for torn in torn_cells(scenario)}


@every_scenario
def test_a_write_that_fails_is_answered_6581_and_nothing_is_granted(
    scenario: PkiScenario,
) -> None:
    cells = scenario.cells()
    allowed = outcomes(scenario, cells)
    first = 0
    while True:
        flash = FaultyFlash(cells)
        chip = scenario.prepare(flash)
        flash.arm(range(first, first + 1))
        answer = scenario.run(chip)
        if first not in flash.failed:
            assert scenario.answer == answer
            return
        assert 0x6581 == answer
        chip.transmit(SELECT_CERTIFICATES)
        for each in scenario.guarded:
            assert 0x9000 != sw(chip.transmit(each))
        flash.arm(range(0))
        chip.reset()
        assert chip.snapshot() in allowed
        first += 1


def test_the_pair_of_a_key_centre_is_the_one_that_is_torn() -> None:
    """Guards the scenarios above: what they say does what they are named for."""
    for each in scenarios():
        flash = Flash(bytearray(each.cells()))
        assert each.answer == each.run(each.prepare(flash))
        if each.name == "a private key comes in":
            assert CENTRE.public == public_of(Holder(flash), ENCIPHERMENT)

# SPDX-License-Identifier: Apache-2.0
"""`sscard trace replay`: what was sent once is sent to a card again, and its answers compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from apdu.errors import FormatError
from apdu.recording import FIRST_SLOT, Exchanged, Fault, Recording, Reset
from apdu.secret import MASK
from apdu.trace import Exchange, Masking
from host.channel import LONGEST, Channel
from host.cli.explain import Explainer
from host.cli.traces.chance import Follower
from host.cli.traces.differing import PSAM, Apart, Difference, Happened, differences


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recording comes to when it is replayed: numbers of events."""

    sent: int = 0
    left_out: int = 0
    """Masked, or without an answer that could be compared."""


def checked(recording: Recording, slot: str, *, keep_going: bool) -> Plan:
    """Whether all of it can be sent, before anything is. Of one slot; others are passed over.

    Raises FormatError naming the line, the command and the rule for what cannot be, which
    `keep_going` leaves out; and for a recording whose end was lost, or which has nothing to send.
    """
    plan = Plan()
    explainer = Explainer(psam=slot.startswith(PSAM))
    for event in recording:
        if isinstance(event, Reset | Fault | Exchanged) and event.slot != slot:
            continue
        if isinstance(event, Reset):
            explainer.reset()
        elif isinstance(event, Exchanged | Fault):
            why = _obstacle(event)
            told = explainer.explain(event.exchange) if event.exchange else None
            if why is None:
                plan = replace(plan, sent=plan.sent + 1)
                continue
            name = told.name if told else "a reset"
            if not keep_going:
                where = f"line {recording.line}, " if recording.line else ""
                raise FormatError(f"{where}{name}: {why}; nothing was sent")
            plan = replace(plan, left_out=plan.left_out + 1)
    if recording.lost:
        raise FormatError(f"{recording.lost}; nothing was sent")
    if not plan.sent:
        raise FormatError(f"there is no command for the slot {slot!r} that could be sent")
    return plan


def _obstacle(event: Exchanged | Fault) -> str | None:
    """Why a command cannot be sent again, or not be compared."""
    if isinstance(event, Fault):
        return "no answer was recorded, so what the card did then is not known"
    if event.exchange.hidden:
        return "its data is masked and cannot be sent; --with-secrets keeps it when recording"
    if len(event.exchange.command) > LONGEST:
        return f"a command of more than {LONGEST} bytes cannot be sent"
    return None


def replay(recording: Recording, channel: Channel, slot: str = FIRST_SLOT) -> Iterator[Apart]:
    """Send it, what cannot be sent left out, and say of each event what is not the same now.

    The first is the ATR of the recording and of the card. Nothing is sent until the one before
    was taken. What was kept of PINs and keys is sent and compared, but never shown. Raises faults
    of the card.
    """
    followers = Follower(psam=slot.startswith(PSAM)), Follower(psam=slot.startswith(PSAM))
    masks = Masking(), Masking()
    if recording.header.atr and slot == FIRST_SLOT:
        yield from _apart(_reset(0, slot, recording.header.atr), _reset(0, slot, channel.atr))
    number = 0
    for event in recording:
        if not isinstance(event, Reset | Exchanged | Fault):
            continue
        number += 1
        if event.slot != slot:
            continue
        if isinstance(event, Reset):
            for follower in followers:
                follower.reset()
            atr = channel.reset()
            yield from _apart(_reset(number, slot, event.atr), _reset(number, slot, atr))
        elif isinstance(event, Exchanged) and _obstacle(event) is None:
            now = _like(event.exchange, channel.transmit(event.exchange.command))
            yield from _answered(number, slot, followers, masks, (event.exchange, now))


def _answered(
    number: int,
    slot: str,
    followers: tuple[Follower, Follower],
    masks: tuple[Masking, Masking],
    exchanges: tuple[Exchange, Exchange],
) -> Iterator[Apart]:
    then, now = (
        Happened(number, slot, b"", b"", followed=follower.follow(mask.again(exchange)))
        for follower, mask, exchange in zip(followers, masks, exchanges, strict=True)
    )
    found = tuple(differences(then, now))
    if not found and then.hides and exchanges[0].answer != exchanges[1].answer:
        found = (Difference("answer, what is masked", MASK, f"{MASK}, another"),)
    if found:
        yield Apart(then, now, found)


def _like(then: Exchange, answer: bytes) -> Exchange:
    """The same command with the answer that it got now, masked where that one was."""
    if not then.hidden_answer:
        return replace(then, answer=answer)
    hidden = range(then.hidden_answer.start, max(len(answer) - 2, 0))
    masked = answer[: hidden.start] + bytes(len(hidden)) + answer[-2:]
    return replace(then, answer=masked, hidden_answer=hidden)


def _reset(number: int, slot: str, atr: bytes) -> Happened:
    return Happened(number, slot, b"", b"", atr)


def _apart(then: Happened, now: Happened) -> Iterator[Apart]:
    found = tuple(differences(then, now))
    if found:
        yield Apart(then, now, found)

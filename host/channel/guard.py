# SPDX-License-Identifier: Apache-2.0
"""The gate before a physical card: reads pass; what may cost it something is judged first.

1. A dry run shows the command instead of sending it.
2. The card must be on the allow-list, by its ATR or by a number of its own.
3. A PIN is tried only while a wrong one leaves as many tries as the floor says.
4. What cannot be undone is said, and somebody must say that it is meant.

Whatever does not pass raises a kind of HeldBack; the card has not seen it then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from apdu import cla as class_byte
from apdu.command import SHORT_NE, CommandAPDU
from apdu.errors import FormatError
from apdu.flow import exchange
from apdu.sw import SW, tries_left
from apdu.tlv import find, parse
from apdu.wire.effects import Effect, base_class, effect_of, name_of
from apdu.wire.hrss.commands import CHANGE_PIN
from apdu.wire.iso7816 import GET_CHALLENGE, GET_RESPONSE, SELECT, VERIFY
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import GET_DATA
from host.channel import Channel
from host.channel.layer import Layer
from host.channel.stakes import Stake, stake_of
from host.faults import NotConfirmed, NotListed, NotSent, TooFewTries
from host.rules import Rules

_CHANGE_REFERENCE_DATA: Final = 0x24
_EMV_PINS: Final = frozenset({0x80, 0x88})
"""References of a payment application's PIN (EMV Book 3 table 23), whose tries GET DATA tells."""


def _nobody_is_sure(sentence: str) -> bool:
    return False


def _no_numbers(channel: Channel) -> Collection[str]:
    return ()


def _untold(command: bytes) -> None: ...


class Gate:
    """Rules, whom to ask, and what was answered: for one card after the other."""

    def __init__(
        self,
        rules: Rules,
        *,
        numbers: Callable[[Channel], Collection[str]] = _no_numbers,
        sure: Callable[[str], bool] = _nobody_is_sure,
        told: Callable[[bytes], None] = _untold,
    ) -> None:
        """`numbers` reads a card's own numbers, with plain reads. `sure` is asked once about each
        thing that cannot be undone, in a sentence. `told` hears of what a dry run does not send.
        """
        self.rules = rules
        self.numbers = numbers
        self.told = told
        self._sure = sure
        self._meant: set[Stake] = set()

    def confirm(self, stake: Stake, name: str) -> None:
        """NotConfirmed unless somebody is sure that it is meant."""
        if stake in self._meant:
            return
        if not self._sure(f"{name}: {stake.value}."):
            raise NotConfirmed(
                f"{name} was not sent, since it cannot be undone and nobody said that it is meant"
                f" (--yes): {stake.value}"
            )
        self._meant.add(stake)


class GuardedChannel(Layer):
    """Lets through to `inner` what the gate's rules allow."""

    def __init__(self, inner: Channel, gate: Gate) -> None:
        """Where the list has numbers and not the ATR, the card's numbers are read first and the
        card is reset. Raises what that raises."""
        super().__init__(inner)
        self._gate = gate
        self._tries: dict[tuple[int, int], int] = {}
        """Tries left that the card told, by channel's class and reference."""
        self._challenged = False
        """Whether a question now would spoil the challenge that the next command answers."""
        self._identify()

    def _exchange(self, command: bytes) -> bytes:
        if effect_of(command) >= Effect.TRY:
            name = name_of(command)
            self._judge(command, name)
            place = _pin_tried(command)
            if place is not None:
                with self._inner.transaction():  # so that nobody else uses up tries in between
                    self._keep_to_the_floor(name, *place)
                    return self._sent(command)
        return self._sent(command)

    def _sent(self, command: bytes) -> bytes:
        answer = self._inner.transmit(command)
        self._notice(command, answer)
        return answer

    def reset(self) -> bytes:
        """As every channel's. It may be another card now, so it must be on the list anew."""
        super().reset()
        self._identify()
        return self.atr

    # The card

    def _identify(self) -> None:
        self._tries.clear()
        self._challenged = False
        rules = self._gate.rules
        self._listed = self.atr in rules.allowed.atrs
        if self._listed or rules.reads_only or rules.dry_run or not rules.allowed.numbers:
            return
        with self._inner.transaction():
            found = self._gate.numbers(self._inner)
        super().reset()  # so that nothing stays selected
        self._listed = not rules.allowed.numbers.isdisjoint(found)

    # The command

    def _judge(self, command: bytes, name: str) -> None:
        """Raise a kind of HeldBack for all but its PIN, or let it pass."""
        rules = self._gate.rules
        if rules.dry_run:
            self._gate.told(command)
            raise NotSent(f"{name} was not sent: this is a dry run, which ends here")
        if rules.reads_only:
            raise NotListed(f"{name} was not sent: nothing but reads is allowed here")
        if not self._listed:
            raise NotListed(
                f"{name} was not sent: this card is not on the allow-list. --allow"
                f" {self.atr.hex().upper()} puts it there (its ATR; the card's own number does"
                " too)"
            )
        stake = stake_of(command)
        if stake is not None:
            self._gate.confirm(stake, name)

    def _keep_to_the_floor(self, name: str, cla: int, reference: int) -> None:
        floor = self._gate.rules.floor
        known = self._tries.get((cla, reference))
        if not self._challenged:
            known = self._ask(cla, reference)
        if known in (_PROVEN, 0):  # a wrong one leaves the others; or nothing is to lose
            return
        if known is None and floor:
            hint = "; ask for them before the challenge" if self._challenged else ""
            raise TooFewTries(
                f"{name} was not sent: the card does not tell how many tries are left{hint}."
                " --floor 0 tries all the same"
            )
        if known is not None and known <= floor:
            raise TooFewTries(
                f"{name} was not sent: tries left: {known}, and a wrong PIN must leave {floor}"
                f" (--floor {floor}). --floor {known - 1} tries all the same"
            )
        if known is None or known == 1:
            self._gate.confirm(Stake.LAST_TRY, name)

    def _ask(self, cla: int, reference: int) -> int | None:
        """The tries left of a PIN, asked for without costing one; None when the card does not
        tell."""
        if reference in _EMV_PINS:
            found = self._ask_payment(cla)
            if found is not None:
                return found
        answer = self._inner.transmit(bytes((cla, VERIFY.ins, 0, reference)))
        return _told(answer)

    def _ask_payment(self, cla: int) -> int | None:
        p1, p2 = tags.PIN_TRIES.to_bytes(2)
        command = CommandAPDU(GET_DATA.cla | cla & 3, GET_DATA.ins, p1, p2, b"", SHORT_NE)
        try:
            answer = exchange(self._inner.transmit, command)
            found = find(parse(answer.data), tags.PIN_TRIES)
        except FormatError:
            return None
        return found.value[0] if answer.sw == SW.OK and found and len(found.value) == 1 else None

    # What passes

    def _notice(self, command: bytes, answer: bytes) -> None:
        """Keep what the card says of tries, until it says otherwise or may mean another PIN."""
        cla, ins, *_ = command
        if ins != GET_RESPONSE.ins:
            self._challenged = ins == GET_CHALLENGE.ins and base_class(cla) == GET_CHALLENGE.cla
        if ins == SELECT.ins:
            self._tries.clear()
        elif ins == VERIFY.ins and base_class(cla) == VERIFY.cla:
            told = _told(answer)
            place = (class_byte.channel_only(cla), command[3])
            self._tries.pop(place, None)
            if told is not None:
                self._tries[place] = told


_PROVEN: Final = 16
"""Stands for the tries of a PIN that has just been proven: a card tells 15 at most."""


def _told(answer: bytes) -> int | None:
    """The tries left that the answer to a VERIFY tells."""
    sw = int.from_bytes(answer[-2:])
    if sw == SW.OK:
        return _PROVEN
    return 0 if sw == SW.AUTH_BLOCKED else tries_left(sw)


def _pin_tried(command: bytes) -> tuple[int, int] | None:
    """Class, for a question on the same channel, and reference of the PIN that a command tries."""
    cla, ins, p1, p2, *_ = command
    base = base_class(cla)
    if base == VERIFY.cla and ins in (VERIFY.ins, _CHANGE_REFERENCE_DATA):
        return class_byte.channel_only(cla), p2
    form_p1 = CHANGE_PIN.params.number(None) >> 8
    if cla & 0xFC == CHANGE_PIN.cla and ins == CHANGE_PIN.ins and p1 == form_p1:
        return cla & 3, p2
    return None

# SPDX-License-Identifier: Apache-2.0
"""Faults on purpose, on a seed: for whoever wants to know how a terminal takes them.

    channel = ChaosChannel(MemoryChannel(chip), load_profile("worn-contacts"), seed=7)

Same seed, same profile, same commands, same answers: the same faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import sleep as wait

from apdu.wire.effects import name_of
from host.channel import Channel
from host.channel.chaos_profile import Fault, Kind, Profile
from host.channel.layer import Layer
from host.faults import CardGone, CardMute, CardReset


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that was brought about. Nothing in it is of the command's or the answer's data."""

    number: int
    """Of the command, from 1, over the channel's life."""
    kind: Kind
    command: str
    """What it is called."""
    detail: str = ""

    def __str__(self) -> str:
        told = f"command {self.number}, {self.command}: {self.kind.value}"
        return f"{told}, {self.detail}" if self.detail else told

    def as_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "kind": self.kind.value,
            "command": self.command,
            "detail": self.detail,
        }


class ChaosChannel(Layer):
    """Does to the commands and answers of another channel what a profile says."""

    def __init__(
        self,
        inner: Channel,
        profile: Profile,
        seed: int,
        *,
        told: Callable[[Struck], None] = lambda struck: None,
        sleep: Callable[[float], None] = wait,
        deadline: float = 0.0,
    ) -> None:
        """`told` hears of every fault when it strikes. `deadline`: seconds that pass before a
        card that does not answer counts as mute; 0: none do, and no delay is too long.
        """
        super().__init__(inner)
        self._rules = [_Rule(fault, seed, at) for at, fault in enumerate(profile.faults)]
        self._told, self._sleep, self._deadline = told, sleep, deadline
        self._number = 0
        self._gone: CardGone | None = None
        """Why nothing goes until the next reset."""
        self._again: bytes | None = None
        """What the next command is answered with, whatever it is."""

    def _exchange(self, command: bytes) -> bytes:
        if self._gone is not None:
            raise type(self._gone)(*self._gone.args)
        self._number += 1
        striking = [rule for rule in self._rules if rule.strikes(command)]
        delay = self._delayed(command, striking)
        again, self._again = self._again, None
        if again is not None:
            self._carried(command)
            self._pass(delay)
            return again
        for rule in striking:
            if rule.fault.kind is not Kind.DELAY:
                return self._struck(command, rule, delay)
        answer = self._carried(command)
        self._pass(delay)
        return answer

    def reset(self) -> bytes:
        """As every channel's; puts a card back in that was pulled, and wakes one that hangs."""
        self._gone = self._again = None
        return super().reset()

    def _carried(self, command: bytes) -> bytes:
        return self._inner.transmit(command)

    def _delayed(self, command: bytes, striking: list[_Rule]) -> float:
        total = 0.0
        for rule in striking:
            if rule.fault.kind is Kind.DELAY:
                total += rule.fault.seconds
                self._tell(command, Kind.DELAY, f"{rule.fault.seconds:g} s")
        return total

    def _pass(self, delay: float) -> None:
        """Let the time go by that an answer takes; CardMute when that is too long."""
        if self._deadline and delay >= self._deadline:
            raise self._mute()
        if delay:
            self._sleep(delay)

    def _mute(self) -> CardMute:
        if self._deadline:
            self._sleep(self._deadline)
        return CardMute(f"chaos: the card did not answer for {self._deadline:g} s")

    def _struck(self, command: bytes, rule: _Rule, delay: float) -> bytes:
        """A fault that is no mere delay: the answer as it arrives, or what is raised."""
        kind = rule.fault.kind
        match kind:
            case Kind.MUTE:
                self._tell(command, kind)
                self._gone = CardMute("chaos: the card hangs until it is reset")
                self._mute()
                raise self._gone
            case Kind.DROP_COMMAND:
                self._tell(command, kind)
                raise self._mute()
            case Kind.REMOVE_BEFORE:
                self._tell(command, kind)
                raise self._pulled()
            case Kind.RESET:
                self._tell(command, kind)
                self._inner.reset()
                self._gone = CardReset("chaos: another program reset the card")
                raise self._gone
            case Kind.REFUSE:
                self._tell(command, kind, f"{rule.fault.sw:04X}")
                self._pass(delay)
                return rule.fault.sw.to_bytes(2)
        answer = self._carried(command)
        if kind is Kind.DROP_ANSWER:
            self._tell(command, kind)
            raise self._mute()
        if kind is Kind.REMOVE_AFTER:
            self._tell(command, kind)
            raise self._pulled()
        self._pass(delay)
        return self._altered(command, rule, answer)

    def _pulled(self) -> CardGone:
        self._gone = CardGone("chaos: the card was pulled")
        return self._gone

    def _altered(self, command: bytes, rule: _Rule, answer: bytes) -> bytes:
        fault, chance = rule.fault, rule.chance
        match fault.kind:
            case Kind.DOUBLE:
                self._again = answer
                self._tell(command, fault.kind)
            case Kind.TRUNCATE:
                keep = chance.randrange(len(answer)) if fault.keep is None else fault.keep
                if keep < len(answer):
                    self._tell(command, fault.kind, f"{keep} of {len(answer)} bytes")
                    return answer[:keep]
            case Kind.STATUS:
                self._tell(command, fault.kind, f"{answer[-2:].hex().upper()} is {fault.sw:04X}")
                return answer[:-2] + fault.sw.to_bytes(2)
            case Kind.MAC if len(answer) - 2 >= fault.last:
                data = len(answer) - 2
                at = chance.randrange((data - fault.last) * 8, data * 8)
                self._tell(command, fault.kind, f"bit {at} of the answer")
                return _turned(answer, at)
            case Kind.FLIP:
                at = chance.randrange(len(answer) * 8)
                self._tell(command, fault.kind, f"bit {at} of the answer")
                return _turned(answer, at)
        return answer

    def _tell(self, command: bytes, kind: Kind, detail: str = "") -> None:
        self._told(Struck(self._number, kind, name_of(command), detail))


class _Rule:
    """A fault with its own chance and its own count, which no other fault disturbs."""

    def __init__(self, fault: Fault, seed: int, place: int) -> None:
        self.fault = fault
        self.chance = Random(f"{seed} {place}")  # noqa: S311 - must be repeatable
        self._seen = 0

    def strikes(self, command: bytes) -> bool:
        """Whether this command is one; to be asked once for each command."""
        if not self.fault.meant(command):
            return False
        self._seen += 1
        if self.fault.at:
            return self._seen in self.fault.at
        if self.fault.every:
            return self._seen % self.fault.every == 0
        return self.chance.random() < self.fault.probability


def _turned(raw: bytes, bit: int) -> bytes:
    """With one bit turned; bit 0 is the highest of the first byte."""
    at, mask = bit >> 3, 0x80 >> (bit & 7)
    return raw[:at] + bytes((raw[at] ^ mask,)) + raw[at + 1 :]

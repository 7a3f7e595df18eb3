# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between card, terminal and bank: a slot that lets the card go, a line that loses
messages, a terminal that is switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from paymentdesk import parse_elements
from powercuts import NOTHING_DONE, Damage, PowerCut

from apdu.atr import Interface
from apdu.wire.pboc import tags
from card_os.chip import Chip
from host.channel.memory import MemoryChannel
from host.faults import CardGone
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    Issuer,
    NoAnswer,
    Reversal,
)


class Loss(Enum):
    """What the line does with a message."""

    NOTHING = "nothing"
    REQUEST = "it never arrives"
    ANSWER = "it arrives, its answer does not"
    LATE = "it arrives when everybody has given it up"
    TWICE = "it arrives twice"


class TerminalStops(BaseException):
    """The terminal is switched off in the middle; it knows what it had written down."""


@dataclass(frozen=True)
class Mishap:
    """What happens to one transaction."""

    pulled: int | None = None
    """The command, from 0, at which the card is pulled out of the slot or field."""
    done: bool = False
    """It is carried out all the same, and nobody hears the answer."""
    torn: int | None = None
    """The write of the chip, from 0, at which the power goes."""
    damage: Damage = NOTHING_DONE
    unsynced: int | None = None
    losses: tuple[Loss, ...] = ()
    """Of the messages of the transaction, one after the other."""
    stops: bool = False
    """The terminal is switched off as soon as the issuer has answered."""


CALM = Mishap()
Watch = Callable[[bytes, bytes], None]
"""Sees each command and its answer."""


class Slot(MemoryChannel):
    """A reader from which the card is pulled, or in which its power goes."""

    def __init__(self, chip: Chip, where: Interface, mishap: Mishap, watch: Watch) -> None:
        super().__init__(chip, where)
        self.mishap, self.watch = mishap, watch
        self.heard = 0
        self.gone = False

    def _exchange(self, command: bytes) -> bytes:
        last = self.heard == self.mishap.pulled
        self.heard += 1
        self.gone = self.gone or last
        if self.gone and not (last and self.mishap.done):
            raise CardGone("the card was pulled")
        try:
            answer = super()._exchange(command)
        except PowerCut:
            self.gone = True
            raise CardGone("the power went") from None
        self.watch(command, answer)
        if self.gone:
            raise CardGone("the card was pulled")
        return answer


@dataclass
class Line:
    """The way to the bank: an `Issuer` that writes down what it is asked before it asks."""

    host: Issuer
    losses: list[Loss] = field(default_factory=list)
    stops: bool = False
    asked: list[AuthorisationRequest] = field(default_factory=list)
    """Requests that are not over for the terminal."""
    late: list[Callable[[], AuthorisationResponse]] = field(default_factory=list)
    proven: list[tuple[bytes, int, int]] = field(default_factory=list)
    """Cryptogram, ATC and CID that were told."""
    last: AuthorisationRequest | None = None
    """The last request or advice."""

    def authorise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        self.asked.append(request)
        self._note(request)
        found = self._carried(lambda: self.host.authorise(request))
        if self.stops:
            raise TerminalStops
        return found

    def reverse(self, reversal: Reversal, /) -> AuthorisationResponse:
        return self._carried(lambda: self.host.reverse(reversal))

    def advise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        self._note(request)
        found = self._carried(lambda: self.host.advise(request))
        assert found.approved
        return found

    def _note(self, request: AuthorisationRequest) -> None:
        self.last = request
        known = parse_elements(request.icc)
        atc = int.from_bytes(known[tags.ATC])
        self.proven.append((known[tags.AC], atc, known[tags.CID][0]))

    def _carried(self, call: Callable[[], AuthorisationResponse]) -> AuthorisationResponse:
        loss = self.losses.pop(0) if self.losses else Loss.NOTHING
        match loss:
            case Loss.REQUEST:
                raise NoAnswer("the line is dead")
            case Loss.LATE:
                self.late.append(call)
                raise NoAnswer("it takes too long")
            case Loss.ANSWER:
                call()
                raise NoAnswer("the answer was lost")
            case Loss.TWICE:
                call()
        return call()

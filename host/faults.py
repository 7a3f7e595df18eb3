# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a card, in the words of the desk.

`Card.send` raises these in place of status words; channels raise CardMisspoke, CardGone and the
kinds of CardGone. No fault ever carries a PIN, a key or the data of a command.
"""

from __future__ import annotations

from enum import Enum

from apdu import sw as status


class CardFault(Exception):
    """Everything that this library raises because of a card."""


class CardRefused(CardFault):
    """The card said no with a status word: `sw` has it, the text its sentence."""

    def __init__(self, sw: int, doing: str = "") -> None:
        super().__init__(
            f"{doing}: {sw:04X} {status.sentence(sw)}"
            if doing
            else f"{sw:04X} {status.sentence(sw)}"
        )
        self.sw = sw


class PinWrong(CardRefused):
    """The PIN (or the key's cryptogram) was wrong: 63Cx."""

    @property
    def tries_left(self) -> int:
        return self.sw & 0x0F


class PinBlocked(CardRefused):
    """No tries left: 6983. Only an unblock at a service window helps."""


class NotAllowed(CardRefused):
    """The card wants something proven first, or is not in the state for it: 6982, 6985, ..."""


class NotFound(CardRefused):
    """No such application, file, record or key: 6A82, 6A83, 6A88."""


class CardMisspoke(CardFault):
    """The card's answer is not in the shape its specification gives. Nothing of it was used."""


class CardGone(CardFault):
    """No card, or it was pulled or reset by somebody else; what was proven is lost."""


class CardReset(CardGone):
    """Another program reset the card, or powered it off: it is there, what was proven is lost.

    The command that met it was not sent. `kept`: it happened although this program kept others
    away.
    """

    kept: bool = False
    off: bool = False
    """Whether the service said that it was powered off. pcsc-lite says that it was reset."""


class CardBusy(CardGone):
    """Another program has the card to itself. Nothing was sent."""


class ReaderGone(CardGone):
    """The reader was unplugged, or the service that leads to the readers does not run."""


class CardMute(CardGone):
    """The card did not answer within the deadline. What it did is not known."""


class CardNotGenuine(CardFault):
    """The card did not prove the key that it must have (LD/T 33: -21)."""


class Lack(Enum):
    """Why a key source cannot compute."""

    KEY = "has no master for it"
    """LD/T 33: -2203."""
    ALGORITHM = "is for another algorithm"
    """LD/T 33: -2202."""
    USE = "may not use it for that"
    """LD/T 33: -24."""
    ADDRESS = "knows no HSM address of it"


class KeyUnavailable(CardFault):
    """The key source cannot compute with this key; another one may. `lack` says why."""

    def __init__(self, source: str, key: str, lack: Lack) -> None:
        super().__init__(f"key {key}: the {source} {lack.value}")
        self.source = source
        self.key = key
        self.lack = lack


class CentreMisspoke(CardFault):
    """The answer of the key centre's HSM is not in the shape that was agreed. It was not used."""


class InitialPinInForce(CardFault):
    """The holder still has the initial PIN, with which no transaction is made (LD/T 33: -35)."""


class HeldBack(CardFault):
    """The gate before a physical card did not let a command through. The card has not seen it."""


class NotListed(HeldBack):
    """It would cost the card a try, move a counter or change it, and nobody allowed that."""


class TooFewTries(HeldBack):
    """A wrong PIN would leave fewer tries than the floor, or the card does not tell the tries."""


class NotConfirmed(HeldBack):
    """It cannot be undone, and nobody said that it is meant."""


class NotSent(HeldBack):
    """It was shown instead: this is a dry run."""

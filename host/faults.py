# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a card, in the words of the desk.

`Card.send` raises these in place of status words; channels raise the last three.
No fault ever carries a PIN, a key or the data of a command.
"""

from __future__ import annotations

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


class CardMute(CardGone):
    """The card did not answer within the deadline. What it did is not known."""


class InitialPinInForce(CardFault):
    """The holder still has the initial PIN, with which no transaction is made (LD/T 33: -35)."""

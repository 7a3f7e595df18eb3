# SPDX-License-Identifier: Apache-2.0
"""`--explain`: why a card image answers as it does, beside what it answers.

A chip in the same process can be asked; a card in a reader, or behind a socket, says no more than
its status word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from apdu.atr import Interface
    from card_os.chip import Chip
    from card_os.refusal import Refusal, Remark
    from host.channel.memory import Powered

F = TypeVar("F", bound=Callable[..., Any])


def explain_option(verb: F) -> F:
    """The option; the verb gets it as `explain`."""
    option = click.option(
        "--explain",
        is_flag=True,
        help="Say on standard error why the card in --card CARD.img refuses: rule, key, counter.",
    )
    return option(verb)


class Explaining:
    """Takes down the reason of the last answer, and says it before the next command, so that it
    stands under the answer; unless somebody takes it first."""

    def __init__(self) -> None:
        self._waiting: tuple[str, Refusal | Remark] | None = None

    def around(self, chip: Chip, kind: str = "card") -> Powered:
        """The chip, to be put under power. `kind`: what to call it, card or psam."""
        return _Asked(chip, kind, self)

    def heard(self, kind: str, why: Refusal | Remark | None) -> None:
        """What a chip says of its answer."""
        self._waiting = None if why is None else (kind, why)

    def say(self) -> None:
        """Say what waits, in a line on standard error."""
        if self._waiting is not None:
            kind, why = self._waiting
            click.echo(f"{kind}: {why}", err=True)
        self._waiting = None

    def words(self) -> str:
        """What waits, as a sentence; empty after a good answer."""
        return "" if self._waiting is None else str(self._waiting[1])

    def take(self) -> dict[str, object] | None:
        """What waits, as an object; it is not said any more. None: the answer was a good one."""
        waiting, self._waiting = self._waiting, None
        return None if waiting is None else as_json(waiting[1])


def as_json(why: Refusal | Remark) -> dict[str, object]:
    """gate (null for the remark of a good answer), reason, about, spec."""
    gate = getattr(why, "gate", None)
    return {
        "gate": None if gate is None else str(gate),
        "reason": why.reason,
        "about": dict(why.about),
        "spec": why.spec,
    }


class _Asked:
    """A chip that is asked after every answer. Its answers stay what they are."""

    def __init__(self, chip: Chip, kind: str, explaining: Explaining) -> None:
        self._chip, self._kind, self._explaining = chip, kind, explaining

    def reset(self, interface: Interface | None = None) -> bytes:
        self._explaining.say()
        return self._chip.reset() if interface is None else self._chip.reset(interface)

    def transmit(self, command: bytes) -> bytes:
        self._explaining.say()
        answer = self._chip.transmit(command)
        self._explaining.heard(self._kind, self._chip.refusal or self._chip.remark)
        return answer

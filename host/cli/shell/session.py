# SPDX-License-Identifier: Apache-2.0
"""What the shell knows: the card, where one is on it, what was said last, and a few settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from apdu.command import decode
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.trace import Exchange
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.hrss.ssse import ISSUER, IssuerData
from apdu.wire.iso7816 import SELECT, By
from host.card import Card
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.names import Shown
from host.cli.shell.cable import Cable, Opener
from host.cli.shell.expectations import Answer
from host.cli.shell.places import path_words
from host.cli.shell.reasons import Reasons
from host.clients.hrss import HrssClient
from host.faults import CardMisspoke, CardRefused
from host.keys import CardIdentity
from host.terminal.authentication import identity_of

_IDENTIFICATION, _VERSION = 1, 3
"""Records of EF05: what keys are diversified by, and of which generation the card is."""
_DONE = (0x61, 0x62, 0x90)
"""First bytes of the status words of what was selected."""


@dataclass(frozen=True, slots=True)
class User:
    """Whoever sits here, or the file in their place."""

    secret: Callable[[str], str]
    """Asks for a PIN without showing it; raises UsageError when nothing is typed."""
    sure: Callable[[tuple[str, ...], str], bool]
    """Shows lines and asks a question; False where nobody can be asked."""


@dataclass
class Settings:
    """What lines switch on and off."""

    auto: bool = False
    """`apdu` follows 61xx and 6Cxx."""
    explain: bool = False
    """Every exchange is shown in words."""
    as_json: bool = False
    variables: dict[str, str] = field(default_factory=dict)


class Here(HrssClient):
    """An HRSS application that is selected already."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.fci = b""


class Session:
    """One card, from the beginning of the shell to its end."""

    def __init__(
        self, opener: Opener, user: User, reasons: Reasons | None = None, *, psam: bool = False
    ) -> None:
        """Opens the card, and raises what that raises. `reasons`: of a card that can be asked."""
        self.user = user
        self.reasons = reasons
        self.settings = Settings()
        self.explainer = Explainer(psam=psam)
        self.answer: Answer | None = None
        """To the last command that was meant; what was read aside does not count."""
        self.last: Explanation | None = None
        self.exchanges: list[Explanation] = []
        """Those of the line that is being done."""
        self.items: tuple[Shown, ...] = ()
        """The decoded values of the last answer."""
        self.hint = ""
        """What may help against the refusal of the line that is being done."""
        self._aside = 0
        self._was_reset()
        self.cable = Cable(opener, self._heard, self._was_reset)
        self.card = Card(self.cable)
        self.hrss = Here(self.card)

    def _was_reset(self) -> None:
        self.explainer.reset()
        self.gone = False
        """Whether the card went away, and was not taken up again."""
        self.stranger = b""
        """The name of the application that is selected, if it is none that is known here."""
        self.identity: CardIdentity | None = None
        if self.reasons is not None:
            self.reasons.forget()

    def _heard(self, exchange: Exchange, answer: Answer) -> None:
        told = self.explainer.explain(exchange)
        self.exchanges.append(told)
        self._follow(exchange)
        if not self._aside:
            self.answer, self.last = answer, told

    def _follow(self, exchange: Exchange) -> None:
        """Keep the name of an application that was selected and is not known here."""
        by_name = exchange.command[1:3] == bytes((SELECT.ins, By.NAME))
        if by_name and exchange.answer[-2] in _DONE:
            with suppress(FormatError):
                self.stranger = decode(exchange.command)[3]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is read inside is not what was asked for."""
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1

    # Where one is

    @property
    def directory(self) -> DfSpec:
        return self.explainer.directory

    @property
    def file(self) -> EfSpec | None:
        return self.explainer.file

    @property
    def place(self) -> str:
        """3F00/SSSE/EF05."""
        if self.gone:
            return "no card"
        generation = self.explainer.generation
        return path_words(self.directory, self.file, generation, self.stranger)

    def learn(self, *, fresh: bool) -> None:
        """Which generation the card is of, and what its keys are diversified by; SSSE is current.

        `fresh`: it was only just selected, and is again, so that no file is current. A card that
        does not tell is taken for one of 2.0, whose keys are not known.
        """
        if self.identity is not None:
            return
        with self.aside(), suppress(CardRefused, CardMisspoke):
            code = self.hrss.record_bytes(ISSUER.sfi, _IDENTIFICATION)
            version = self.hrss.record_bytes(ISSUER.sfi, _VERSION)
            self.identity = _identity(code, version, self.cable.atr)
            if fresh:
                self.hrss.select()

    # What a refusal means

    @property
    def why(self) -> str:
        """The card's reason for its last answer, if it can be asked and had one."""
        return self.why_words()

    def why_words(self) -> str:
        return self.reasons.words() if self.reasons is not None else ""

    @property
    def refused(self) -> bool:
        """Whether the last answer was a no."""
        return self.answer is not None and self.answer.sw not in (SW.OK, SW.FILE_DEACTIVATED)


def _identity(code: bytes, version: bytes, atr: bytes) -> CardIdentity | None:
    with suppress(FormatError):
        return identity_of(
            IssuerData.parse_field("identification", code),
            IssuerData.parse_field("version", version),
            atr,
        )
    return None

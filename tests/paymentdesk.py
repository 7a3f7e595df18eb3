# SPDX-License-Identifier: Apache-2.0
"""A terminal's desk for tests: orders, configurations, an issuer that says what it is told to, a
card that plays a conversation back, and one that answers by rules.

issuer = ScriptedIssuer(approve(icc=...), NoAnswer())
result = pay(Card(MemoryChannel(payment_chip())), order(1234), CONFIG, issuer)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from apdu.command import CommandAPDU
from apdu.crypto.script import AFTER_FINAL, Script
from apdu.tlv import build, parse, tlv
from apdu.trace import Exchange
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Aip
from host.channel import Channel
from host.faults import CardGone
from host.issuer.cryptograms import Proven, verify
from host.issuer.keys import IssuerKeys, keys_in
from host.issuer.profile import shipped_profile
from host.issuer.scripts import protected
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    NoAnswer,
    Purpose,
    Reversal,
)
from host.network.elements55 import read_elements
from host.terminal.kernel.config import ApplicationParameters, TerminalConfig
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.pin_entry import DocumentKind
from host.terminal.kernel.terminal_data import application_data, terminal_data
from host.terminal.kernel.transaction import Order, Transaction

CONFIG: Final = load_config()
"""The shipped one."""
NOON: Final = datetime(2026, 1, 5, 12, 0, 0)


def order(amount: int = 1234, purpose: Purpose = Purpose.PURCHASE, **changes: Any) -> Order:
    given: dict[str, Any] = {
        "time": NOON,
        "reference": "260105000001",
        "trace": 1,
        "unpredictable_number": bytes.fromhex("1E78EEBC"),
    }
    return Order(amount, purpose, **(given | changes))


def parameters(**changes: Any) -> ApplicationParameters:
    """Those of the shipped configuration for UnionPay's debit cards, with changes; `risk` by its
    fields."""
    (found,) = CONFIG.applications
    risk = changes.pop("risk", {})
    return replace(found, risk=replace(found.risk, **risk), **changes)


def config(applications: Mapping[str, Any] | None = None, **changes: Any) -> TerminalConfig:
    """The shipped one with changes; `applications`: of its one set of parameters."""
    one = parameters(**(applications or {}))
    return replace(CONFIG, applications=(one,), **changes)


def transaction(
    card: Mapping[int, bytes] | None = None,
    given: Order | None = None,
    setup: TerminalConfig = CONFIG,
    **fields: Any,
) -> Transaction:
    """A transaction on which steps may be tried: with the card's elements, as if it was read."""
    asked = given or order()
    (one,) = setup.applications
    found = Transaction(asked, terminal_data(setup, asked) | application_data(one, asked))
    found.parameters, found.aid = one, DEBIT_AID
    found.card.update(READ)
    found.card.update(card or {})
    for name, value in fields.items():
        setattr(found, name, value)
    return found


READ: Final = {
    tags.PAN: bytes.fromhex("6228000100001117"),
    tags.PSN: b"\x01",
    tags.EXPIRY: bytes.fromhex("301231"),
    tags.CDOL1: bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F3704"),
    tags.CDOL2: bytes.fromhex("8A029F02069F03069F1A0295055F2A029A039C019F3704"),
}
"""What the records of a plain card hold."""


# The issuer


def approve(icc: bytes = b"", balance: int | None = None) -> AuthorisationResponse:
    return AuthorisationResponse("00", "A12345", balance, icc)


def refuse(code: str = "51", icc: bytes = b"") -> AuthorisationResponse:
    return AuthorisationResponse(code, icc=icc)


@dataclass
class ScriptedIssuer:
    """Answers one after the other, the last one for ever; an exception is raised."""

    answers: tuple[AuthorisationResponse | NoAnswer, ...]
    asked: list[AuthorisationRequest] = field(default_factory=list)
    reversed: list[Reversal] = field(default_factory=list)
    advised: list[AuthorisationRequest] = field(default_factory=list)
    deaf: bool = False
    """No answer to reversals and advices."""

    def __init__(self, *answers: AuthorisationResponse | NoAnswer, deaf: bool = False) -> None:
        self.answers = answers or (approve(),)
        self.asked, self.reversed, self.advised, self.deaf = [], [], [], deaf

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(request)
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    def reverse(self, reversal: Reversal) -> AuthorisationResponse:
        self.reversed.append(reversal)
        return self._told()

    def advise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        assert request.advice
        self.advised.append(request)
        return self._told()

    def _told(self) -> AuthorisationResponse:
        if self.deaf:
            raise NoAnswer("deaf")
        return approve()


class ProvingIssuer(ScriptedIssuer):
    """One that has the card's keys: it verifies, answers with 91, and sends scripts that the card
    believes, whatever else its answers hold."""

    def __init__(
        self,
        *answers: AuthorisationResponse | NoAnswer,
        commands: Iterable[CommandAPDU] = (),
        tag: int = AFTER_FINAL,
        keys: IssuerKeys | None = None,
    ) -> None:
        super().__init__(*answers)
        self.commands, self.tag = tuple(commands), tag
        self.keys = keys or PUBLISHED_KEYS
        self.proven: list[Proven] = []

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        answer = super().authorise(request)
        proven = self.read(request)
        icc = build([tlv(tags.ISSUER_AUTHENTICATION_DATA, proven.answer(answer.response_code))])
        if self.commands:
            made = protected(proven.keys, proven.atc, proven.ac, self.commands)
            icc += Script(made, b"\0\0\0\1", self.tag).build()
        return replace(answer, icc=icc)

    def advise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        self.read(request)
        return super().advise(request)

    def read(self, request: AuthorisationRequest) -> Proven:
        """Raises when the cryptogram is not the card's."""
        self.proven.append(verify(self.keys, request.pan, request.psn, read_elements(request.icc)))
        return self.proven[-1]


def _published_keys() -> IssuerKeys:
    found = keys_in(shipped_profile())
    own = {("6228000100001117", "01", each): keys for each, keys in found.items()}
    return IssuerKeys(found, own)


PUBLISHED_KEYS: Final = _published_keys()


# Cards


class Playback(Channel):
    """A card that has been recorded: every command must be the recorded one, in its order."""

    atr = b"\x3b\x00"

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._left = list(exchanges)

    def _exchange(self, command: bytes) -> bytes:
        expected = self._left.pop(0)
        assert expected.command == command
        return expected.answer

    @property
    def over(self) -> bool:
        return not self._left

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None: ...


Rule = tuple[str, bytes | Exception]
"""A pattern for the command in hexadecimal, and the answer or what happens instead."""
AIP: Final = Aip.ISSUER_AUTHENTICATION | Aip.TERMINAL_RISK_MANAGEMENT


def plain_rules(aip: int = AIP, pdol: str = "", record: str = "", more: str = "") -> list[Rule]:
    """An honest card with one record: what it answers to a terminal that keeps to the rules."""
    inside = "".join(
        f"{tag:X}{len(value):02X}{value.hex()}" for tag, value in READ.items() if not record
    )
    body = (record or inside) + more
    list_of = f"9F38{len(pdol) // 2:02X}{pdol}" if pdol else ""
    proprietary = "500A50424F43204445424954870101" + list_of
    fci = f"8408A000000333010101A5{len(proprietary) // 2:02X}{proprietary}"
    return [
        ("^00A404000E", b"\x6a\x82"),
        ("^00A40402", b"\x6a\x82"),
        ("^00A40400", bytes.fromhex(f"6F{len(fci) // 2:02X}{fci}9000")),
        ("^80A80000", bytes.fromhex(f"8006{aip:04X}080101009000")),
        (
            "^00B2010C",
            bytes.fromhex(f"7081{len(body) // 2:02X}{body}9000")
            if len(body) > 254
            else bytes.fromhex(f"70{len(body) // 2:02X}{body}9000"),
        ),
        ("^80CA", b"\x6a\x88"),
        ("^80AE00", ac(0x00)),
        ("^80AE40", ac(0x40)),
        ("^80AE80", ac(0x80)),
        ("^0020|^0082|^8[04]|^04", b"\x90\x00"),
    ]


def ac(cid: int, atc: int = 10) -> bytes:
    """GENERATE AC's answer."""
    return (
        bytes.fromhex("8013")
        + bytes((cid,))
        + atc.to_bytes(2)
        + bytes.fromhex("112233445566778807010103A00000019000")
    )


class RuledCard(Channel):
    """Answers a command by the first rule that fits; `log` has what was sent, in hexadecimal."""

    atr = b"\x3b\x00"

    def __init__(self, *rules: Rule, otherwise: Iterable[Rule] | None = None) -> None:
        self.rules = [*rules, *(plain_rules() if otherwise is None else otherwise)]
        self.log: list[str] = []

    def _exchange(self, command: bytes) -> bytes:
        said = command.hex().upper()
        self.log.append(said)
        for pattern, answer in self.rules:
            if re.search(pattern, said):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return b"\x6d\x00"

    def sent(self, pattern: str) -> list[str]:
        return [each for each in self.log if re.search(pattern, each)]

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None: ...


class Typing:
    """People who type one PIN, and have their document with them."""

    def __init__(self, pin: str | None) -> None:
        self.pin = pin

    def offline_pin(self, tries_left: int | None) -> str | None:
        return self.pin

    def online_pin(self) -> str | None:
        return self.pin

    def document(self, kind: DocumentKind, number: str) -> bool:
        return True


def parse_elements(icc: bytes) -> dict[int, bytes]:
    """A DE55 by tag."""
    return {item.tag: item.value for item in parse(icc)}


def gone() -> CardGone:
    return CardGone("the card was pulled")

# SPDX-License-Identifier: Apache-2.0
"""Whole transactions with one card, one after the other, at terminals that object to nothing or to
much: for what they leave in TVR, TSI, CVR and CTQ.

desk = Desk({tags.ADA: b"\\x02\\x00"}, new=True)
desk.pay().cvr
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from cardholderbench import People
from paymentbench import (
    Groups,
    Parameters,
    chip_of,
    fen,
    lived,
    payment_cells,
    published,
    state_of,
)
from paymentdesk import ProvingIssuer, ScriptedIssuer, approve, config, order

from apdu import tlv
from apdu.atr import Interface
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.pboc import PbocClient
from host.issuer.scripts import put_data
from host.network.authorisation import Issuer, NoAnswer
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.pboc import pay
from host.terminal.result import Result
from host.terminal.tap import tap

PIN, WRONG = "1234", "9999"
NOTHING: Final = bytes(5)
"""An action code that wants nothing."""
_CALM: Final = {"floor_limit": 10**8, "random_target": 0, "random_maximum": 0}


def willing(applications: Mapping[str, Any] | None = None, **changes: Any) -> TerminalConfig:
    """A terminal that asks for a TC whatever it finds; `risk` of its parameters by its fields."""
    given = dict(applications or {})
    plain: dict[str, Any] = {
        "risk": _CALM | given.pop("risk", {}),
        "tac_denial": NOTHING,
        "tac_online": NOTHING,
        "tac_default": NOTHING,
        "cash_limit": None,
    }
    return config(plain | given, **changes)


WILLING: Final = willing()
ASKING: Final = willing({"tac_online": b"\xff" * 5, "risk": {"floor_limit": 0}})
"""It asks the issuer about everything, and approves when it gets no answer."""
STRICT: Final = willing({"tac_denial": b"\xff" * 5, "risk": {"floor_limit": 0}})
"""It declines everything."""

# Issuers

SILENT: Final = ScriptedIssuer(NoAnswer("the line is dead"))
UNPROVEN: Final = ScriptedIssuer(approve())
"""It approves, and does not prove that it is the issuer."""
FALSE: Final = ScriptedIssuer(
    approve(bytes(tlv.tlv(tags.ISSUER_AUTHENTICATION_DATA, bytes(8) + b"00")))
)
"""It approves, and its proof is wrong."""
GOOD_COMMAND: Final = put_data(tags.EC_SINGLE_LIMIT, fen(777))
BAD_COMMAND: Final = put_data(tags.SECOND_EC_SINGLE_LIMIT, fen(777))
"""PUT DATA of what the card does not have."""


def scripting(*commands: Any, tag: int = 0x72) -> ProvingIssuer:
    """It approves, and sends a script."""
    return ProvingIssuer(commands=commands, tag=tag)


# Cards

CVM_RECORD, AUC_RECORD, LIST_RECORD = 0x0403, 0x0302, 0x0402


def record(number: int, changes: Mapping[int, bytes]) -> dict[int, bytes | None]:
    """A record of the published card with other elements, or more of them."""
    (template,) = tlv.parse(published()[number])
    found = {item.tag: item.value for item in template.children} | dict(changes)
    inside = [tlv.Tlv(tag, value) for tag, value in found.items()]
    return {number: bytes(tlv.tlv(tags.RECORD_TEMPLATE, inside))}


def element(number: int, tag: int) -> bytes:
    """An element of a record of the published card."""
    (template,) = tlv.parse(published()[number])
    found = template.find(tag)
    assert found is not None
    return found.value


def verification(rules: str) -> dict[int, bytes | None]:
    """The published card with other methods of verification, which wants nothing of the terminal
    by its action codes."""
    wishes = {tags.IAC_DENIAL: NOTHING, tags.IAC_ONLINE: NOTHING, tags.IAC_DEFAULT: NOTHING}
    return record(CVM_RECORD, {tags.CVM_LIST: bytes(8) + bytes.fromhex(rules), **wishes})


def typed(*pins: str | None) -> PinPad:
    """A PIN pad, and what is typed on it, one after the other; then nothing."""
    return PinPad(People(pins=[*pins, *[None] * 9]), lambda block: bytes(8))


class Desk:
    """The published card, which has been online before unless it is `new`, and whose holder is
    asked for nothing unless `groups` say so; or another shipped one."""

    def __init__(
        self,
        parameters: Parameters | None = None,
        groups: Groups | None = None,
        *,
        base: str = "published",
        new: bool = False,
        **changes: int,
    ) -> None:
        plain = verification("1F00") if base == "published" else {}
        cells = payment_cells(parameters, {**plain, **(groups or {})}, base)
        before = {} if new else {"last_online_atc": 1, "atc": 1}
        self.chip: Chip = chip_of(lived(cells, **{**before, **changes}))
        self._numbers = count(1)

    def pay(
        self,
        amount: int = 100,
        setup: TerminalConfig = WILLING,
        *,
        issuer: Issuer | None = None,
        pad: PinPad | None = None,
        channel: MemoryChannel | None = None,
        **asked: Any,
    ) -> Result:
        """In the slot. The issuer has the card's keys, and approves, unless it is another."""
        number = next(self._numbers)
        given = order(amount, **{"reference": f"{number:012d}", "trace": number, **asked})
        card = Card(channel or MemoryChannel(self.chip))
        return pay(card, given, setup, issuer or ProvingIssuer(), pad=pad)

    def tap(
        self,
        amount: int = 100,
        setup: TerminalConfig = WILLING,
        *,
        online: bool = True,
        pad: PinPad | None = None,
        **asked: Any,
    ) -> Result:
        """In the field."""
        number = next(self._numbers)
        given = order(amount, **{"reference": f"{number:012d}", "trace": number, **asked})
        card = Card(MemoryChannel(self.chip, Interface.CONTACTLESS))
        return tap(card, given, setup, ProvingIssuer() if online else None, pad=pad)

    @property
    def blocked(self) -> bool:
        """Whether the application is."""
        return PbocClient(Card(MemoryChannel(self.chip))).select(DEBIT_AID).blocked

    @property
    def cash(self) -> int:
        return state_of(self.chip).balance

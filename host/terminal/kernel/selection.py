# SPDX-License-Identifier: Apache-2.0
"""Application selection (应用选择): which applications card and terminal share, and which is taken.

By the directory PSE, else by the terminal's list of AIDs (EMV Book 1 clause 12; JR/T 0025.6).
A card is followed to 32 applications and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from apdu.sw import SW
from apdu.tlv import Tlv
from apdu.wire.iso7816 import Occurrence
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import PSE_NAME
from host.clients.pboc import PbocClient, Selected, by_tag, record_elements
from host.faults import CardMisspoke, CardRefused, NotFound
from host.terminal.kernel.config import ApplicationParameters, TerminalConfig
from host.terminal.kernel.terminal_data import application_data
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Transaction

MOST_APPLICATIONS: Final = 32
"""Applications that a card may list, and records of its directory that are read."""
_DIRECTORY_SFI: Final = range(1, 11)
_NAME: Final = range(5, 17)
_LOWEST: Final = 16
"""Priority of an application that has none: behind 15, the last."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application that card and terminal share."""

    name: bytes
    """DF name, 5 to 16 bytes."""
    label: str
    """For the holder: the preferred name, else the label."""
    priority: int
    """1 first, 15 last, 16 where the card sets none."""
    confirm: bool = False
    """Not to be taken unless the holder says so."""


Choose = Callable[[Sequence[Candidate]], Candidate | None]
"""The holder's choice of several, in the card's order; None: none of them."""


def select(
    transaction: Transaction,
    config: TerminalConfig,
    client: PbocClient,
    choose: Choose | None = None,
    without: Collection[bytes] = (),
) -> None:
    """Find what card and terminal share, choose, and select it; `without` those of these names.

    `choose`: how the holder is asked; without it the card's order decides, and an application
    that wants a confirmation is not taken. Raises CannotGoOn when nothing is left to take.
    """
    found = [each for each in candidates(transaction, config, client) if each.name not in without]
    while found:
        chosen = _choose(found, choose)
        try:
            selected = client.select(chosen.name)
        except CardRefused as refusal:
            _check_card_blocked(refusal)
            transaction.note(Step.SELECTION, f"{_hex(chosen.name)} left out", str(refusal))
        else:
            if selected.name != chosen.name:
                raise CardMisspoke("SELECT: the FCI is not that of the application asked for")
            if not selected.blocked:
                parameters = config.parameters(selected.name)
                if parameters is None:
                    raise CannotGoOn("the terminal does not know the application")
                take(transaction, selected, parameters, chosen)
                return
            transaction.note(Step.SELECTION, f"{_hex(chosen.name)} left out", "it is blocked")
        found.remove(chosen)
    raise CannotGoOn("card and terminal have no application in common that can be used")


def candidates(
    transaction: Transaction, config: TerminalConfig, client: PbocClient
) -> list[Candidate]:
    """What card and terminal share, in the order of the card's priorities."""
    found = _from_directory(transaction, config, client) if config.pse else []
    if not found:
        found = _from_list(transaction, config, client)
    return sorted(found, key=lambda each: each.priority)


def _choose(found: Sequence[Candidate], choose: Choose | None) -> Candidate:
    if choose is None:
        free = [each for each in found if not each.confirm]
        if not free:
            raise CannotGoOn("the application wants the holder's confirmation")
        return free[0]
    if len(found) == 1 and not found[0].confirm:
        return found[0]
    chosen = choose(found)
    if chosen is None:
        raise CannotGoOn("the holder took none of the applications")
    return chosen


def take(
    transaction: Transaction,
    selected: Selected,
    parameters: ApplicationParameters,
    chosen: Candidate,
) -> None:
    """Go on with this application: what its FCI says, and what the terminal does with it."""
    transaction.aid = selected.name
    transaction.fci = selected.fci
    transaction.card.update(selected.elements)
    transaction.parameters = parameters
    transaction.terminal.update(application_data(parameters, transaction.order))
    rank = "no priority" if chosen.priority == _LOWEST else f"priority {chosen.priority}"
    transaction.note(Step.SELECTION, f"{chosen.label or 'application'} selected", rank)


# The directory


def _from_directory(
    transaction: Transaction, config: TerminalConfig, client: PbocClient
) -> list[Candidate]:
    try:
        directory = client.select(PSE_NAME)
    except CardRefused as refusal:
        _check_card_blocked(refusal)
        transaction.note(Step.SELECTION, "no PSE", str(refusal))
        return []
    if directory.blocked:
        transaction.note(Step.SELECTION, "no PSE", "it is blocked")
        return []
    found: dict[bytes, Candidate] = {}
    listed = 0
    for template in _entries(client, directory):
        listed += 1
        if listed > MOST_APPLICATIONS:
            raise CardMisspoke(f"PSE: lists more than {MOST_APPLICATIONS} applications")
        elements = by_tag("PSE", template.children)
        name = elements.get(tags.ADF_NAME, b"")
        if len(name) not in _NAME:
            raise CardMisspoke("PSE: an entry without a name of 5 to 16 bytes")
        if name in found:
            raise CardMisspoke("PSE: lists an application twice")
        if config.parameters(name) is not None:
            found[name] = candidate(name, elements)
    transaction.note(Step.SELECTION, "PSE read", f"{len(found)} of {listed} applications known")
    return list(found.values())


def _entries(client: PbocClient, directory: Selected) -> Iterator[Tlv]:
    """The entries of the directory's records (61), until the card says that there are no more."""
    sfi = directory.elements.get(tags.SFI, b"")
    if len(sfi) != 1 or sfi[0] not in _DIRECTORY_SFI:
        raise CardMisspoke("PSE: its SFI must be 1 to 10")
    for number in range(1, MOST_APPLICATIONS + 2):
        try:
            record = client.record(sfi[0], number)
        except NotFound as fault:
            if fault.sw != SW.RECORD_NOT_FOUND:
                raise
            return
        entries = record_elements(record)
        if not entries or any(each.tag != tags.APPLICATION_TEMPLATE for each in entries):
            raise CardMisspoke("PSE: a record must hold templates 61, and nothing else")
        yield from entries
    raise CardMisspoke(f"PSE: more than {MOST_APPLICATIONS} records")


# The terminal's list


def _from_list(
    transaction: Transaction, config: TerminalConfig, client: PbocClient
) -> list[Candidate]:
    found: dict[bytes, Candidate] = {}
    for each in config.applications:
        for selected in _answering(client, each):
            if config.parameters(selected.name) is None:
                continue
            if selected.blocked:
                transaction.note(Step.SELECTION, f"{_hex(selected.name)} left out", "it is blocked")
                continue
            found.setdefault(selected.name, candidate(selected.name, selected.elements))
    transaction.note(
        Step.SELECTION,
        "list of AIDs tried",
        f"AIDs: {len(config.applications)}, applications that answer: {len(found)}",
    )
    return list(found.values())


def _answering(client: PbocClient, parameters: ApplicationParameters) -> Iterator[Selected]:
    """The applications that answer to an AID: the one, or with partial selection all that begin
    with it, one after the other."""
    occurrence = Occurrence.FIRST
    seen: set[bytes] = set()
    while True:
        try:
            selected = client.select(parameters.aid, occurrence)
        except CardRefused as refusal:
            _check_card_blocked(refusal)
            return
        if selected.name in seen:
            raise CardMisspoke("SELECT: the same application comes again as the next")
        seen.add(selected.name)
        if len(seen) > MOST_APPLICATIONS:
            raise CardMisspoke(f"SELECT: more than {MOST_APPLICATIONS} applications of one AID")
        yield selected
        if not parameters.partial:
            return
        occurrence = Occurrence.NEXT


def candidate(name: bytes, elements: dict[int, bytes]) -> Candidate:
    """An application as a directory or its own FCI tells of it."""
    indicator = elements.get(tags.PRIORITY, b"\x00")
    if len(indicator) != 1:
        raise CardMisspoke("priority (87): must be 1 byte")
    label = elements.get(tags.PREFERRED_NAME) or elements.get(tags.LABEL, b"")
    return Candidate(
        name,
        label.decode("latin-1").strip() if label.isascii() else _hex(name),
        indicator[0] & 0x0F or _LOWEST,
        bool(indicator[0] & 0x80),
    )


def _check_card_blocked(refusal: CardRefused) -> None:
    """A card that knows no SELECT at all is blocked (EMV Book 1 12.3.2)."""
    if refusal.sw == SW.NOT_SUPPORTED:
        raise CannotGoOn("the card is blocked") from None


def _hex(name: bytes) -> str:
    return name.hex().upper()

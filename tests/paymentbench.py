# SPDX-License-Identifier: Apache-2.0
"""Cards whose debit application is the published one with changes, and a reader to try them with.

chip = payment_chip({tags.EC_BALANCE: fen(5000)}, groups=SECOND_SET)
reader = Reader(chip)                               # in the slot, selected
reader.options({tags.AMOUNT: fen(100)})             # GPO
reader.records()

Reader(chip, Interface.CONTACTLESS).options({tags.TTQ: ...})    # the tap
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from unittest.mock import patch

from testbench import sw

from apdu import dol, tlv
from apdu.atr import Interface
from apdu.wire.form import NOTHING, CommandForm
from apdu.wire.iso7816 import READ_RECORD, SELECT, RecordRef, Selection
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes, amount_of
from apdu.wire.pboc.answers import ProcessingOptions, parse_afl
from apdu.wire.pboc.application import DEBIT_AID, PIN_REFERENCE
from apdu.wire.pboc.commands import GET_DATA, GET_PROCESSING_OPTIONS, DataTag
from apdu.wire.pboc.groups import CONTACT_FCI, CONTACTLESS_FCI, PARAMETERS, DataGroup
from apdu.wire.perso import Life
from card_os.apps.pboc import personalisation
from card_os.apps.pboc.profile import Profile, profile_of
from card_os.apps.pboc.state import CardState, load, store
from card_os.chip import FLASH_SIZE, Chip
from card_os.dispatch import Context
from card_os.files.tree import Directory
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card, command_of
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip
from host.issuer.profile import PUBLISHED, shipped_profile
from host.keys import MemoryKeys
from host.terminal.personalise import personalise
from host.terminal.personalise_debit import personalise_debit

Parameters = Mapping[int, bytes | None]
"""What of the application's own elements is otherwise: a value, or None for none."""
Groups = Mapping[int, bytes | None]
"""Whole groups that are otherwise, or there beside the published ones, or not there."""

fen = amount_bytes


# Cards


def payment_chip(
    parameters: Parameters | None = None,
    groups: Groups | None = None,
    seed: int = 7,
    flash: type[Flash] = Flash,
    base: str = PUBLISHED,
) -> Chip:
    """A sealed chip whose debit application is the published card with these changes.

    `base`: another shipped profile in its place (`sm2`, `rsa-1152`, ...).
    """
    cells = payment_cells(parameters, groups, base)
    return Chip.boot(flash(bytearray(cells)), seeded(seed, TEST_DAY))


def payment_cells(
    parameters: Parameters | None = None, groups: Groups | None = None, base: str = PUBLISHED
) -> bytes:
    """The memory of such a chip."""
    return _cells(
        tuple(sorted((parameters or {}).items())),
        tuple(sorted((groups or {}).items())),
        base,
    )


@cache
def _cells(
    parameters: tuple[tuple[int, bytes | None], ...],
    groups: tuple[tuple[int, bytes | None], ...],
    base: str,
) -> bytes:
    flash = Flash(bytearray(_bare_cells()))
    chip = Chip.boot(flash, seeded(7, TEST_DAY))
    with patch.object(personalisation, "check_whole", _as_it_is):
        personalise_debit(Card(MemoryChannel(chip)), changed(dict(parameters), dict(groups), base))
    return bytes(flash.cells)


def _as_it_is(ctx: Context) -> Profile:
    """In the place of the chip's last question: cards of this bench may be such as no bank would
    be let make, for what a card does then is tested too."""
    return profile_of(ctx.session.directory)


@cache
def _bare_cells() -> bytes:
    """A sealed social security card whose bank has not been at it yet."""
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank_chip(seeded(7, TEST_DAY), flash)
    personalise(Card(MemoryChannel(chip)), TEST_HOLDER, MemoryKeys())
    return bytes(flash.cells)


@cache
def published(base: str = PUBLISHED) -> Mapping[int, bytes]:
    """The published card's groups by number, or those of another shipped profile."""
    return {group.number: group.value for group in shipped_profile(base)}


def changed(parameters: Parameters, groups: Groups, base: str = PUBLISHED) -> list[DataGroup]:
    """The published card's groups, otherwise where it is said."""
    found: dict[int, bytes | None] = {**published(base), **groups}
    left = dict(parameters)
    for number in PARAMETERS:
        items = [
            item if item.tag not in left else tlv.Tlv(item.tag, left.pop(item.tag) or b"")
            for item in tlv.parse(found[number] or b"")
            if parameters.get(item.tag, b"") is not None
        ]
        found[number] = tlv.build(items)
    new = [tlv.Tlv(tag, value) for tag, value in left.items() if value is not None]
    found[PARAMETERS[0]] = (found[PARAMETERS[0]] or b"") + tlv.build(new)
    return [DataGroup(number, value) for number, value in found.items() if value is not None]


def fci(contactless: bool, pdol: bytes | None, *discretionary: tlv.Tlv) -> bytes:
    """A published FCI with another PDOL (None: without), and with more in its BF0C."""
    number = CONTACTLESS_FCI if contactless else CONTACT_FCI
    (template,) = tlv.parse(published()[number])
    inside: list[tlv.Tlv] = []
    for item in template.children[-1].children:
        if item.tag == tags.PDOL:
            inside += [] if pdol is None else [tlv.tlv(tags.PDOL, pdol)]
        elif item.tag == tags.FCI_DISCRETIONARY:
            inside.append(tlv.tlv(item.tag, [*item.children, *discretionary]))
        else:
            inside.append(item)
    name = template.children[0]
    return bytes(tlv.tlv(tags.FCI_TEMPLATE, [name, tlv.tlv(tags.FCI_PROPRIETARY, inside)]))


def _pdol_of(image: bytes) -> bytes:
    (template,) = tlv.parse(image)
    proprietary = template.find(tags.FCI_PROPRIETARY)
    found = proprietary and proprietary.find(tags.PDOL)
    return found.value if found else b""


def published_pdol(contactless: bool) -> bytes:
    return _pdol_of(published()[CONTACTLESS_FCI if contactless else CONTACT_FCI])


def with_pdol(contact: bytes = b"", contactless: bytes = b"") -> dict[int, bytes | None]:
    """Groups of a card that asks for more in its PDOLs: what is given comes behind the rest."""
    return {
        CONTACT_FCI: fci(False, published_pdol(False) + contact),
        CONTACTLESS_FCI: fci(True, published_pdol(True) + contactless),
    }


LOAD_LOG: Groups = {
    CONTACT_FCI: fci(False, published_pdol(False), tlv.tlv(tags.LOAD_LOG_ENTRY, b"\x0c\x0a"))
}
"""The published card says what its load log holds, but not where it is; here it is at SFI 12."""


# A reader

TERMINAL: Mapping[int, bytes] = {
    tags.AMOUNT: fen(100),
    tags.OTHER_AMOUNT: fen(0),
    tags.TERMINAL_COUNTRY: bytes.fromhex("0156"),
    tags.TVR: bytes(5),
    tags.CURRENCY: bytes.fromhex("0156"),
    tags.DATE: bytes.fromhex("260105"),
    tags.TIME: bytes.fromhex("093000"),
    tags.TRANSACTION_TYPE: bytes.fromhex("00"),
    tags.UNPREDICTABLE_NUMBER: bytes.fromhex("1E78EEBC"),
    tags.MERCHANT_NAME: b"TEST SHOP".ljust(20),
    tags.EC_INDICATOR: b"\x00",
    tags.SM_INDICATOR: b"\x00",
    tags.TTQ: bytes.fromhex("26000000"),
}
"""What the reader says, unless a test says otherwise. TTQ: qPBOC, online, PIN and signature."""


@dataclass
class Reader:
    """A terminal that sends what it is told, in the slot or in the field; it has selected."""

    chip: Chip
    interface: Interface = Interface.CONTACT
    atr: bytes = field(init=False)
    image: bytes = field(init=False)
    """The FCI."""
    aip: bytes = field(init=False, default=b"")
    afl: bytes = field(init=False, default=b"")
    sent: bytes = field(init=False, default=b"")
    """For the PDOL."""

    def __post_init__(self) -> None:
        self.atr = self.chip.reset(self.interface)
        self.select()

    def send(self, form: CommandForm[Any, Any, Any], params: Any = None, data: Any = b"") -> bytes:
        """Whatever comes back, with its status word; what waits behind 61xx is fetched."""
        wanted = form.data is not NOTHING
        return self.transmit(bytes(command_of(form, params, data if wanted else None, 256)))

    def transmit(self, sent: bytes) -> bytes:
        answer = self.chip.transmit(sent)
        while answer[-2] == 0x61:
            answer = answer[:-2] + self.chip.transmit(bytes((0, 0xC0, 0, 0, answer[-1])))
        return answer

    def good(self, form: CommandForm[Any, Any, Any], params: Any = None, data: Any = b"") -> bytes:
        """What comes back with 9000."""
        answer = self.send(form, params, data)
        assert 0x9000 == sw(answer), f"{form.name}: {answer.hex()}"
        return answer[:-2]

    def select(self, name: bytes = DEBIT_AID) -> int:
        """The status word of SELECT."""
        answer = self.send(SELECT, Selection(), name)
        self.image = answer[:-2]
        return sw(answer)

    def fill(self, values: Mapping[int, bytes] | None = None) -> bytes:
        """What is to be sent for the PDOL."""
        return dol.fill(_pdol_of(self.image), {**TERMINAL, **(values or {})})

    def ask(self, values: Mapping[int, bytes] | None = None) -> bytes:
        """GPO; its answer with its status word."""
        self.sent = self.fill(values)
        return self.send(GET_PROCESSING_OPTIONS, None, self.sent)

    def options(self, values: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
        """GPO that succeeds: its elements by tag, AIP and AFL among them in format 1 as well."""
        answer = self.ask(values)
        assert 0x9000 == sw(answer), answer.hex()
        (template,) = tlv.parse(answer[:-2])
        if template.tag == tags.FORMAT_1:
            found = ProcessingOptions.parse(template.value)
            elements = {tags.AIP: found.aip.to_bytes(2), tags.AFL: found.afl}
        else:
            elements = {item.tag: item.value for item in template.children}
        self.aip, self.afl = elements[tags.AIP], elements.get(tags.AFL, b"")
        return elements

    def record(self, sfi: int, number: int) -> bytes:
        """READ RECORD; its answer with its status word."""
        return self.send(READ_RECORD, RecordRef(number, sfi))

    def places(self) -> list[tuple[int, int]]:
        """SFI and number of the records that the AFL names, in its order."""
        return [
            (entry.sfi, number)
            for entry in parse_afl(self.afl)
            for number in range(entry.first, entry.last + 1)
        ]

    def records(self) -> dict[int, bytes]:
        """All that the AFL names, read in its order: elements by tag."""
        found: dict[int, bytes] = {}
        for place in self.places():
            answer = self.record(*place)
            assert 0x9000 == sw(answer), f"record {place}: {answer.hex()}"
            (template,) = tlv.parse(answer[:-2])
            found.update((item.tag, item.value) for item in template.children)
        return found

    def static_data(self) -> bytes:
        """What is to be authenticated: the records that the AFL marks, and the AIP."""
        found = b""
        for entry in parse_afl(self.afl):
            for number in range(entry.first, entry.first + entry.authenticated):
                (template,) = tlv.parse(self.record(entry.sfi, number)[:-2])
                found += template.value
        return found + self.aip

    def data(self, tag: int) -> bytes | None:
        """The value that GET DATA gives; None for 6A88."""
        answer = self.send(GET_DATA, DataTag(tag))
        if sw(answer) == 0x6A88:
            return None
        assert 0x9000 == sw(answer), answer.hex()
        (item,) = tlv.parse(answer[:-2])
        assert tag == item.tag
        return item.value

    def amount(self, tag: int) -> int:
        """An amount that GET DATA gives, in fen."""
        value = self.data(tag)
        assert value is not None
        return amount_of(value)


# Inside the chip, for what no command tells or sets


def context(chip: Chip) -> Context:
    return chip._ctx


def debit_directory(chip: Chip) -> Directory:
    return context(chip).tree.names[DEBIT_AID]


def state_of(chip: Chip) -> CardState:
    """Counters and balances as memory has them."""
    return load(debit_directory(chip))


def set_state(chip: Chip, state: CardState) -> None:
    """Put counters and balances where another life of the card would have brought them."""
    store(debit_directory(chip), state)


def profile(chip: Chip) -> Profile:
    return profile_of(debit_directory(chip))


def lived(cells: bytes, **changes: int) -> bytes:
    """Memory of a card whose counters and balances another life has brought where they are."""
    flash = Flash(bytearray(cells))
    chip = Chip.boot(flash, seeded(7, TEST_DAY))
    set_state(chip, replace(state_of(chip), **changes))
    return bytes(flash.cells)


def in_use(
    parameters: Parameters | None = None,
    groups: Groups | None = None,
    base: str = PUBLISHED,
    **changes: int,
) -> Chip:
    """As `payment_chip`, a card that has been online before, with these counters and balances."""
    cells = payment_cells(parameters, groups, base)
    return chip_of(lived(cells, **{"last_online_atc": 1, "atc": 1, **changes}))


def chip_of(cells: bytes, seed: int = 7) -> Chip:
    """A chip under power on a copy of these cells."""
    return Chip.boot(Flash(bytearray(cells)), seeded(seed, TEST_DAY))


def block(chip: Chip) -> None:
    """Block the application, as an issuer's script would."""
    context(chip).tree.set_life(debit_directory(chip), Life.DEACTIVATED)


def lose_pin(chip: Chip) -> None:
    """Lose all tries of the offline PIN."""
    counter = debit_directory(chip).pins[PIN_REFERENCE].counter
    while counter.left:
        counter.pay()

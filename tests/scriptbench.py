# SPDX-License-Identifier: Apache-2.0
"""An issuer on the bench: brings a card to where it takes scripts, and sends them with their MAC.

bank = ScriptIssuer(payment_chip())
bank.begin()                                        # GPO and an ARQC
bank.script(APPLICATION_BLOCK)                      # template 71
bank.finish()                                       # a TC
bank.script(PUT_DATA, DataTag(tags.EC_BALANCE), fen(5000))      # template 72
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from paymentbench import (
    TERMINAL,
    Reader,
    context,
    debit_directory,
    payment_chip,
    profile,
    published,
    state_of,
)
from powercuts import TornFlash, cells_after
from tearing import Tear, cut_everywhere, digest
from testbench import sw

from apdu import dol
from apdu.command import CommandAPDU
from apdu.crypto.cryptogram import arpc
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.pinblock import build_iso_2, build_pin_change
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.messaging import Messaging, script_messaging
from apdu.wire.cryptogram import IssuerAuthentication
from apdu.wire.form import CommandForm
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import Cryptogram
from apdu.wire.pboc.application import PIN_REFERENCE
from apdu.wire.pboc.commands import (
    EXTERNAL_AUTHENTICATE,
    GENERATE_AC,
    PIN_CHANGE_UNBLOCK,
    VERIFY_OFFLINE_PIN,
    AcRequest,
    PinChange,
    PinChangeRef,
)
from apdu.wire.pboc.flags import Result
from apdu.wire.pboc.groups import CHECK_VALUES, KEYS
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.transaction import Transaction, current
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.secrets.pins import PinObject
from card_os.world import seeded
from host.cli.testcard import TEST_DAY

PUBLISHED_KEYS = published()[KEYS[Algorithm.TDES]]
OTHER_KEYS = bytes.fromhex("3B" * 16 + "4C" * 16 + "5D" * 16)
"""UDKs of somebody else's card."""
APPROVED = b"00"
RIGHT, WRONG = build_iso_2("1234"), build_iso_2("4321")
"""The published card's PIN, and another."""
UNBLOCK = PinChangeRef(PinChange.UNBLOCK)
TRACK = published()[0x0101]
"""Record 1 of SFI 1: 57 and 9F1F."""


def keys_group(keys: bytes, algorithm: Algorithm = Algorithm.TDES) -> dict[int, bytes | None]:
    """The groups of a card that has these UDKs."""
    suite = SUITES[algorithm]
    values = (suite.key(keys[at : at + 16]).check_value(3) for at in (0, 16, 32))
    return {KEYS[algorithm]: keys, CHECK_VALUES[algorithm]: b"".join(values)}


@dataclass
class ScriptIssuer:
    """A card in the slot, and its bank behind the reader."""

    chip: Chip
    keys: bytes = PUBLISHED_KEYS
    algorithm: Algorithm = Algorithm.TDES
    values: Mapping[int, bytes] = field(default_factory=dict)
    """What the terminal says otherwise, all the time."""
    reader: Reader = field(init=False)
    atc: bytes = b""
    ac: bytes = b""
    cvr: bytes = b""
    """As the last cryptogram came with it, 3 bytes."""

    def __post_init__(self) -> None:
        self.reader = Reader(self.chip)

    def key(self, place: int) -> BlockKey:
        """UDK-AC, UDK-MAC or UDK-ENC."""
        return SUITES[self.algorithm].key(self.keys[16 * place : 16 * place + 16])

    # The transaction

    def options(self) -> None:
        """A fresh selection, and GPO."""
        assert self.reader.select() in (0x9000, 0x6283)
        self.reader.options(self.values)

    def generate(self, asked: Result, arc: bytes = b"") -> Cryptogram:
        """GENERATE AC, the second with the authorisation response code."""
        route = transaction(self.chip).route
        assert route is not None
        wanted = route.elements[tags.CDOL2 if arc else tags.CDOL1]
        data = dol.fill(wanted, {**TERMINAL, **self.values, tags.ARC: arc})
        answer = self.reader.good(GENERATE_AC, AcRequest(asked), data)
        found = Cryptogram.parse(answer[2:])
        if not arc:
            self.atc, self.ac = found.atc, found.ac
        self.cvr = found.iad[4:7]
        return found

    def begin(self, asked: Result = Result.ARQC) -> Result:
        """To the first cryptogram; what the card made of what was asked."""
        self.options()
        return Result(self.generate(asked).cid >> 6)

    def authenticate(self, wrong: int = 0) -> int:
        """EXTERNAL AUTHENTICATE; its status word."""
        session = self.key(0).suite.key(pboc_session_key(self.key(0), self.atc))
        answer = bytearray(arpc(session, self.ac, APPROVED))
        answer[0] ^= wrong
        shown = IssuerAuthentication(bytes(answer), APPROVED)
        return sw(self.reader.send(EXTERNAL_AUTHENTICATE, None, shown))

    def finish(self, asked: Result = Result.TC, arc: bytes = APPROVED) -> Result:
        """The second cryptogram."""
        return Result(self.generate(asked, arc).cid >> 6)

    def online(self) -> None:
        """A whole transaction, to where scripts 72 are taken."""
        assert Result.ARQC is self.begin()
        assert 0x9000 == self.authenticate()
        assert Result.TC is self.finish()

    # Scripts

    def messaging(self) -> Messaging:
        return script_messaging(self.key(1), self.key(2), self.atc, self.ac)

    def protect(
        self, form: CommandForm[Any, Any, Any], params: Any = None, data: bytes = b""
    ) -> bytes:
        """The command with its MAC, as it is sent."""
        p1, p2 = form.params.number(params).to_bytes(2)
        plain = CommandAPDU(form.cla, form.ins, p1, p2, data)
        hidden = form is PIN_CHANGE_UNBLOCK
        return bytes(self.messaging().protect(plain, enciphered=hidden))

    def script(
        self, form: CommandForm[Any, Any, Any], params: Any = None, data: bytes = b""
    ) -> int:
        """The status word of a script's command."""
        return self.send(self.protect(form, params, data))

    def send(self, raw: bytes) -> int:
        return sw(self.chip.transmit(raw))

    def verify(self, block: bytes) -> int:
        return sw(self.reader.send(VERIFY_OFFLINE_PIN, None, block))


def change(bank: ScriptIssuer, pin: str, current: str = "", key: int = 2) -> bytes:
    """PIN CHANGE, by the key that is chosen: UDK-ENC."""
    service = PinChange.CHANGE_WITH_CURRENT if current else PinChange.CHANGE
    data = build_pin_change(pin, bank.keys[16 * key : 16 * key + 16], current)
    return bank.protect(PIN_CHANGE_UNBLOCK, PinChangeRef(service), data)


def asked(chip: Chip | None = None) -> ScriptIssuer:
    """A card that has given an ARQC."""
    bank = ScriptIssuer(chip or payment_chip())
    assert Result.ARQC is bank.begin()
    return bank


def finished(chip: Chip | None = None) -> ScriptIssuer:
    """A card behind its second cryptogram."""
    bank = ScriptIssuer(chip or payment_chip())
    bank.online()
    return bank


# Inside the chip


def boot_card(flash: Flash) -> Chip:
    """A card under power, whose chance and date are always the same."""
    return Chip.boot(flash, seeded(7, TEST_DAY))


def transaction(chip: Chip) -> Transaction:
    return current(context(chip))


def put_transaction(chip: Chip, value: Transaction) -> None:
    """Put the chip where a whole transaction would have brought it."""
    context(chip).session.scratch = value


def pin_of(chip: Chip) -> PinObject:
    return debit_directory(chip).pins[PIN_REFERENCE]


def facts(chip: Chip) -> tuple[object, ...]:
    """All that a script could change: state, parameters, PIN, tries, lives."""
    directory = debit_directory(chip)
    pin = directory.pins.get(PIN_REFERENCE)
    lives = [each.life for each in context(chip).tree.directories]
    held = (pin.coding(), pin.counter.left) if pin else None
    return state_of(chip), dict(profile(chip).parameters), held, lives


# Tearing

Prepared = Callable[[Flash], tuple[Chip, Sequence[bytes]]]
"""A chip on these cells that is where the command is due, and the command."""


def torn(cells: bytes, prepare: Prepared, tears: Sequence[Tear]) -> tuple[bytes, bytes, set[bytes]]:
    """Memory before the command, behind it, and in all the ways that a power cut leaves it."""

    def run(cut: int, tear: Tear) -> bytes | None:
        flash = TornFlash(cells)
        chip, commands = prepare(flash)
        flash.arm(cut, *tear)
        return cells_after(flash, lambda: [chip.transmit(each) for each in commands])

    flash = Flash(bytearray(cells))
    chip, commands = prepare(flash)
    before = digest(bytes(flash.cells))
    for each in commands:
        chip.transmit(each)
    after = digest(bytes(flash.cells))
    return before, after, {digest(left) for left in cut_everywhere(run, cast(list[Tear], tears))}

# SPDX-License-Identifier: Apache-2.0
"""Cards of every generation whose holder has chosen a PIN, and a till that books on them.

What the till shows and expects it computes from the rules (`apdu.crypto.purchase`), not with what
terminals use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from keybench import NEW_PIN, PIN, SM4, TDES, Desk, bank_groups, key
from testbench import SELECT_HRSS, change_pin, command, select_df, send_all, sw, verify, world

from apdu.crypto import purchase as cryptograms
from apdu.crypto.suite import BlockKey
from apdu.tlv import parse_simple
from apdu.wire.hrss.df04 import AccountBalance, AccountState, MedicalTransaction, OfflineTotals
from apdu.wire.hrss.generations import DF04, GENERATIONS, Generation
from apdu.wire.hrss.medical import (
    CREDIT_LOAD,
    DEBIT,
    GET_TRANSACTION_PROVE,
    INITIALISE_DEBIT,
    INITIALISE_LOAD,
    DebitDone,
    DebitInitialised,
    DebitOrder,
    DebitTerms,
    LoadDone,
    LoadInitialised,
    LoadOrder,
    LoadTerms,
    TransactionKind,
    TransactionProof,
    TransactionRef,
)
from apdu.wire.iso7816 import READ_RECORD, ReadMode, RecordRef
from apdu.wire.purchase import (
    LoadMac1Input,
    LoadMac2Input,
    LoadTacInput,
    Mac1Input,
    Mac2Input,
    TacInput,
)
from card_os.chip import ROM, Chip
from card_os.files.tree import Directory
from card_os.nvm import Flash
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_HOLDER, TEST_TERMINAL, blank_chip
from host.issuer.profile import known_chance
from host.keys import MemoryKeys
from host.terminal.personalise import personalise
from host.terminal.personalise_debit import personalise_debit

FLASH_SIZE = 32_768
SUITE_OF = {"1.0": TDES, "2.0": TDES, "3.0": SM4}
every_generation = pytest.mark.parametrize("generation", SUITE_OF)
TERMINAL = bytes.fromhex(TEST_TERMINAL)
TIME = bytes.fromhex("20260105093000")
AT = datetime(2026, 1, 5, 9, 30)
TERMINAL_SEQUENCE = bytes.fromhex("00012345")
LAST = 0xFFFFFFFE
"""The largest amount."""
Held = AccountBalance | OfflineTotals


@cache
def cells(generation: str, left_out: str = "", *, initial: bool = False) -> bytes:
    """The memory of a card; without the keys of one name, or with the initial PIN, if wanted."""
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank_chip(world(), flash)
    known = GENERATIONS[generation]
    suite = SUITE_OF[generation]
    card = Card(MemoryChannel(chip))
    personalise(card, TEST_HOLDER, MemoryKeys(suite=suite), without(known, left_out))
    personalise_debit(card, bank_groups(), random=known_chance())
    if not initial:
        send_all(chip, [SELECT_HRSS, change_pin(PIN, NEW_PIN)])
    return bytes(flash.cells)


def without(generation: Generation, name: str) -> Generation:
    return replace(
        generation,
        directories=tuple(
            replace(each, keys=tuple(key for key in each.keys if key.name != name))
            for each in generation.directories
        ),
    )


@dataclass(frozen=True)
class Sum:
    """What is to be paid."""

    account: int = 1234
    own: int = 56
    pool: int = 78
    index: int = 1
    terminal: bytes = TERMINAL
    time: bytes = TIME
    terminal_sequence: bytes = TERMINAL_SEQUENCE


SUM = Sum()


class Till(Desk):
    """A card in DF04, its PIN proven, and somebody who has all of its keys."""

    def __init__(
        self, generation: str = "2.0", flash: Flash | None = None, pin: str = NEW_PIN
    ) -> None:
        flash = flash or Flash(bytearray(cells(generation)))
        super().__init__(SUITE_OF[generation], flash)
        self.generation = generation
        self.enter(pin)

    def enter(self, pin: str = NEW_PIN) -> None:
        send_all(self.chip, [SELECT_HRSS, verify(pin), select_df(DF04.fid)])

    def power(self) -> None:
        """The power goes and comes back."""
        self.chip = Chip(ROM, self.flash, self.world)
        self.enter()

    def ask(self, raw: bytes) -> bytes:
        """The data of an answer that must be 9000."""
        answer = self.chip.transmit(raw)
        assert 0x9000 == sw(answer), f"{sw(answer):04X}"
        return answer[:-2]

    # Purchases

    def begin(self, terms: Sum = SUM) -> DebitInitialised:
        return DebitInitialised.parse(self.ask(begin_debit(terms)))

    def session(self, begun: DebitInitialised, terms: Sum = SUM) -> BlockKey:
        dpk = key(self.suite, f"DPK{begun.version}")
        number = begun.card_sequence
        return cryptograms.purchase_key(dpk, begun.random, number, terms.terminal_sequence)

    def mac1(self, begun: DebitInitialised, terms: Sum = SUM) -> bytes:
        return cryptograms.mac1(self.session(begun, terms), mac1_input(terms))

    def order(self, begun: DebitInitialised, terms: Sum = SUM, mask: bytes = bytes(4)) -> bytes:
        """MEDICAL DEBIT, with MAC1 changed by a mask."""
        return debit(masked(self.mac1(begun, terms), mask), terms)

    def expected(self, begun: DebitInitialised, terms: Sum = SUM) -> DebitDone:
        """What the card must answer."""
        sequence = terms.terminal_sequence
        booked = Mac2Input(begun.card_sequence, sequence, self.mac1(begun, terms))
        mac2 = cryptograms.mac2(self.session(begun, terms), booked)
        given = terms.account, terms.own, terms.pool, terms.terminal, sequence, terms.time
        return DebitDone(cryptograms.tac(key(self.suite, "DTK"), TacInput(*given)), mac2)

    def buy(self, terms: Sum = SUM) -> DebitDone:
        begun = self.begin(terms)
        done = DebitDone.parse(self.ask(self.order(begun, terms)))
        assert self.expected(begun, terms) == done
        return done

    # Loads

    def begin_load(self, amount: int) -> LoadInitialised:
        begun = LoadInitialised.parse(self.ask(begin_load(amount)))
        asked = LoadMac1Input(begun.balance, amount, TERMINAL)
        assert cryptograms.load_mac1(self.load_session(begun), asked) == begun.mac1
        return begun

    def load_session(self, begun: LoadInitialised) -> BlockKey:
        return cryptograms.load_key(key(self.suite, "DLK"), begun.random, begun.card_sequence)

    def credit(
        self, begun: LoadInitialised, amount: int, mask: bytes = bytes(4), time: bytes = TIME
    ) -> bytes:
        """CREDIT FOR LOAD, with MAC2 changed by a mask."""
        allowed = LoadMac2Input(amount, TERMINAL, time)
        mac2 = cryptograms.load_mac2(self.load_session(begun), allowed)
        return credit_load(masked(mac2, mask), time)

    def expected_load(self, begun: LoadInitialised, amount: int) -> LoadDone:
        balance = begun.balance + amount
        booked = LoadTacInput(balance, begun.card_sequence, amount, TERMINAL, TIME)
        return LoadDone(cryptograms.load_tac(key(self.suite, "DTK"), booked))

    def load(self, amount: int) -> LoadDone:
        begun = self.begin_load(amount)
        done = LoadDone.parse(self.ask(self.credit(begun, amount)))
        assert self.expected_load(begun, amount) == done
        return done

    # What the card says, or is made to say

    def prove(
        self, number: int, kind: TransactionKind = TransactionKind.PURCHASE
    ) -> TransactionProof | int:
        """The proof, or the status word of the refusal."""
        answer = self.chip.transmit(prove(number, kind))
        return TransactionProof.parse(answer[:-2]) if len(answer) > 2 else sw(answer)

    def directory_object(self) -> Directory:
        """DF04 as the chip has it."""
        return self.chip._ctx.tree.names[DF04.name]

    def files(self) -> tuple[Held, AccountState]:
        """EF06, and EF1B that no terminal can read."""
        directory = self.directory_object()
        layout = AccountBalance if self.generation == "1.0" else OfflineTotals
        held = layout.parse(directory.by_sfi[6].all_from(1))
        return held, AccountState.parse(directory.by_sfi[0x1B].read_binary(0, 14))

    def log(self) -> list[MedicalTransaction]:
        """EF08, the newest first, as the holder reads it."""
        answer = self.chip.transmit(command(READ_RECORD, RecordRef(1, 8, ReadMode.ALL_FROM)))
        raw = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.chip.transmit(bytes((0, 0xC0, 0, 0, answer[-1])))
            raw += answer[:-2]
        if sw(answer) == 0x6A83:
            return []
        assert 0x9000 == sw(answer)
        return [MedicalTransaction.parse(raw[at : at + 28]) for at in range(0, len(raw), 28)]

    def put(self, held: Held | None = None, **state: Any) -> None:
        """Let the card hold this, as if it had come to it by itself."""
        directory = self.directory_object()
        if held is not None:
            for number, item in enumerate(parse_simple(bytes(held)), start=1):
                directory.by_sfi[6].update(number, bytes(item))
        if state:
            _, now = self.files()
            directory.by_sfi[0x1B].update_binary(0, bytes(replace(now, **state)))

    def hold(self, amount: int) -> None:
        """A balance, or off-line totals that leave room for as much."""
        if self.generation == "1.0":
            self.put(AccountBalance(amount, 0, 0))
        else:
            self.put(OfflineTotals("1", LAST - amount, "00"))


def masked(raw: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(raw, mask, strict=True))


def mac1_input(terms: Sum) -> Mac1Input:
    return Mac1Input(terms.account, terms.own, terms.pool, terms.terminal, terms.time)


def rich(generation: str) -> Till:
    """A till whose card can pay."""
    till = Till(generation)
    till.hold(1_000_000)
    return till


def entry(number: int, terms: Sum = SUM) -> MedicalTransaction:
    """What the log says of a purchase."""
    digits = terms.terminal.hex()
    return MedicalTransaction(number, b"\x32", digits, AT, terms.account, terms.own, terms.pool)


def loaded(number: int, amount: int) -> MedicalTransaction:
    """What the log says of a load."""
    return MedicalTransaction(number, b"\x31", TERMINAL.hex(), AT, amount, 0, 0)


# Commands


def begin_debit(terms: Sum = SUM) -> bytes:
    given = DebitTerms(terms.index, terms.account, terms.own, terms.pool, terms.terminal)
    return command(INITIALISE_DEBIT, None, given, ne=22)


def debit(mac1: bytes, terms: Sum = SUM) -> bytes:
    return command(DEBIT, None, DebitOrder(terms.terminal_sequence, terms.time, mac1), ne=8)


def prove(number: int, kind: TransactionKind = TransactionKind.PURCHASE) -> bytes:
    return command(GET_TRANSACTION_PROVE, TransactionRef(kind), number.to_bytes(2), ne=8)


def begin_load(amount: int, index: int = 1, terminal: bytes = TERMINAL) -> bytes:
    return command(INITIALISE_LOAD, None, LoadTerms(index, amount, terminal), ne=16)


def credit_load(mac2: bytes, time: bytes = TIME) -> bytes:
    return command(CREDIT_LOAD, None, LoadOrder(time, mac2), ne=4)

# SPDX-License-Identifier: Apache-2.0
"""An issuer with an account, and the card's half of what it is asked, made from the issuer's keys.

bench = IssuerBench()
card = bench.card()
bench.host.authorise(card.request(Purpose.PURCHASE, 1234))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy: pip install 'sscard[bank]'")

from apdu.command import CommandAPDU
from apdu.crypto.cryptogram import (
    cryptogram,
    idd_mac,
    transaction_key,
    verify_arpc,
)
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.script import Script
from apdu.messaging import script_messaging
from apdu.tlv import build, find, parse, tlv
from apdu.wire.cryptogram import Cvn, IadAlgorithm, OneAmount, OneAmountIdd
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.flags import Result, with_first, with_scripts, with_second
from apdu.wire.pboc.script_results import ScriptOutcome, script_result
from apdu.wire.perso import Algorithm
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.keys import CardKeys, IssuerKeys
from host.issuer.limits import UNLIMITED, Limits
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    Purpose,
    Reversal,
)
from host.network.purposes import TRANSACTION_TYPES

PAN, OTHER = "6228000100009995", "6228000100009987"
NOON = datetime(2026, 3, 2, 12, 0, 0)
PASSWORD = "271828"  # noqa: S105 - of an account for tests
_CVN_01 = (
    tags.AMOUNT,
    tags.OTHER_AMOUNT,
    tags.TERMINAL_COUNTRY,
    tags.TVR,
    tags.CURRENCY,
    tags.DATE,
    tags.TRANSACTION_TYPE,
    tags.UNPREDICTABLE_NUMBER,
    tags.AIP,
    tags.ATC,
)
_CVN_17 = (tags.AMOUNT, tags.UNPREDICTABLE_NUMBER, tags.ATC)


@dataclass
class BenchCard:
    """A card that says what a test wants it to say, and proves it."""

    keys: IssuerKeys
    pan: str = PAN
    psn: str = "01"
    cvn: Cvn = Cvn.CVN_01
    algorithm: Algorithm = Algorithm.TDES
    atc: int = 0
    cash: int = 0
    """Electronic cash that it tells of in its IDD."""
    scripts: int = 0
    """Its counter of script commands."""
    script_failed: bool = False
    references: Any = field(default_factory=lambda: count(100), repr=False)
    tells_cash: bool = True

    @property
    def own(self) -> CardKeys:
        return self.keys.card(self.pan, self.psn, self.algorithm)

    def elements(
        self,
        purpose: Purpose,
        amount: int,
        result: Result = Result.ARQC,
        cvr: int = 0,
        final: bool = False,
        **changed: bytes,
    ) -> dict[int, bytes]:
        """DE55 by tag. `final`: of the second GENERATE AC. `changed`: values by `t9F02` and so on,
        put in before the cryptogram is made."""
        atc = self.atc.to_bytes(2)
        cvr = with_scripts(cvr, self.scripts) | (8 if self.script_failed else 0)
        first, second = (Result.ARQC, result) if final else (result, Result.ARQC)
        cvr = with_second(with_first(cvr, first), second)
        found = {
            tags.CID: bytes((result << 6,)),
            tags.UNPREDICTABLE_NUMBER: bytes.fromhex("1E78EEBC"),
            tags.ATC: atc,
            tags.TVR: bytes(5),
            tags.DATE: bytes.fromhex("260302"),
            tags.TRANSACTION_TYPE: TRANSACTION_TYPES[purpose],
            tags.AMOUNT: amount_bytes(amount),
            tags.CURRENCY: b"\x01\x56",
            tags.AIP: b"\x7c\x00",
            tags.TERMINAL_COUNTRY: b"\x01\x56",
            tags.OTHER_AMOUNT: bytes(6),
            tags.PSN: bytes.fromhex(self.psn),
        }
        found |= {int(name[1:], 16): value for name, value in changed.items()}
        told = b"\x03" + cvr.to_bytes(3)
        number = IadAlgorithm[self.algorithm.name]
        iad = bytes((7, 1, self.cvn)) + told + bytes((number,)) + self._idd(atc)
        found.setdefault(tags.IAD, iad)
        wanted = _CVN_01 if self.cvn is Cvn.CVN_01 else _CVN_17
        data = b"".join(found[tag] for tag in wanted)
        data += told if self.cvn is Cvn.CVN_01 else told[1:2]
        session = transaction_key(self.own.ac, self.cvn, atc)
        found.setdefault(tags.AC, cryptogram(session, data))
        return found

    def _idd(self, atc: bytes) -> bytes:
        if not self.tells_cash:
            return b""
        idd = OneAmountIdd(OneAmount.BALANCE, amount_bytes(self.cash)[1:])
        key = self.own.mac.suite.key(pboc_session_key(self.own.mac, atc))
        return bytes(replace(idd, mac=idd_mac(key, atc, idd)))

    def request(
        self,
        purpose: Purpose = Purpose.PURCHASE,
        amount: int = 1234,
        *,
        reference: str = "",
        pin_block: bytes = b"",
        target: str = "",
        entry_mode: EntryMode = EntryMode.CHIP,
        advice: bool = False,
        same: bool = False,
        more: dict[int, bytes] | None = None,
        **how: Any,
    ) -> AuthorisationRequest:
        """A request in a new transaction, or with `same` in the one that goes on."""
        if not same:
            self.atc += 1
        number = next(self.references)
        icc = self.elements(purpose, amount, **how) | (more or {})
        return AuthorisationRequest(
            reference=reference or f"{number:012d}",
            trace=number % 999_999 + 1,
            time=NOON,
            purpose=purpose,
            amount=amount,
            pan=self.pan,
            psn=self.psn,
            terminal_id="TERM0001",
            merchant_id="MERCHANT0000001",
            entry_mode=entry_mode,
            icc=build(tlv(tag, value) for tag, value in icc.items()),
            pin_block=pin_block,
            target=target,
            advice=advice,
        )

    # The answer

    def believes(self, request: AuthorisationRequest, answer: AuthorisationResponse) -> bool:
        """Whether the answer carries the issuer's proof for this request and this code."""
        proof = find(parse(answer.icc), tags.ISSUER_AUTHENTICATION_DATA)
        if proof is None or proof.value[8:] != answer.response_code.encode():
            return False
        ac, atc = self._asked(request)
        session = transaction_key(self.own.ac, self.cvn, atc)
        return verify_arpc(session, ac, proof.value[8:], proof.value[:8])

    def commands(
        self, request: AuthorisationRequest, answer: AuthorisationResponse
    ) -> list[tuple[int, list[CommandAPDU]]]:
        """The scripts in an answer, opened: identifier and commands as they were before."""
        ac, atc = self._asked(request)
        messaging = script_messaging(self.own.mac, self.own.enc, atc, ac)
        opened = []
        for item in parse(answer.icc):
            if item.tag == tags.SCRIPT_AFTER:
                script = Script.parse(bytes(item))
                found = [CommandAPDU.parse(each) for each in script.commands]
                plain = [
                    replace(
                        each,
                        cla=each.cla & ~4,
                        data=messaging.open(
                            bytes((each.cla, each.ins, each.p1, each.p2)),
                            each.data,
                            enciphered=each.ins == 0x24,
                        ),
                    )
                    for each in found
                ]
                opened.append((int.from_bytes(script.identifier), plain))
        return opened

    def _asked(self, request: AuthorisationRequest) -> tuple[bytes, bytes]:
        elements = {item.tag: item.value for item in parse(request.icc)}
        return elements[tags.AC], elements[tags.ATC]


def results(*told: tuple[ScriptOutcome, int]) -> bytes:
    """DF31 of scripts with these outcomes and identifiers."""
    return b"".join(
        bytes(script_result(outcome, int(outcome is ScriptOutcome.FAILED), number.to_bytes(4)))
        for outcome, number in told
    )


def reversal_of(request: AuthorisationRequest, df31: bytes = b"") -> Reversal:
    """The reversal that a terminal sends for a request."""
    return Reversal(
        reference=request.reference,
        trace=request.trace,
        time=request.time,
        amount=request.amount,
        pan=request.pan,
        terminal_id=request.terminal_id,
        merchant_id=request.merchant_id,
        reason="06",
        icc=build([tlv(tags.SCRIPT_RESULTS, df31)]) if df31 else b"",
    )


def offline(card: BenchCard, amount: int = 300, **how: Any) -> AuthorisationRequest:
    """What a terminal tells of a purchase that the card approved by itself."""
    result = how.pop("result", Result.TC)
    return card.request(Purpose.PURCHASE, amount, result=result, advice=True, **how)


class IssuerBench:
    """An issuer whose cards PAN and OTHER have accounts with 1,000,000 fen, activated."""

    def __init__(self, store: str = "", limits: Limits = UNLIMITED) -> None:
        self.bank = Bank(store, limits=limits) if store else Bank(limits=limits)
        self.keys = IssuerKeys(TEST_IMKS)
        self.host = IssuerHost(self.bank, self.keys)
        self._references = count(1)
        for pan in (PAN, OTHER):
            self.bank.open(self.reference(), pan, "01", "测试持卡人", NOON)
            self.bank.activate(self.reference(), pan, PASSWORD, NOON)
            self.bank.deposit(self.reference(), pan, 1_000_000, NOON)

    def reference(self) -> str:
        """One that no card of the bench uses."""
        return f"9{next(self._references):011d}"

    def card(self, **how: Any) -> BenchCard:
        return BenchCard(self.keys, **how)

    def block(self, password: str = PASSWORD, pan: str = PAN) -> bytes:
        return self.bank.pin_keys.enciphered(password, pan)

    def balance(self, pan: str = PAN) -> int:
        return self.bank.account(pan).balance

    def cash(self, pan: str = PAN) -> int:
        return self.bank.account(pan).cash

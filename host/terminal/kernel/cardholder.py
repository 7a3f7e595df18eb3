# SPDX-License-Identifier: Apache-2.0
"""Cardholder verification (持卡人验证): the card's list gone through, until a method holds or none.

What came of it is 9F34, the TVR and the trail; a PIN is on none of them. An offline PIN goes to the
card as it was typed, enciphered ones are not done (profile choice `offline-pin`). EMV Book 3 10.5,
Book 4 6.3.4; JR/T 0025.6.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Protocol

from apdu.errors import FormatError
from apdu.sw import SW
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, Tsi, Tvr
from host.faults import CardMisspoke, CardRefused, PinBlocked, PinWrong
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.cvm_list import (
    CvmList,
    Method,
    Rule,
    applies,
    parse_cvm_list,
    supported,
)
from host.terminal.kernel.pin_entry import DocumentKind, PinPad
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction


class Verdict(IntEnum):
    """The third byte of 9F34."""

    UNKNOWN = 0
    """It shows later: a signature, or a PIN that the issuer verifies."""
    FAILED = 1
    SUCCESSFUL = 2


class Verifying(Protocol):
    """The commands of the card that verification uses."""

    def verify(self, block: bytes, /) -> None: ...
    def data(self, tag: int, /) -> bytes: ...


NOT_PERFORMED: Final = bytes((0x3F, 0x00, Verdict.UNKNOWN))
NO_RULE_APPLIES: Final = bytes((0x3F, 0x00, Verdict.FAILED))
PIN_METHODS: Final = frozenset(
    {
        Method.PLAINTEXT_PIN,
        Method.ONLINE_PIN,
        Method.PLAINTEXT_PIN_AND_SIGNATURE,
        Method.ENCIPHERED_PIN,
        Method.ENCIPHERED_PIN_AND_SIGNATURE,
    }
)
_SIGNED: Final = frozenset(
    {
        Method.SIGNATURE,
        Method.PLAINTEXT_PIN_AND_SIGNATURE,
        Method.ENCIPHERED_PIN_AND_SIGNATURE,
    }
)
_STEP: Final = Step.CARDHOLDER_VERIFICATION
_MOST_TRIES: Final = 15
"""A card has no more, so one that goes on allowing tries is not followed."""


def verify(
    transaction: Transaction, config: TerminalConfig, client: Verifying, pad: PinPad | None
) -> None:
    """Go through the card's list. `pad` None: there is no PIN pad, or it does not work.

    Raises CardMisspoke for a list that is none, or tries that do not become fewer; FormatError
    when what was typed is no PIN.
    """
    _conclude(transaction, NOT_PERFORMED)
    if not transaction.supports(Aip.CARDHOLDER_VERIFICATION):
        transaction.note(_STEP, "not performed", "the AIP does not have it")
        return
    found = _list(transaction)
    if found is None:
        transaction.tvr |= Tvr.ICC_DATA_MISSING
        transaction.note(_STEP, "not performed", "the card has no list of methods (8E)")
        return
    transaction.tsi |= Tsi.CARDHOLDER_VERIFIED
    _Verification(transaction, config, client, pad, found).go()


def signature_wanted(cvm_results: bytes) -> bool:
    """Whether the holder is to sign the receipt, as 9F34 says."""
    method = cvm_results[0] & 0x3F if cvm_results else Method.FAIL
    return method in _SIGNED and cvm_results[2] != Verdict.FAILED


class _Verification:
    """One pass through a list."""

    def __init__(
        self,
        transaction: Transaction,
        config: TerminalConfig,
        client: Verifying,
        pad: PinPad | None,
        found: CvmList,
    ) -> None:
        self.transaction = transaction
        self.config = config
        self.client = client
        self.pad = pad
        self.found = found
        self.bypassed = False

    def go(self) -> None:
        last: Rule | None = None
        for rule in self.found.rules:
            if not applies(rule, self.found, self.transaction, self.config):
                continue
            last = rule
            verdict = self.tried(rule)
            if verdict is not Verdict.FAILED:
                self.conclude(rule, verdict)
                return
            if not rule.goes_on or rule.method is Method.FAIL:
                break
        self.transaction.tvr |= Tvr.CARDHOLDER_VERIFICATION_FAILED
        if last is None:
            _conclude(self.transaction, NO_RULE_APPLIES)
            self.note("failed", "no rule of the list applies")
        else:
            self.conclude(last, Verdict.FAILED)
            self.note("failed", "no method was successful")

    def tried(self, rule: Rule) -> Verdict:
        method = rule.method
        if method is None:
            self.transaction.tvr |= Tvr.UNRECOGNISED_CVM
            return self.failed(f"method {rule.code & 0xBF:02X}", "it is not known")
        name = method.name.lower().replace("_", " ")
        if not supported(method, self.config):
            if method in PIN_METHODS:
                self.transaction.tvr |= Tvr.PIN_PAD_MISSING
            return self.failed(name, "the terminal does not support it")
        match method:
            case Method.FAIL:
                self.note(name, "the rule says so")
                return Verdict.FAILED
            case Method.PLAINTEXT_PIN:
                return self.offline_pin(name)
            case Method.PLAINTEXT_PIN_AND_SIGNATURE:
                proven = self.offline_pin(name) is Verdict.SUCCESSFUL
                return Verdict.UNKNOWN if proven else Verdict.FAILED
            case Method.ONLINE_PIN:
                return self.online_pin(name)
            case Method.HOLDER_DOCUMENT:
                return self.document(name)
            case Method.SIGNATURE:
                self.note(name, "the holder signs the receipt")
                return Verdict.UNKNOWN
            case Method.NO_CVM:
                self.note(name, "nothing is asked of the holder")
                return Verdict.SUCCESSFUL
        self.transaction.tvr |= Tvr.PIN_PAD_MISSING
        return self.failed(name, "enciphered offline PINs are not done")

    def offline_pin(self, name: str) -> Verdict:
        if self.pad is None:
            return self.no_pad(name)
        left = self.tries_left()
        if left == 0:
            return self.exceeded(name, "the PIN try counter (9F17) is 0")
        for _ in range(_MOST_TRIES):
            block = None if self.bypassed else self.pad.offline_block(left)
            if block is None:
                return self.not_entered(name)
            try:
                self.client.verify(block)
            except PinWrong as wrong:
                if left is not None and wrong.tries_left >= left:
                    raise CardMisspoke("VERIFY: the tries left do not become fewer") from None
                left = wrong.tries_left
                if not left:
                    return self.exceeded(name, "wrong, and it was the last try")
                self.note(f"{name} wrong", f"tries left: {left}")
            except PinBlocked:
                return self.exceeded(name, "VERIFY: 6983, no tries left")
            except CardRefused as refused:
                if refused.sw == SW.REFERENCE_DATA_INVALID:
                    return self.exceeded(name, "VERIFY: 6984, no tries left before")
                return self.failed(name, f"VERIFY: {refused.sw:04X}")
            else:
                self.note(f"{name} right", "the card verified it")
                return Verdict.SUCCESSFUL
        return self.failed(name, f"more than {_MOST_TRIES} tries")

    def online_pin(self, name: str) -> Verdict:
        if self.pad is None or self.pad.encipher is None:
            return self.no_pad(name)
        block = None if self.bypassed else self.pad.online_block(self.transaction.pan)
        if block is None:
            return self.not_entered(name)
        self.transaction.pin_block = block
        self.transaction.tvr |= Tvr.ONLINE_PIN_ENTERED
        self.note(f"{name} entered", "the issuer verifies it")
        return Verdict.UNKNOWN

    def document(self, name: str) -> Verdict:
        kind = self.transaction.card.get(tags.DOCUMENT_TYPE, b"")
        number = self.transaction.card.get(tags.DOCUMENT_NUMBER, b"")
        if len(kind) != 1 or not number or not number.isascii():
            return self.failed(name, "the card does not name a document (9F62, 9F61)")
        if self.pad is None:
            return self.failed(name, "there is nobody to look at it")
        known = DocumentKind(kind[0]) if kind[0] <= DocumentKind.OTHER.value else DocumentKind.OTHER
        if not self.pad.people.document(known, number.decode("ascii")):
            return self.failed(name, "not shown, or not the one that the card names")
        self.note(f"{name} shown", "it is the one that the card names")
        return Verdict.SUCCESSFUL

    def tries_left(self) -> int | None:
        """9F17, None when the card does not give it."""
        try:
            value = self.client.data(tags.PIN_TRIES)
        except CardRefused:
            return None
        if len(value) != 1 or value[0] > _MOST_TRIES:
            raise CardMisspoke("GET DATA: 9F17 must be one byte, 15 at most")
        return value[0]

    def no_pad(self, name: str) -> Verdict:
        self.transaction.tvr |= Tvr.PIN_PAD_MISSING
        return self.failed(name, "no PIN pad for it")

    def not_entered(self, name: str) -> Verdict:
        """Who bypasses one PIN is not asked for another (EMV Book 4 6.3.4.3)."""
        self.bypassed = True
        self.transaction.tvr |= Tvr.PIN_NOT_ENTERED
        return self.failed(name, "PIN entry was bypassed")

    def exceeded(self, name: str, why: str) -> Verdict:
        self.transaction.tvr |= Tvr.PIN_TRIES_EXCEEDED
        return self.failed(name, why)

    def failed(self, name: str, why: str) -> Verdict:
        self.note(f"{name} unsuccessful", why)
        return Verdict.FAILED

    def conclude(self, rule: Rule, verdict: Verdict) -> None:
        _conclude(self.transaction, bytes((rule.code, rule.condition, verdict)))

    def note(self, outcome: str, why: str) -> None:
        self.transaction.note(_STEP, outcome, why)


def _conclude(transaction: Transaction, results: bytes) -> None:
    transaction.cvm_results = transaction.terminal[tags.CVM_RESULTS] = results


def _list(transaction: Transaction) -> CvmList | None:
    """The card's list; None where it has none, or one without rules."""
    value = transaction.card.get(tags.CVM_LIST)
    if value is None:
        return None
    try:
        found = parse_cvm_list(value)
    except FormatError as error:
        raise CardMisspoke(str(error)) from None
    return found if found.rules else None

# SPDX-License-Identifier: Apache-2.0
"""`IssuerHost`: the bank as terminals ask it (发卡行授权系统).

What is asked is judged in one order, and the first no is the answer: message, card known, closed,
frozen, expired, cryptogram, counter, password, and then what the bank's books say (not activated,
daily limits, funds). A card that has proven its key gets its answer proven in turn (91), a no as
well as a yes, and with it the scripts that wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import Final

from apdu.crypto.pinblock import read_iso_0
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Cvr, Result
from apdu.wire.pboc.script_results import ScriptOutcome, parse_script_results
from host.issuer import online
from host.issuer.accounts import Operation
from host.issuer.agreement import agreed
from host.issuer.bank import Bank
from host.issuer.cryptograms import CryptogramWrong, Proven, verify
from host.issuer.delivery import DONE, Delivery, check_room
from host.issuer.faults import BankUnavailable, Reason, Refused
from host.issuer.journal import moment, order
from host.issuer.keys import IssuerKeys
from host.issuer.offline import settle
from host.issuer.posting import check_open, check_usable
from host.issuer.wishes import Kind, Wish
from host.network.authorisation import (
    APPROVED,
    RMB,
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    NoAnswer,
    Purpose,
    Reversal,
)
from host.network.elements55 import WrongElement, answer_data, read_elements
from host.network.fields import check_reversal

log: Final = logging.getLogger("host.issuer")
OPERATIONS: Final[Mapping[Purpose, Operation]] = {
    Purpose.PURCHASE: Operation.PURCHASE,
    Purpose.WITHDRAWAL: Operation.WITHDRAWAL,
    Purpose.DEPOSIT: Operation.DEPOSIT,
    Purpose.TRANSFER: Operation.TRANSFER,
    Purpose.LOAD: Operation.LOAD,
    Purpose.CASH_LOAD: Operation.CASH_LOAD,
}
"""What moves money."""
LOADS: Final = frozenset({Purpose.LOAD, Purpose.CASH_LOAD})
PASSWORD_NEEDED: Final = frozenset({Purpose.WITHDRAWAL, Purpose.TRANSFER, Purpose.PIN_CHANGE})
"""For these the transaction password must have come, or but for the last the card must have found
its own PIN right (profile choice `password-needed`)."""
_PIN_WAS_RIGHT: Final = int(Cvr.PIN_VERIFICATION_PERFORMED)
_PIN_JUDGED: Final = int(Cvr.PIN_VERIFICATION_PERFORMED | Cvr.PIN_VERIFICATION_FAILED)

Doubt = CryptogramWrong | FormatError
"""Why a card has proven nothing."""


class IssuerHost:
    """Answers as `host.network.authorisation.Issuer` wants; threads may share it."""

    def __init__(
        self,
        bank: Bank,
        keys: IssuerKeys,
        *,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`now`: the bank's own time, without a zone; without it the time of each message counts,
        so that the same messages always have the same answers."""
        self.bank = bank
        self.keys = keys
        self.scripts = Delivery(bank, keys)
        """What the bank wants of its cards."""
        self._now = now

    # 联机交易

    def authorise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Judge a request, and do what it asks for. Raises NoAnswer when the bank's store fails:
        whether it was done is not known then."""
        with _or_no_answer():
            try:
                if request.advice:
                    raise FormatError("advice: asks for nothing")
                elements = agreed(request)
            except FormatError as error:
                return self._said(request, Reason.FORMAT.code, str(error))
            at = self._now() if self._now else request.time
            found = self._proven(request, elements)
            if isinstance(found, Proven) and found.result is Result.ARQC:
                return self._answer(request, at, found)
            try:
                self._check_card(request, at, self._look(request, None))
            except Refused as refused:
                return self._said(request, refused.code, str(refused))
            if isinstance(found, Proven):
                return self._said(request, Reason.INVALID.code, f"an {found.result.name}")
            wrong = Reason.FORMAT if isinstance(found, WrongElement) else Reason.NOT_GENUINE
            return self._said(request, wrong.code, str(found))

    def _answer(
        self, request: AuthorisationRequest, at: datetime, proven: Proven
    ) -> AuthorisationResponse:
        code, balance, alone = APPROVED, None, ""
        seen = None
        try:
            seen = self._look(request, proven)
            self._check_card(request, at, seen)
            if seen.again and not seen.answered:
                raise Refused(Reason.SEEN_BEFORE)
            if not seen.answered:
                self._check_password(request, proven)
            if request.purpose is Purpose.BALANCE:
                balance = self._balance(request, at, seen, proven)
            elif request.purpose is Purpose.PIN_CHANGE:
                alone = self._change_pin(request, at, proven)
            else:
                alone = self._post(request, at, proven)
            why = "approved"
        except Refused as refused:
            code, why = refused.code, str(refused)
            if seen is None:
                return self._said(request, code, why)
            self._spend(request, at, proven, refused.reason)
        scripts = self._scripts(request, at, proven, seen, alone)
        return self._said(request, code, why, balance, answer_data(proven.answer(code), scripts))

    def _proven(
        self, request: AuthorisationRequest, elements: Mapping[int, bytes]
    ) -> Proven | Doubt:
        try:
            return verify(self.keys, request.pan, request.psn, elements)
        except (CryptogramWrong, FormatError) as error:
            return error

    def _look(self, request: AuthorisationRequest, proven: Proven | None) -> online.Look:
        """Raises Refused for a card that is none of ours."""
        atc = int.from_bytes(proven.atc) if proven else None
        seen = online.look(self.bank, request.pan, request.reference, atc)
        if seen.card.psn != request.psn:
            raise Refused(Reason.UNKNOWN_CARD)
        return seen

    def _check_card(self, request: AuthorisationRequest, at: datetime, seen: online.Look) -> None:
        """Raises Refused for a card that may not be used at all."""
        card = seen.card
        check_open(card)
        if card.frozen and request.purpose is not Purpose.DEPOSIT:
            raise Refused(Reason.FROZEN)
        if card.expires and moment(at)[:10] > card.expires:
            raise Refused(Reason.EXPIRED)
        if request.currency != RMB:
            raise Refused(Reason.INVALID)

    def _check_password(self, request: AuthorisationRequest, proven: Proven) -> None:
        if request.pin_block:
            self.bank.verify_pin(request.pan, request.pin_block)
        elif request.purpose in PASSWORD_NEEDED and (
            request.purpose is Purpose.PIN_CHANGE or proven.cvr & _PIN_JUDGED != _PIN_WAS_RIGHT
        ):
            raise Refused(Reason.NO_PASSWORD)

    def _balance(
        self, request: AuthorisationRequest, at: datetime, seen: online.Look, proven: Proven
    ) -> int:
        check_usable(seen.card, moment(at)[:10])
        self._raise_counter(request, proven)
        return int(seen.card.balance - seen.card.held)

    def _change_pin(self, request: AuthorisationRequest, at: datetime, proven: Proven) -> str:
        """The card's offline PIN becomes the transaction password, which was just found right
        (profile choice `pin-change-request`)."""
        self._raise_counter(request, proven)
        pin = read_iso_0(self.bank.pin_keys.pin.decrypt(request.pin_block), request.pan)
        self.scripts.pin(request.pan, request.psn, pin, at, request.reference)
        return request.reference

    def _post(self, request: AuthorisationRequest, at: datetime, proven: Proven) -> str:
        """Move the money; the reference, when a script belongs to it."""
        if not request.amount:
            raise Refused(Reason.NO_AMOUNT)
        is_load = request.purpose in LOADS
        if is_load:
            check_room(proven.idd, request.amount)
        atc = int.from_bytes(proven.atc)
        asked = order(
            OPERATIONS[request.purpose],
            request.reference,
            request.pan,
            at,
            request.terminal_id,
            request.amount,
            content=request.target,
            atc=atc,
        )
        wish = Wish(Kind.LOAD, request.reference, request.amount).dump() if is_load else ""
        online.post_online(self.bank, asked, atc, wish)
        return request.reference if is_load else ""

    def _raise_counter(self, request: AuthorisationRequest, proven: Proven) -> None:
        if not self.bank.raise_atc(request.pan, int.from_bytes(proven.atc)):
            raise Refused(Reason.SEEN_BEFORE)

    def _spend(
        self, request: AuthorisationRequest, at: datetime, proven: Proven, reason: Reason
    ) -> None:
        """Keep the counter and the no, so that neither passes when it comes again."""
        self.bank.raise_atc(request.pan, int.from_bytes(proven.atc))
        self.bank.decline(request.reference, request.pan, reason, at, request.terminal_id)

    def _scripts(
        self,
        request: AuthorisationRequest,
        at: datetime,
        proven: Proven,
        seen: online.Look,
        alone: str,
    ) -> tuple[bytes, ...]:
        """What goes to the card with the answer. `alone`: the request, where it has a wish of its
        own.

        Not to a card that was tapped, which is gone by then and tells nothing of earlier scripts
        (profile choice `tap-scripts`), nor for a transaction that is not the card's last.
        """
        tapped = request.entry_mode is EntryMode.CONTACTLESS and not alone
        if tapped or int.from_bytes(proven.atc) < seen.card.atc:
            return ()
        waiting = self.scripts.outbox.waiting(request.pan) if alone else seen.waiting
        if not waiting:
            return ()
        left = self.scripts.judge(request.pan, waiting, proven, at, alone)
        return self.scripts.send(proven, left, alone)

    def _said(
        self,
        request: AuthorisationRequest,
        code: str,
        why: str,
        balance: int | None = None,
        icc: bytes = b"",
    ) -> AuthorisationResponse:
        log.info("%s %s: %s %s", request.purpose.value, request.reference, code, why)
        approval = _approval(request) if code == APPROVED else ""
        return AuthorisationResponse(code, approval, balance, icc)

    # 冲正

    def reverse(self, reversal: Reversal, /) -> AuthorisationResponse:
        """Undo what was asked under this reference, or see to it that it is not done any more.

        A load is not undone when the card is known to have got it. Raises NoAnswer.
        """
        with _or_no_answer():
            try:
                check_reversal(reversal)
                elements = read_elements(reversal.icc)
                results = parse_script_results(elements.get(tags.SCRIPT_RESULTS, b""))
            except FormatError as error:
                return _told(reversal.reference, Reason.FORMAT.code, str(error))
            at = self._now() if self._now else reversal.time
            entry = self.scripts.of(reversal.pan, reversal.reference)
            if entry is not None and entry.wish.amount != reversal.amount:
                return _told(reversal.reference, Reason.NO_ORIGINAL.code, "another amount")
            if entry is not None:
                number = entry.number.to_bytes(4)
                loaded = entry.outcome == DONE or any(
                    each.identifier == number and each.outcome is ScriptOutcome.SUCCEEDED
                    for each in results
                )
                if loaded:
                    self.scripts.told(reversal.pan, results, at)
                    return _told(reversal.reference, Reason.INVALID.code, "the card has got it")
                self.scripts.withdraw(entry)
            try:
                if reversal.amount:
                    self.bank.reverse(
                        reversal.reference, reversal.pan, reversal.amount, at, reversal.terminal_id
                    )
            except Refused as refused:
                return _told(reversal.reference, refused.code, str(refused))
            self.scripts.told(reversal.pan, results, at)
            return _told(reversal.reference, APPROVED, "reversed")

    # 脱机交易上送

    def advise(self, request: AuthorisationRequest, /) -> AuthorisationResponse:
        """Take in what a card approved offline: the bank owes it for every good TC, once.

        An AAC is taken note of. Raises NoAnswer.
        """
        with _or_no_answer():
            try:
                if not request.advice:
                    raise FormatError("advice: must be set in what was done offline")
                elements = agreed(request)
                results = parse_script_results(elements.get(tags.SCRIPT_RESULTS, b""))
                at = self._now() if self._now else request.time
                proven = verify(self.keys, request.pan, request.psn, elements)
                seen = online.look(self.bank, request.pan, request.reference, None)
                if seen.card.psn != request.psn:
                    raise Refused(Reason.UNKNOWN_CARD)
                if proven.result is Result.TC:
                    settle(self.bank, request, elements, proven, at)
                elif proven.result is not Result.AAC:
                    raise Refused(Reason.INVALID)
            except CryptogramWrong as error:
                return self._said(request, Reason.NOT_GENUINE.code, str(error))
            except FormatError as error:
                return self._said(request, Reason.FORMAT.code, str(error))
            except Refused as refused:
                return self._said(request, refused.code, str(refused))
            self.scripts.told(request.pan, results, at)
            return self._said(request, APPROVED, f"{proven.result.name} taken in")


def _approval(request: AuthorisationRequest) -> str:
    """授权码: 6 digits that follow from the request, so that the same one has the same."""
    found = sha256(f"{request.pan} {request.reference}".encode()).digest()
    return f"{int.from_bytes(found[:8]) % 10**6:06d}"


def _told(reference: str, code: str, why: str) -> AuthorisationResponse:
    log.info("reversal %s: %s %s", reference, code, why)
    return AuthorisationResponse(code)


@contextmanager
def _or_no_answer() -> Iterator[None]:
    try:
        yield
    except BankUnavailable as error:
        raise NoAnswer("the bank's store cannot be used now") from error

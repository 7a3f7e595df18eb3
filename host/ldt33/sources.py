# SPDX-License-Identifier: Apache-2.0
"""Who answers the questions that a function asks between two commands: the PSAM, else the HSM.

Functions are written as procedures, which yield a request and are sent its answer:

    Authentication   8 bytes of cryptogram            Purchase       PurchaseBegun
    Protection       the protected command            Introduction   Results

Driven by `Sources`, they run through; asked by hand, one stops at each request (`host.driver`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire.hrss.keys import KeySpec
from host.card import Card
from host.channel import Channel
from host.faults import CardFault, CardGone, CentreMisspoke, NotFound
from host.hsm import HsmAddresses, HsmKeys
from host.introduction import IRK, Introduction, Results
from host.keys import (
    Authentication,
    CardIdentity,
    KeySource,
    Protection,
    Purchase,
    PurchaseBegun,
)
from host.ldt33.codes import FALL_BACK, Code, DriverFault, fault_of
from host.ldt33.desk import Desk
from host.psam import PsamKeys

Request = Authentication | Protection | Purchase | Introduction
Procedure = Generator[Request, Any, str]
"""What a function does on a desk; what it returns is pOutInfo."""
Ask = Callable[[str], str]
"""A line to the key centre's HSM, and its answer. The line of a PIN reload has the new PIN in it,
in the clear: it is not to be logged, and nobody else may read it on its way."""
_R: Final = 8


class Sources:
    """The PSAM in its slot and the way to the HSM, each of which may be missing.

    `terminal`: the terminal's number, where no PSAM has it; `device`: the device's.
    """

    def __init__(
        self,
        psam: Channel | None,
        hsm: Ask | None,
        addresses: HsmAddresses,
        random: Callable[[int], bytes],
        terminal: str,
        device: str,
    ) -> None:
        self._slot = psam
        self._hsm = hsm
        self._addresses = addresses
        self._random = random
        self._terminal = terminal
        self.device = device
        self._known: PsamKeys | None = None
        self._lost = False
        self._begun: Purchase | None = None
        """The purchase that the PSAM has begun, and may judge."""

    # Who they are

    @property
    def terminal(self) -> str:
        """The number of the terminal, 12 digits; empty when nobody knows it."""
        try:
            return self._psam().terminal
        except DriverFault:
            return self._terminal

    def key_index(self) -> int:
        """Which purchase key the PSAM wants to be asked for; the first one without a PSAM."""
        try:
            return int(self._of_psam(lambda psam: psam.key_index()))
        except DriverFault:
            return 1

    def require(self) -> None:
        """-2201 when there is nobody to ask, before the holder is asked for anything."""
        if self._hsm is None:
            self._psam()

    def introduction(self, desk: Desk) -> Introduction:
        """The card on the desk, with fresh challenges for it; it wants no proof of the terminal."""
        card = desk.identity
        proving = Authentication(IRK, card, self._random(_R), self._random(_R))
        names = desk.historical, desk.identification
        return Introduction(card, *names, proving, None, self.terminal, self.device)

    # Their answers

    def run(self, desk: Desk, procedure: Procedure) -> str:
        """Drive a procedure to its end."""
        try:
            request = next(procedure)
            while True:
                try:
                    answer = self._answer(desk, request)
                except DriverFault as fault:
                    request = procedure.throw(fault)
                else:
                    request = procedure.send(answer)
        except StopIteration as done:
            return str(done.value)

    def _answer(self, desk: Desk, request: Request) -> Any:
        self._begun = None
        try:
            answer = self._of_psam(lambda psam: _by_psam(psam, request))
        except DriverFault as fault:
            if fault.code not in FALL_BACK or self._hsm is None:
                raise
            return self._by_hsm(desk, request, self._hsm)
        if isinstance(request, Purchase):
            self._begun = request
        return answer

    def _psam(self) -> PsamKeys:
        if self._known is None:
            if self._slot is None:
                raise DriverFault(Code.NO_PSAM)
            try:
                if self._lost:
                    self._slot.reset()
                self._known = PsamKeys(Card(self._slot))
                self._lost = False
            except (CardGone, NotFound) as error:
                self._lost = True
                raise DriverFault(Code.NO_PSAM, str(error)) from None
            except CardFault as error:
                raise fault_of(error) or error from None
        return self._known

    def _of_psam(self, asked: Callable[[PsamKeys], Any]) -> Any:
        """What the PSAM says, or the code that it comes to; one that was pulled is none."""
        psam = self._psam()
        try:
            return asked(psam)
        except CardGone as error:
            self._known = None
            self._lost = True
            raise DriverFault(Code.NO_PSAM, str(error)) from None
        except CardFault as error:
            raise fault_of(error) or error from None

    def judge(self, request: Purchase, begun: PurchaseBegun, mac2: bytes) -> bool:
        """Whether MAC2 was found right; False when nobody can judge it any more. -21: it is wrong.

        The card has booked by then, so a PSAM that was pulled is no reason to fail.
        """
        if self._begun is not request:
            return False
        try:
            return bool(self._of_psam(lambda psam: psam.end_purchase(request, begun, mac2)))
        except DriverFault as fault:
            if fault.code == Code.NOT_GENUINE:
                raise
            return False

    def _by_hsm(self, desk: Desk, request: Request, hsm: Ask) -> Any:
        def ask(line: str) -> str:
            try:
                return hsm(line)
            except FormatError as error:
                raise CentreMisspoke(f"HSM: {error}") from None
            except OSError:
                raise DriverFault(Code.NOT_CONNECTED, "the HSM cannot be reached") from None

        try:
            if isinstance(request, Introduction):
                desk.introduced = True
                return request.results(ask(request.line()))
            if not desk.introduced:
                first = self.introduction(desk)
                first.results(ask(first.line()))
                desk.introduced = True
            return _ask_keys(HsmKeys(ask, desk.identity.suite, self._addresses), request)
        except CardFault as error:
            raise fault_of(error) or error from None

    # By hand

    def line(self, desk: Desk, request: Request) -> str:
        """What a program carries to the centre."""
        if isinstance(request, Introduction):
            return request.line()
        return HsmKeys(None, desk.identity.suite, self._addresses).line(request)

    def answer(self, desk: Desk, request: Request, text: str) -> Any:
        """What it brings back. -14 when that is no answer to the line."""
        keys = HsmKeys(None, desk.identity.suite, self._addresses)
        try:
            match request:
                case Introduction():
                    return request.results(text)
                case Authentication():
                    return keys.cryptogram(request, text)
                case Protection():
                    return keys.finished(request, text)
                case Purchase():
                    return keys.begun(request, text)
        except CentreMisspoke as error:
            raise DriverFault(Code.PARAMETER, f"pKey: {error}") from None


def _by_psam(psam: PsamKeys, request: Request) -> Any:
    if not isinstance(request, Introduction):
        if not isinstance(request, Purchase):
            _check_region(psam, request.key, request.card)
        return _ask_keys(psam, request)
    _check_region(psam, IRK, request.card)
    reading = request.reading
    external = None if reading is None else psam.authenticate(reading)
    return Results(psam.authenticate(request.proving), external)


def _check_region(psam: PsamKeys, key: KeySpec, card: CardIdentity) -> None:
    """-24 for a master that is of another region than the card: it would cost the card a try, and
    the key centre can help."""
    if psam.reaches(card) or key.psam is None:
        return
    if psam.levels(key) < key.psam.levels:
        raise DriverFault(Code.KEY_USE, f"the PSAM's {key.name} is of another region")


def _ask_keys(keys: KeySource, request: Authentication | Protection | Purchase) -> Any:
    match request:
        case Authentication():
            return keys.authenticate(request)
        case Protection():
            return keys.protect(request)
        case Purchase():
            return keys.begin_purchase(request)

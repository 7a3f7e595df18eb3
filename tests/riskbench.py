# SPDX-License-Identifier: Apache-2.0
"""A card that has nothing against a transaction, what is otherwise in a case, and what comes of it.

case("one transaction offline too many", ARQC, Cvr.VELOCITY_EXCEEDED, limits(lower=0))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from apdu.wire.pboc.flags import Aip, Cvr, Result, Tvr
from card_os.apps.pboc.completion import IssuerSaid
from card_os.apps.pboc.limits import Limits
from card_os.apps.pboc.risk import Decision, Standing
from card_os.apps.pboc.state import CardState, Flag
from card_os.apps.pboc.transaction import IssuerAuthentication
from card_os.apps.pboc.velocity import Asked

AAC, TC, ARQC = Result
NOT_RECEIVED, PASSED, FAILED = IssuerAuthentication
OWN, OTHER, SECOND = b"\x01\x56", b"\x08\x40", b"\x03\x44"
"""Currencies, and countries."""
REQUESTED = int(Flag.ONLINE_REQUESTED)
SDA_FAILED, DDA_FAILED, CDA_FAILED = (
    int(each) >> 32 for each in (Tvr.SDA_FAILED, Tvr.DDA_FAILED, Tvr.CDA_FAILED)
)
"""As the first byte of the TVR has them."""
NOT_REQUESTED = ARQC << 22
WAITING = NOT_REQUESTED | ARQC << 20
"""The results in the CVR after an ARQC."""
WITHOUT_ISSUER_AUTHENTICATION = int(Aip.SDA | Aip.DDA | Aip.CDA)
BY_OTHER_COMMANDS = (
    Cvr.PIN_VERIFICATION_PERFORMED
    | Cvr.PIN_VERIFICATION_FAILED
    | Cvr.BLOCKED_FOR_PIN
    | Cvr.DDA_PERFORMED
    | Cvr.ISSUER_AUTHENTICATION_FAILED
)
"""Bits of the CVR that VERIFY, INTERNAL and EXTERNAL AUTHENTICATE and CDA set."""

NO_LIMITS = Limits.of({})
LIMITS = replace(NO_LIMITS, currency=OWN, country=OWN, second_currency=SECOND)
STATE = CardState(atc=10, last_online_atc=9, balance=5_000, second_balance=700)
ASKED = Asked(TC, 100, OWN, OWN, 0)
STANDING = Standing(
    int(Aip.SDA | Aip.DDA | Aip.CDA | Aip.ISSUER_AUTHENTICATION), 0, False, False, False
)
SAID = IssuerSaid(b"00", PASSED, b"00", False)
SPENT: dict[str, Any] = {"spent": 100, "spent_dual": 100}
"""What a TC offline leaves."""


def limits(**otherwise: Any) -> Limits:
    return replace(LIMITS, **otherwise)


def state(flags: int = 0, **otherwise: Any) -> CardState:
    return replace(STATE, flags=int(flags), **otherwise)


def asked(**otherwise: Any) -> Asked:
    return ASKED._replace(**otherwise)


def standing(**otherwise: Any) -> Standing:
    return STANDING._replace(**otherwise)


def said(**otherwise: Any) -> IssuerSaid:
    return SAID._replace(**otherwise)


NEW = state(last_online_atc=0, atc=1)
NO_TRIES = standing(pin_blocked=True)


@dataclass(frozen=True)
class Case:
    """What is given to a decision, and the decision."""

    name: str
    limits: Limits
    state: CardState
    asked: Asked
    standing: Standing
    said: IssuerSaid
    result: Result
    cvr: int
    """What is told beside the results."""
    after: dict[str, Any]
    """What of the state is otherwise then."""
    reason: int
    options: dict[str, bool]

    def decision(self, results: int) -> Decision:
        state = replace(self.state, **self.after)
        return Decision(self.result, self.reason, results | self.cvr, state)

    def without(self, ada: int) -> Case:
        return replace(self, limits=replace(self.limits, ada=self.limits.ada & ~ada))


def case(
    name: str,
    result: Result,
    cvr: int = 0,
    *given: Limits | CardState | Asked | Standing | IssuerSaid,
    after: dict[str, Any] | None = None,
    reason: int = 0,
    **options: bool,
) -> Case:
    """A case: `given` is what is otherwise. Unless it is said, a TC leaves `SPENT`, and an ARQC
    that the issuer was to be asked."""
    kinds = {type(each): each for each in given}
    before: Any = kinds.get(CardState, STATE)
    usual = {AAC: {}, TC: SPENT, ARQC: {"flags": before.flags | REQUESTED}}[result]
    found: list[Any] = [kinds.get(type(each), each) for each in (LIMITS, STATE, ASKED, STANDING)]
    return Case(
        name,
        *found,
        said=kinds.get(IssuerSaid, SAID),  # type: ignore[arg-type]
        result=result,
        cvr=int(cvr),
        after=usual if after is None else after,
        reason=int(reason),
        options=options,
    )


def name_of(each: Case) -> str:
    return each.name


# Anything

one_byte = st.integers(0, 0xFF)
two_bytes = st.integers(0, 0xFFFF)
amounts = st.integers(0, LARGEST_AMOUNT) | st.integers(0, 1_000)
_currencies = st.sampled_from([OWN, OTHER, SECOND])
factors = st.builds(
    lambda places, digits: bytes.fromhex(f"{places}{digits:07d}"),
    st.integers(0, 9),
    st.integers(1, 9_999_999),
)
any_limits = st.builds(
    Limits,
    currency=st.sampled_from([b"", OWN]),
    country=st.sampled_from([b"", OWN]),
    second_currency=st.sampled_from([b"", SECOND]),
    ada=two_bytes,
    authentication_mandatory=st.booleans(),
    lower=st.none() | one_byte,
    upper=st.none() | one_byte,
    international_currency=st.none() | one_byte,
    international_country=st.none() | one_byte,
    spent=amounts,
    spent_upper=amounts,
    dual=amounts,
    factor=st.just(b"") | factors,
)
_made: Callable[..., CardState] = lambda last, more, **rest: CardState(  # noqa: E731
    last_online_atc=last, atc=last + more, **rest
)
any_state = st.builds(
    _made,
    st.integers(0, 0x7FFF),
    st.integers(0, 0x7FFF),
    flags=st.integers(0, 0x1F),
    scripts=st.integers(0, 15),
    authentication_failures=st.integers(0, 100),
    mac_failures=st.integers(0, 100),
    spent=amounts,
    spent_dual=amounts,
    international_currency=one_byte,
    international_country=one_byte,
    balance=amounts,
    second_balance=amounts,
    deducted=amounts,
)
any_asked = st.builds(
    Asked, st.sampled_from([0, 1, 2]), amounts, _currencies, _currencies, one_byte
)
any_standing = st.builds(
    Standing,
    two_bytes,
    st.integers(0, 0xFFFFFF).map(lambda bits: bits & int(BY_OTHER_COMMANDS)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
any_said = st.builds(
    IssuerSaid,
    st.sampled_from([b"00", b"05", b"Y3", b"Z3", b"Y1"]),
    st.sampled_from(IssuerAuthentication),
    st.sampled_from([b"00", b"05"]),
    st.booleans(),
)

# SPDX-License-Identifier: Apache-2.0
"""`verify`, `tries`, `change` and `authenticate`: PINs are asked for, never in a line."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_bytes
from typing import Final

from apdu.crypto.pinblock import build_iso_2
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.pboc import tags
from apdu.wire.perso import KeyUsage
from apdu.wire.pki import MASTER, PkiPin
from host.card import Card
from host.cli.names import BANK, CERTIFICATES, PKI
from host.cli.shell.lines import BadLine, nearest
from host.cli.shell.places import in_hrss
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.clients.pboc import PbocClient
from host.clients.pki import PkiClient
from host.faults import CardRefused, PinBlocked
from host.keys import MemoryKeys
from host.terminal.authentication import authenticate as authenticate_key
from host.terminal.authentication import prove_card

USER, ADMIN = "user", "admin"
_WHICH: Final = {USER: PkiPin.USER, ADMIN: PkiPin.ADMIN}
_CHINESE: Final = {USER: "用户密码", ADMIN: "管理员密码"}


class _PkiHere(PkiClient):
    """A PKI application that is selected already."""

    def __init__(self, card: Card) -> None:
        self.card = card


def verify(session: Session, words: tuple[str, ...]) -> Report:
    """Prove the PIN of the application that is selected."""
    if session.directory is BANK:
        _no_words(words)
        block = build_iso_2(session.user.secret("PIN of the card 脱机密码"))
        session.hint = "it is due within a payment, behind GET PROCESSING OPTIONS"
        PbocClient(session.card).verify(block)
        return Report(("the PIN is proven",))
    if session.directory in (PKI, CERTIFICATES):
        which = _which(words)
        pin = session.user.secret(f"{which} PIN {_CHINESE[which]}")
        _PkiHere(session.card).verify(pin, _WHICH[which])
        return Report((f"the {which} PIN is proven",))
    _in_hrss(session)
    _no_words(words)
    session.hrss.verify(session.user.secret("PIN 个人密码"))
    return Report(("the PIN is proven",))


def tries(session: Session, words: tuple[str, ...]) -> Report:
    """How many tries a PIN has left; asking costs none."""
    if session.directory is BANK:
        _no_words(words)
        left: int | None = int.from_bytes(PbocClient(session.card).data(tags.PIN_TRIES))
    elif session.directory in (PKI, CERTIFICATES):
        left = _PkiHere(session.card).tries_left(_WHICH[_which(words)])
    else:
        _in_hrss(session)
        _no_words(words)
        left = session.hrss.tries_left()
    said = "proven already, so the card does not tell" if left is None else f"tries left: {left}"
    return Report((said,), told={"tries_left": left})


def change(session: Session, words: tuple[str, ...]) -> Report:
    """Give the PIN another value."""
    ask = session.user.secret
    if session.directory in (PKI, CERTIFICATES):
        which = _which(words)
        old = ask(f"{which} PIN {_CHINESE[which]}")
        _PkiHere(session.card).change_pin(old, _new(ask), _WHICH[which])
    else:
        _in_hrss(session)
        _no_words(words)
        old = ask("PIN 个人密码")
        session.hrss.change_pin(old, _new(ask))
    return Report(("the PIN is another one now, and must be proven anew",))


def _new(ask: Callable[[str], str]) -> str:
    first = ask("new PIN 新密码")
    if first != ask("new PIN 新密码, once more"):
        raise BadLine("the new PIN: the second time it was another one")
    return first


def authenticate(session: Session, words: tuple[str, ...]) -> Report:
    """Prove a key of the directory or of the application with the published test keys; IRK: have
    the card prove itself."""
    (name,) = words
    if session.directory in (PKI, CERTIFICATES):
        return _master(session, name)
    _in_hrss(session)
    spec = _key(session, name)
    if session.directory.fid == SSSE.fid:
        session.learn(fresh=False)
    card = session.identity
    if card is None:
        raise BadLine("it is not known what the card's keys are derived from: `select HRSS` first")
    source = MemoryKeys(suite=card.suite)
    if spec.usage is KeyUsage.INTERNAL_AUTHENTICATE:
        prove_card(session.hrss, source, card, token_bytes)
        return Report((f"the card has proven {spec.name}: it is who it says it is",))
    try:
        authenticate_key(session.hrss, source, card, spec)
    except CardRefused as refusal:
        if not isinstance(refusal, PinBlocked):
            session.hint = "only cards under the published test keys take this one"
        raise
    return Report((f"key {spec.name} is proven",))


def _key(session: Session, name: str) -> KeySpec:
    known = keys_here(session)
    for spec in known:
        if spec.name.lower() == name.lower():
            return spec
    raise BadLine("no key here has this name" + nearest(name, [spec.name for spec in known]))


def keys_here(session: Session) -> list[KeySpec]:
    """The keys that can be proven here: those of the directory, and of the application."""
    if session.directory in (PKI, CERTIFICATES):
        return [MASTER]
    if not in_hrss(session.directory):
        return []
    both = dict.fromkeys((*session.directory.keys, *SSSE.keys))
    may = (KeyUsage.EXTERNAL_AUTHENTICATE, KeyUsage.INTERNAL_AUTHENTICATE)
    return [spec for spec in both if spec.usage in may]


def _master(session: Session, name: str) -> Report:
    """The master key of a PKI directory."""
    if name.lower() != MASTER.name.lower():
        raise BadLine(f"the only key here is {MASTER.name}")
    card = session.identity
    if card is None:
        raise BadLine(
            "it is not known what the card's keys are derived from: `select HRSS` and come back"
        )
    key = MemoryKeys(suite=card.suite).card_key(MASTER, card.region, card.unique)
    _PkiHere(session.card).authenticate(key)
    return Report((f"key {MASTER.name} is proven",))


def _which(words: tuple[str, ...]) -> str:
    which = (words or (USER,))[0].lower()
    if which not in _WHICH:
        raise BadLine("which PIN: must be user or admin; the PIN itself is asked for")
    return which


def _no_words(words: tuple[str, ...]) -> None:
    if words:
        raise BadLine("nothing stands behind it here: a PIN is asked for, never in a line")


def _in_hrss(session: Session) -> None:
    if not in_hrss(session.directory):
        raise BadLine("select an application first that has it, such as `select HRSS`")

# SPDX-License-Identifier: Apache-2.0
"""What a command may do to a card, by its class and instruction: the one table of that.

It says what a command can do at most, on whatever application is selected. One that is not in it
counts as a write.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Any, Final, NamedTuple

from apdu import cla as class_byte
from apdu.errors import FormatError
from apdu.wire import globalplatform as gp
from apdu.wire import iso7816 as iso
from apdu.wire import perso, pki_commands
from apdu.wire import psam_commands as psam
from apdu.wire.form import CommandForm
from apdu.wire.hrss import commands as hrss
from apdu.wire.hrss import medical
from apdu.wire.pboc import commands as pboc


class Effect(IntEnum):
    """From harmless to grave."""

    READ = 0
    """Nothing; sent twice it is as if it was sent once."""
    SESSION = 1
    """Only what a reset forgets: a selection, a challenge, what was proven to the terminal."""
    TRY = 2
    """A wrong proof costs one of the tries of a PIN or a key."""
    COUNT = 3
    """A counter moves, which no command moves back."""
    WRITE = 4
    """Memory changes; also what is not known here."""


_FORMS: Final[dict[Effect, tuple[CommandForm[Any, Any, Any], ...]]] = {
    Effect.READ: (
        iso.READ_BINARY,
        iso.READ_RECORD,
        pboc.GET_DATA,
        medical.GET_TRANSACTION_PROVE,
    ),
    Effect.SESSION: (
        iso.SELECT,
        iso.GET_CHALLENGE,
        iso.GET_RESPONSE,
        hrss.INTERNAL_AUTHENTICATE,
        pboc.INTERNAL_AUTHENTICATE,
        psam.DERIVE_SESSION_KEY,
        psam.CRYPT,
        pki_commands.HASH,
        pki_commands.DECIPHER,
        pki_commands.LOAD_SESSION_KEY,
    ),
    Effect.TRY: (
        iso.VERIFY,
        pboc.VERIFY_OFFLINE_PIN,
        pki_commands.VERIFY_BY_CHALLENGE,
        hrss.EXTERNAL_AUTHENTICATE,
        pboc.EXTERNAL_AUTHENTICATE,
        gp.OPEN_CHANNEL,
        pki_commands.AUTHENTICATE_MASTER_KEY,
    ),
    Effect.COUNT: (
        pboc.GET_PROCESSING_OPTIONS,
        pboc.GENERATE_AC,
        psam.INITIALISE_PURCHASE,
        gp.INITIALIZE_UPDATE,
        medical.INITIALISE_DEBIT,
        medical.INITIALISE_LOAD,
        pki_commands.COMPUTE_SIGNATURE,
    ),
    Effect.WRITE: (
        iso.UPDATE_BINARY,
        iso.UPDATE_RECORD,
        iso.APPEND_RECORD,
        hrss.CHANGE_PIN,
        hrss.PIN_CHANGE_UNBLOCK,
        hrss.APPLICATION_BLOCK,
        hrss.APPLICATION_UNBLOCK,
        hrss.CARD_BLOCK,
        medical.DEBIT,
        medical.CREDIT_LOAD,
        pboc.PIN_CHANGE_UNBLOCK,
        pboc.APPLICATION_BLOCK,
        pboc.APPLICATION_UNBLOCK,
        pboc.CARD_BLOCK,
        pboc.PUT_DATA,
        pboc.UPDATE_RECORD,
        psam.VERIFY_MAC2,
        psam.WRITE_MASTER_KEY,
        pki_commands.CHANGE_PKI_PIN,
        pki_commands.UPDATE_MASTER_KEY,
        pki_commands.GENERATE_KEY_PAIR,
        pki_commands.IMPORT_KEY,
        pki_commands.WRITE_PKI_KEY,
        gp.STORE_DATA,
        perso.CREATE_FILE,
        perso.WRITE_KEY,
        perso.ACTIVATE_FILE,
        perso.DEACTIVATE_FILE,
        perso.TERMINATE_DF,
    ),
}
_NO_FORMS: Final = {
    # Interindustry commands that other cards have (ISO 7816-4 table 4.2).
    (0x00, 0xB1): (Effect.READ, "READ BINARY"),
    (0x00, 0xB3): (Effect.READ, "READ RECORD"),
    (0x00, 0xCA): (Effect.READ, "GET DATA"),
    (0x00, 0xCB): (Effect.READ, "GET DATA"),
    (0x00, 0x70): (Effect.SESSION, "MANAGE CHANNEL"),
}
_BY_NUMBER: Final = 4
"""Bits 3 to 1 of P2 of READ RECORD from here on: P1 is a number, so no pointer moves."""


class Known(NamedTuple):
    """What is known of a class and an instruction."""

    effect: Effect
    names: tuple[str, ...]
    """What commands with it are called; several where applications differ."""
    plain: bool
    """Neither secure messaging nor chaining."""


UNKNOWN: Final = Known(Effect.WRITE, (), True)


def effect_of(command: bytes) -> Effect:
    """What a C-APDU, 4 bytes or more, may do at most."""
    known = known_of(command[0], command[1])
    effect = known.effect
    if not known.plain:
        return max(effect, Effect.SESSION)  # keys of messaging count what was sent
    if command[1] == iso.VERIFY.ins and len(command) == 4 and effect is Effect.TRY:
        return Effect.READ  # asks for the tries left (ISO 7816-4 11.5.6)
    if command[1] == iso.READ_RECORD.ins and command[3] & 7 < _BY_NUMBER:
        return max(effect, Effect.SESSION)
    return effect


def name_of(command: bytes) -> str:
    """What a C-APDU is called, all names where applications differ; unknown, its first bytes."""
    names = known_of(command[0], command[1]).names
    names = tuple(
        each for each in names if not any(each.startswith(f"{other} ") for other in names)
    )
    return " or ".join(names) or f"an unknown command {command[:2].hex(' ').upper()}"


@cache
def known_of(cla: int, ins: int) -> Known:
    """What is known of a class, on any channel and with any messaging, and an instruction."""
    try:
        found = class_byte.parse(cla)
    except FormatError:
        return UNKNOWN
    effect, names = _table().get((found.base, ins), (Effect.WRITE, ()))
    return Known(effect, names, not found.messaging and not found.chaining)


def codes_of(name: str) -> frozenset[tuple[int, int]]:
    """Base class and instruction of the commands with this name, in any case; none when unknown."""
    wanted = name.casefold()
    return frozenset(
        code
        for code, (_, names) in _table().items()
        if any(wanted == each.casefold() for each in names)
    )


def base_class(cla: int) -> int | None:
    """A class without channel, messaging and chaining, as `codes_of` has it; None for no class."""
    try:
        return class_byte.parse(cla).base
    except FormatError:
        return None


@cache
def _table() -> dict[tuple[int, int], tuple[Effect, tuple[str, ...]]]:
    """The gravest of what forms with the same codes do, and all their names."""
    found: dict[tuple[int, int], tuple[Effect, tuple[str, ...]]] = {
        code: (effect, (name,)) for code, (effect, name) in _NO_FORMS.items()
    }
    for effect, forms in _FORMS.items():
        for form in forms:
            code = (class_byte.parse(form.cla).base, form.ins)
            before, names = found.get(code, (Effect.READ, ()))
            more = () if form.name in names else (form.name,)
            found[code] = max(before, effect), (*names, *more)
    return found

# SPDX-License-Identifier: Apache-2.0
"""What commands may do to a card: every form is in the table, and nothing is taken too lightly."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

import apdu.wire
from apdu.wire.effects import Effect, base_class, codes_of, effect_of, known_of, name_of
from apdu.wire.form import CommandForm

FORMS = [
    value
    for module in pkgutil.walk_packages(apdu.wire.__path__, "apdu.wire.")
    for value in vars(import_module(module.name)).values()
    if isinstance(value, CommandForm)
]
CLASSES = st.integers(0, 255)


def hexa(text: str) -> bytes:
    return bytes.fromhex(text)


def test_every_form_is_in_the_table() -> None:
    assert [] == [each.name for each in FORMS if each.name not in known_of(each.cla, each.ins)[1]]


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("00B0850000", Effect.READ),
        ("00B2010C00", Effect.READ),
        ("00B2000200", Effect.SESSION),
        ("80CA9F1700", Effect.READ),
        ("00200000", Effect.READ),
        ("0020000000", Effect.TRY),
        ("0020000003123456", Effect.TRY),
        ("0C200000", Effect.TRY),
        ("80200000", Effect.WRITE),
        ("00A4000002DF01", Effect.SESSION),
        ("0084000008", Effect.SESSION),
        ("00C0000000", Effect.SESSION),
        ("04B0850000", Effect.SESSION),
        ("10B0850000", Effect.SESSION),
        ("00820000", Effect.TRY),
        ("8082000000", Effect.TRY),
        ("80A8000002830000", Effect.COUNT),
        ("80AE80000100", Effect.COUNT),
        ("8050000000", Effect.COUNT),
        ("00D6850001AA", Effect.WRITE),
        ("04DC010C0101", Effect.WRITE),
        ("84160000", Effect.WRITE),
        ("841E0000", Effect.WRITE),
        ("805E010001AA", Effect.WRITE),
        ("B02C01000F", Effect.WRITE),
        ("80E2000001AA", Effect.WRITE),
        ("00440000", Effect.WRITE),
        ("FFB0850000", Effect.WRITE),
        ("20B0850000", Effect.WRITE),
        ("90B0850000", Effect.WRITE),
        ("00010203", Effect.WRITE),
    ],
)
def test_commands_have_their_effect(command: str, effect: Effect) -> None:
    assert effect is effect_of(hexa(command))


@given(CLASSES, st.integers(0, 255), st.binary(min_size=2, max_size=20))
def test_what_is_not_known_is_a_write(cla: int, ins: int, rest: bytes) -> None:
    effect = effect_of(bytes((cla, ins)) + rest)
    if not known_of(cla, ins).names:
        assert Effect.WRITE is effect


@given(CLASSES, st.integers(0, 255), st.binary(min_size=2, max_size=20))
def test_messaging_and_chaining_never_make_a_command_harmless(
    cla: int, ins: int, rest: bytes
) -> None:
    base = base_class(cla)
    if base is None or base == cla:
        return
    if known_of(cla, ins).plain:
        assert effect_of(bytes((base, ins)) + rest) is effect_of(bytes((cla, ins)) + rest)
    else:
        assert Effect.SESSION <= effect_of(bytes((cla, ins)) + rest)
        assert effect_of(bytes((base, ins)) + rest) <= effect_of(bytes((cla, ins)) + rest)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("READ RECORD", {(0, 0xB2), (0, 0xB3)}),
        ("read record", {(0, 0xB2), (0, 0xB3)}),
        ("INITIALIZE UPDATE", {(0x80, 0x50)}),
        ("INITIALIZE FOR LOAD", {(0x80, 0x50)}),
        ("VERIFY", {(0, 0x20)}),
        ("NO SUCH", set()),
    ],
)
def test_commands_are_found_by_their_names(name: str, codes: set[tuple[int, int]]) -> None:
    assert codes == codes_of(name)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("00D6850001AA", "UPDATE BINARY"),
        ("00200000", "VERIFY"),
        ("84500000", "INITIALIZE UPDATE or INITIALIZE FOR LOAD"),
        ("00F1A0A1", "an unknown command 00 F1"),
        ("FFB0A0A1", "an unknown command FF B0"),
    ],
)
def test_a_command_is_called_what_any_application_calls_it(command: str, name: str) -> None:
    assert name == name_of(hexa(command))

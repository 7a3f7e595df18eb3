# SPDX-License-Identifier: Apache-2.0
"""A case of the books with something in it changed comes to a value or to a FormatError.

Nothing else may ever be raised, and what is raised does not repeat what was given.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from books import of_format
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import OPERATIONS

from apdu.errors import FormatError

DIGITS = {
    *("current", "expires", "expiry_mmyy", "issuer", "offset", "option", "pad", "pan", "pin"),
    *("psn", "pvki", "pvv", "subject", "table", "validation"),
}
"""Fields that are text; the others are bytes in hex."""
CHOSEN = {
    *("block", "counter", "curve", "kind", "moment", "not_after", "not_before", "padding"),
    *("purpose", "suite", "text", "times", "wrapping"),
}
"""What a program chooses by a name or a constant of its own, or what only the books have."""
ADAPTED = {
    ("ca_keys.CaKey.check_value", "index"),
    ("ca_keys.CaKey.public", "index"),
    ("cryptogram.suite_of", "algorithm"),
    ("gmcert.CaKey.verify", "index"),
    ("gmcert_sign.sign_ca", "index"),
    ("sm2_asn1.integer", "number"),
    ("x509.make", "serial"),
}
"""Numbers that the adapters read from text."""
CHECKED_BEFORE = {"oda.whole_modulus", "sm2.provider", "sm2_gmssl.installed"}
"""What is asked by others with what they have checked; with it the modules below."""
CHECKED_MODULES = ("sm2_python", "sm2_curve")

CASES = [
    case
    for case, _ in of_format("crypto")
    if case["result"] == "valid"
    and "needs" not in case
    and case["op"] not in CHECKED_BEFORE
    and not case["op"].startswith(CHECKED_MODULES)
]
BY_OPERATION = {op: [case for case in CASES if case["op"] == op] for op in OPERATIONS}
STRANGE = st.sampled_from("0123456789aF x.+-_ \x00１٣²中\ud800")


def open_fields(case: dict[str, Any]) -> list[str]:
    return [
        name
        for name, value in case["given"].items()
        if name not in CHOSEN
        and (case["op"], name) not in ADAPTED
        and not isinstance(value, bool)
        and value is not None
    ]


@st.composite
def changed_digits(draw: st.DrawFn, text: str) -> str:
    """Shorter, longer, with a strange character in it, or something else altogether."""
    at = draw(st.integers(0, len(text)))
    way = draw(st.integers(0, 3))
    if way == 0:
        return text[:at]
    if way == 1:
        return text[:at] + draw(st.text("0123456789", min_size=1, max_size=20)) + text[at:]
    if way == 2:
        return text[:at] + draw(STRANGE) + text[at + 1 :]
    return draw(st.text(STRANGE, max_size=24))


@st.composite
def changed_hex(draw: st.DrawFn, text: str) -> str:
    """Bytes cut off, put in, changed, or replaced."""
    value = bytes.fromhex(text)
    at = draw(st.integers(0, len(value)))
    more = draw(st.binary(max_size=20))
    way = draw(st.integers(0, 5))
    if way == 0:
        value = value[:at]
    elif way == 1:
        value = value[:at] + more + value[at:]
    elif way == 2:
        value = value[:at] + more + value[at + len(more) :]
    elif way == 3 and value:
        bit = draw(st.integers(0, 8 * len(value) - 1))
        value = (int.from_bytes(value) ^ 1 << bit).to_bytes(len(value))
    elif way == 4:
        value = draw(st.sampled_from([b"\x00", b"\xff"])) * len(value)
    else:
        value = draw(st.binary(min_size=len(value), max_size=len(value)))
    return value.hex().upper()


def changed(name: str, value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, int):
        return st.integers(-1, 300) | st.just(value + 1)
    if isinstance(value, str):
        return changed_digits(value) if name in DIGITS else changed_hex(value)
    if isinstance(value, list) and value:
        return st.integers(0, len(value) - 1).flatmap(
            lambda at: (
                st.just(value[:at] + value[at + 1 :])
                | changed(name, value[at]).map(lambda new: [*value[:at], new, *value[at + 1 :]])
            )
        )
    if isinstance(value, dict) and value:
        return st.sampled_from(sorted(value)).flatmap(
            lambda inner: changed(inner, value[inner]).map(lambda new: value | {inner: new})
        )
    return st.just(value)


def told(value: Any) -> set[str]:
    """The secrets-to-be of one value, in the forms in which an error might repeat them."""
    if isinstance(value, dict):
        return set().union(*map(told, value.values()))
    if isinstance(value, list):
        return set().union(*map(told, value))
    return {value.casefold()} if isinstance(value, str) and len(value) > 7 else set()


@pytest.mark.parametrize("op", [op for op, cases in BY_OPERATION.items() if cases])
@settings(max_examples=25)
@given(data=st.data())
def test_a_changed_case_has_a_value_or_is_refused(op: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(BY_OPERATION[op]))
    names = open_fields(case)
    if not names:
        return
    found = dict(case["given"])
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        found[name] = data.draw(changed(name, found[name]))
    try:
        OPERATIONS[op](**found)
    except FormatError as error:
        text = str(error)
        assert re.match(r"[A-Za-z0-9]", text)
        assert not [each for each in told(found) if each in text.casefold()]


def test_nearly_every_operation_is_tried() -> None:
    tried = {op for op, cases in BY_OPERATION.items() if any(map(open_fields, cases))}
    checked = {op for op in OPERATIONS if op.startswith(CHECKED_MODULES)} | CHECKED_BEFORE
    assert {"cryptogram.suite_of", "sm2_asn1.integer"} == set(OPERATIONS) - tried - checked

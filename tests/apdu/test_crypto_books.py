# SPDX-License-Identifier: Apache-2.0
"""Every case of the cryptographic books comes out, and no operation of the core is without one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from books import book, of_format, paths
from operations import OPERATIONS

from apdu import crypto, messaging, secure_channel

CASES = [
    pytest.param(case, id=f"{path.removeprefix('crypto/').removesuffix('.json')}-{case['id']}")
    for path in paths()
    if book(path)["format"] == "crypto"
    for case in book(path)["cases"]
]
PLUMBING = {
    "suite.ecb",
    "suite.zero_cbc",
    "suite.builder",
    "certified.numbered",
    "certified.check_combined",
    "oda_input.check_unpredictable_number",
    "secure_channel.Channel.at",
}
"""What the core is made of, and what computes nothing that a case could show."""


@pytest.mark.parametrize("case", [case for case in CASES if "needs" not in case.values[0]])
def test_a_case_comes_out(case: dict[str, Any]) -> None:
    operation = OPERATIONS[case["op"]]
    if case["result"] == "invalid":
        with pytest.raises(ValueError, match=case["error"]):
            operation(**case["given"])
        return
    found = operation(**case["given"])
    assert case["expected"] == {name: found[name] for name in case["expected"]}


def public(module: Any) -> Iterator[str]:
    """The names of the public functions of a module, and of the public methods of its classes."""
    here = module.__name__.rpartition(".")[2]
    for name, found in vars(module).items():
        if name.startswith("_") or getattr(found, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(found) or hasattr(found, "cache_info"):
            yield f"{here}.{name}"
        elif inspect.isclass(found):
            for method, inside in vars(found).items():
                inner = (
                    inside.__func__ if isinstance(inside, (classmethod, staticmethod)) else inside
                )
                inherited = any(method in vars(parent) for parent in found.__mro__[1:])
                if inspect.isfunction(inner) and not method.startswith("_") and not inherited:
                    yield f"{here}.{name}.{method}"


def everything() -> set[str]:
    names = [f"{crypto.__name__}.{each.name}" for each in iter_modules(crypto.__path__)]
    modules = [messaging, secure_channel, *map(import_module, names)]
    return {name for module in modules for name in public(module)}


def test_every_operation_of_the_core_has_a_case() -> None:
    assert everything() - PLUMBING == set(OPERATIONS)
    shown = {case["op"] for case, _ in of_format("crypto") if case["result"] == "valid"}
    assert set(OPERATIONS) == shown

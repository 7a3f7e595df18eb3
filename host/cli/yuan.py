# SPDX-License-Identifier: Apache-2.0
"""Amounts on the command line: yuan with two decimals at most, fen inside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

_SHAPE: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,2}))?", re.ASCII)


if TYPE_CHECKING:
    _Parameter = click.ParamType[int]
else:
    _Parameter = click.ParamType  # older versions of click do not name what it gives


class Yuan(_Parameter):
    """An amount such as 12.34, from 0.01 to what 12 digits of fen can say."""

    name = "yuan"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from apdu.wire.pboc.amounts import LARGEST_AMOUNT  # here, so that `--help` is quick

        if isinstance(value, int):
            return value
        found = _SHAPE.fullmatch(value)
        if found is None:
            self.fail("must be yuan with at most two decimals, such as 12.34", param, ctx)
        fen = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
        if not 1 <= fen <= LARGEST_AMOUNT:
            self.fail(f"must be 0.01 to {said(LARGEST_AMOUNT)} yuan", param, ctx)
        return fen


YUAN: Final = Yuan()


def said(fen: int) -> str:
    """An amount for people: yuan with two decimals."""
    from host.amounts import yuan

    return str(yuan(fen))


def with_yuan(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """A document for programs whose amounts in fen stand there in yuan as well, as text."""
    told: dict[str, Any] = {}
    for name, value in document.items():
        told[name] = value
        if name in names:
            told[f"{name}_yuan"] = None if value is None else said(value)
    return told

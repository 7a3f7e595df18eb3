# SPDX-License-Identifier: Apache-2.0
"""Secrets and answers of whoever sits at this terminal, or of whatever is its standard input."""

from __future__ import annotations

import sys
from typing import Final

import click

from host.terminal.kernel.pin_entry import DocumentKind

_LONGEST_LINE: Final = 64


def typed_secret(words: str) -> str | None:
    """Asked for without being shown, or a line of standard input where that is no terminal.
    None: nothing was typed."""
    if sys.stdin is not None and sys.stdin.isatty():
        typed = click.prompt(
            f"{words} (not shown)", default="", show_default=False, hide_input=True, err=True
        )
        return str(typed).strip() or None
    line = sys.stdin.readline(_LONGEST_LINE) if sys.stdin is not None else ""
    return line.strip() or None


def needed_secret(words: str) -> str:
    """As `typed_secret`; a usage error when nothing was typed."""
    typed = typed_secret(words)
    if typed is None:
        raise click.UsageError(
            f"{words}: nothing was typed; where standard input is no terminal, send it a line."
        )
    return typed


def new_secret(words: str) -> str:
    """Typed twice, so that it is what was meant. A usage error when the two differ."""
    first = needed_secret(words)
    if first != needed_secret(f"{words}, once more"):
        raise click.UsageError(f"{words}: the second time it was another one.")
    return first


class HolderHere:
    """The holder at the PIN pad is whoever sits here (`host.terminal.kernel.pin_entry.Pad`)."""

    def offline_pin(self, tries_left: int | None) -> str | None:
        tries = "" if tries_left is None else f", tries left: {tries_left}"
        return typed_secret(f"PIN of the card 脱机密码{tries}")

    def online_pin(self) -> str | None:
        return typed_secret("Transaction password 交易密码")

    def document(self, kind: DocumentKind, number: str) -> bool:
        if sys.stdin is None or not sys.stdin.isatty():
            return False
        words = kind.name.lower().replace("_", " ")
        return click.confirm(f"Does the holder show the {words} {number}?", err=True)

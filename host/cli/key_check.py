# SPDX-License-Identifier: Apache-2.0
"""What a key is, told without telling the key: for those who compare keys by their check values."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from host.cli.text import packed
from host.cli.typed import typed_bytes

MOST_TYPED = 1024
"""Bytes of input that are read: more are no key, whatever stands between the digits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one suite says about a key: its check value (校验值), and what is odd about it."""

    suite: str
    check_value: bytes
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """The key's length in bytes, and what every suite says that can take it."""

    length: int
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "length": self.length,
            "suites": [
                {
                    "suite": each.suite,
                    "check_value": packed(each.check_value),
                    "remarks": list(each.remarks),
                }
                for each in self.findings
            ],
        }


def typed_key() -> Secret:
    """A key in hex, from a prompt that shows nothing, or from standard input.

    Raises FormatError, which never repeats what was typed.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        line = click.prompt("Key in hex (not shown)", hide_input=True, err=True)
        return Secret(typed_bytes(line, "key"))
    raw = b"" if sys.stdin is None else sys.stdin.buffer.read(MOST_TYPED + 1)
    if len(raw) > MOST_TYPED:
        raise FormatError(f"key: more than {MOST_TYPED} bytes of input")
    lines = raw.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    found = [line.strip() for line in lines if line.strip()]
    if len(found) != 1:
        raise FormatError(f"key: {len(found)} lines of input, there must be one")
    return Secret(typed_bytes(found[0], "key"))


def check_key(key: Secret) -> CheckedKey:
    """Ask every suite that can take a key of this length; FormatError when none can."""
    able = [suite for suite in SUITES.values() if len(key) in suite.key_lengths]
    if not able:
        allowed = sorted({length for suite in SUITES.values() for length in suite.key_lengths})
        raise FormatError(f"key: {len(key)} bytes, a key has {_either(allowed)}")
    return CheckedKey(
        len(key),
        tuple(
            Finding(suite.name, suite.key(key.reveal()).check_value(), suite.remarks(key.reveal()))
            for suite in able
        ),
    )


def _either(lengths: list[int]) -> str:
    *some, last = map(str, lengths)
    return f"{', '.join(some)} or {last}"

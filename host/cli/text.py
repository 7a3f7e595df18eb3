# SPDX-License-Identifier: Apache-2.0
"""What goes to a person's terminal or to a program: visible text, spaced hex, one line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping


def visible(text: str) -> str:
    """The text, unprintable characters as escapes: what a card says must not steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def spaced(raw: bytes) -> str:
    """Upper-case hex in pairs, as in traces."""
    return raw.hex(" ").upper()


def packed(raw: bytes) -> str:
    """Upper-case hex without blanks, as in JSON."""
    return raw.hex().upper()


def say_json(document: Mapping[str, object]) -> None:
    """One object on one line of standard output, in ASCII, so that no locale can break it."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def never_fail_to_encode() -> None:
    """Write characters that the locale lacks as escapes, instead of dying of them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(
            stream, "reconfigure", None
        )  # a stream put in its place may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")

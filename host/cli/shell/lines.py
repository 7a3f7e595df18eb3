# SPDX-License-Identifier: Apache-2.0
"""Lines as they are typed or stand in a script: words, quotes, remarks and `$NAME`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

LONGEST: Final = 200_000
"""Characters of a line: the longest APDU in spaced hex fits."""
MOST_BYTES: Final = 16 << 20
"""Bytes of a script."""
_NAME: Final = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


class BadLine(Exception):
    """A line that cannot be understood. What was typed is not repeated: it may be a PIN."""


class Line(NamedTuple):
    """A line of a script, split up; numbers count from 1."""

    number: int
    words: tuple[str, ...]
    text: str = ""
    """As it stands there."""


def words_of(text: str) -> tuple[str, ...]:
    """The words of a line: quotes keep blanks, `#` begins a remark, a backslash is itself."""
    if len(text) > LONGEST:
        raise BadLine(f"a line of {len(text)} characters, where {LONGEST} are allowed")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.escape = ""
    try:
        return tuple(lexer)
    except ValueError:
        raise BadLine("a quote is opened and not closed") from None


def filled(words: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The words with what `$NAME` and `${NAME}` stand for; `$$` is a dollar sign."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name is None:
            return "$"
        if name not in variables:
            raise BadLine(f"nothing is called ${name}; `set` and `let` give names")
        return variables[name]

    return tuple(_NAME.sub(value, word) for word in words)


def read_script(path: Path) -> bytes:
    """A file, or as much of it as is too much. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def script_lines(raw: bytes, *, within: str = "") -> list[Line]:
    """The lines of a script that say something. BadLine names the one that is wrong; `within`:
    the script, where that must be said."""
    if len(raw) > MOST_BYTES:
        raise BadLine(f"{within}more than {MOST_BYTES} bytes")
    found = []
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode().strip()
            words = words_of(text)
        except UnicodeDecodeError:
            raise BadLine(f"{within}line {number}: not UTF-8") from None
        except BadLine as error:
            raise BadLine(f"{within}line {number}: {error}") from None
        if words:
            found.append(Line(number, words, text))
    return found


def nearest(word: str, among: Iterable[str]) -> str:
    """A hint at the name that was probably meant, to be put behind a sentence; or nothing."""
    by_lower = {each.lower(): each for each in among}
    typed = word.lower()[:64]
    close = get_close_matches(typed, by_lower, n=3, cutoff=0.5)
    close.sort(key=lambda each: each[:1] != typed[:1])  # the first letter is rarely the wrong one
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""

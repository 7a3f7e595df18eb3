# SPDX-License-Identifier: Apache-2.0
"""The two errors of the protocol. Anything else that is raised is a bug."""

from __future__ import annotations

from typing import TypeAlias

Fact: TypeAlias = int | str | frozenset[int] | tuple[frozenset[int], ...] | None
"""What a reason may be about: numbers and words, never bytes, which may be secret."""


class FormatError(ValueError):
    """Bytes (or a value to become bytes) are not in the shape they claim.

    A parser does not know on whose behalf it works: the chip answers it with a status word,
    the host blames the card or the caller. The text names the field and the rule, never the
    bytes themselves, which may be secret.
    """


class StatusError(Exception):
    """The protocol's own no: a status word, and the data that may come with a warning.

    `why`: a sentence for whoever runs the chip, with the names of the facts in `about` in braces.
    It is made when somebody asks, never goes over the wire, and says nothing that is secret, as
    the text of a FormatError.
    """

    def __init__(self, sw: int, why: str = "", data: bytes = b"", /, **about: Fact) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
        self.why = why
        self.data = data
        self.about = about

    def told_as(self, sw: int) -> StatusError:
        """The same reason under another status word."""
        return StatusError(sw, self.why, **self.about)

    @classmethod
    def of(cls, sw: int, error: FormatError) -> StatusError:
        """What a parser did not take, under a status word."""
        return cls(sw, "{fault}", fault=str(error))

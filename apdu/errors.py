# SPDX-License-Identifier: Apache-2.0
"""The two errors of the protocol. Anything else that is raised is a bug."""

from __future__ import annotations


class FormatError(ValueError):
    """Bytes (or a value to become bytes) are not in the shape they claim.

    A parser does not know on whose behalf it works: the chip answers it with a status word,
    the host blames the card or the caller. The text names the field and the rule, never the
    bytes themselves, which may be secret.
    """


class StatusError(Exception):
    """The protocol's own no: a status word, and the data that may come with a warning."""

    def __init__(self, sw: int, data: bytes = b"") -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
        self.data = data

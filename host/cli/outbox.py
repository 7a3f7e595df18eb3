# SPDX-License-Identifier: Apache-2.0
"""What a terminal still owes the issuer: advices of offline approvals, and reversals.

Each is a file of its own in a directory, so that processes do not get into each other's way: made
whole or not at all, gone once the issuer took it, and told twice is as told once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from apdu.errors import FormatError
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    Issuer,
    NoAnswer,
    Purpose,
    Reversal,
)
from host.terminal.kernel.reversal import Message

DEFAULT: Final = Path("outbox")
_SUFFIX, _REFUSED = ".json", ".refused"
_KINDS: Final[dict[str, type[Message]]] = {"advice": AuthorisationRequest, "reversal": Reversal}


@dataclass(frozen=True, slots=True)
class Told:
    """How many messages the issuer took, and how many it refused."""

    taken: int = 0
    refused: int = 0


NOTHING_TOLD: Final = Told()


class Outbox:
    """The directory; it is made when there is something to keep."""

    def __init__(self, directory: Path = DEFAULT) -> None:
        self.directory = directory

    def keep(self, messages: Iterable[Message]) -> None:
        """Keep messages until they are told, for their owner's eyes alone. Raises OSError."""
        for message in messages:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            kind = "reversal" if isinstance(message, Reversal) else "advice"
            path = self.directory / f"{message.reference}-{kind}{_SUFFIX}"
            begun = path.with_suffix(".part")
            handle = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(handle, "w", encoding="ascii") as file:
                json.dump({"message": kind} | _written(message), file)
                file.flush()
                os.fsync(file.fileno())
            begun.replace(path)

    def tell(self, issuer: Issuer) -> Told:
        """Tell the issuer, the oldest first, until one gets no answer.

        What the issuer refuses is not sent again, but stays there, called `.refused`. Raises
        FormatError naming a file that holds no message.
        """
        told = refused = 0
        for path in self.waiting():
            try:
                message = _read(path)
                approved = _answer(issuer, message).approved
            except FileNotFoundError:  # another process has told it
                continue
            except NoAnswer:
                break
            if approved:
                path.unlink(missing_ok=True)
                told += 1
            else:
                with suppress(FileNotFoundError):
                    path.replace(path.with_suffix(_REFUSED))
                refused += 1
        return Told(told, refused)

    def waiting(self) -> list[Path]:
        """The messages that wait, the oldest first."""
        found = []
        for path in self.directory.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]


def _answer(issuer: Issuer, message: Message) -> AuthorisationResponse:
    return issuer.reverse(message) if isinstance(message, Reversal) else issuer.advise(message)


def _written(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in fields(message):
        value = getattr(message, each.name)
        match value:
            case bytes():
                told[each.name] = value.hex()
            case datetime():
                told[each.name] = value.isoformat()
            case Purpose() | EntryMode():
                told[each.name] = value.value
            case _:
                told[each.name] = value
    return told


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "time": datetime.fromisoformat,
    "purpose": Purpose,
    "entry_mode": EntryMode,
    "icc": bytes.fromhex,
    "pin_block": bytes.fromhex,
}


def _read(path: Path) -> Message:
    try:
        told = json.loads(path.read_text(encoding="ascii"))
        kind = _KINDS[told.pop("message")]
        return kind(**{name: _READ.get(name, _as_it_is)(value) for name, value in told.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(f"{path}: holds no message of a terminal") from None


def _as_it_is(value: Any) -> Any:
    return value

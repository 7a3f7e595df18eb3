# SPDX-License-Identifier: Apache-2.0
"""Opening a file at the desk: what its access condition wants is proven, then it can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apdu.errors import FormatError
from apdu.wire.access import Access, AllOf, Always, AnyOf, Key, Never, Pin
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.perso import KeyUsage
from host.clients.hrss import HrssClient
from host.keys import CardIdentity, KeySource
from host.terminal.authentication import authenticate

_LOCAL = 0x80
"""A KID with this bit is of the directory itself, one without it of the application."""


def open_file(
    client: HrssClient,
    directory: DfSpec,
    file: EfSpec,
    *,
    writing: bool = False,
    pin: Callable[[], str] | None = None,
    source: KeySource | None = None,
    card: CardIdentity | None = None,
) -> None:
    """Go to the directory and prove what reading (or `writing`) the file wants.

    Where the PIN or a key would do, the PIN is taken when `pin` is given, which asks for it.
    Keys come from `source`, for the card that `identity` found. Raises FormatError when the
    file is never open or what it wants was not given, PinWrong, PinBlocked, KeyUnavailable.
    """
    where = f"{directory.label} EF{file.sfi:02X}"
    needed = list(wanted(file.update if writing else file.read, pin is not None, where))
    with client.card.transaction():
        client.enter(directory)
        for each in needed:
            if isinstance(each, Pin):
                if pin is None:
                    raise FormatError(f"{where}: needs the PIN")
                client.verify(pin())
            else:
                spec = key_of(directory, each.kid)
                if source is None or card is None:
                    raise FormatError(f"{where}: needs key {spec.name}")
                authenticate(client, source, card, spec)


def key_of(directory: DfSpec, kid: int) -> KeySpec:
    """The key that a condition of a directory's file names."""
    owner = directory if kid & _LOCAL else SSSE
    return next(
        spec
        for spec in owner.keys
        if spec.kid == kid and spec.usage is KeyUsage.EXTERNAL_AUTHENTICATE
    )


def wanted(condition: Access, with_pin: bool, where: str) -> Iterator[Pin | Key]:
    """What is to be proven, one way of several. FormatError for a file that is never open."""
    match condition:
        case Always():
            return
        case Never():
            raise FormatError(f"{where}: is never open to a terminal")
        case Pin() | Key():
            yield condition
        case AllOf(parts):
            for part in parts:
                yield from wanted(part, with_pin, where)
        case AnyOf(parts):
            fitting = [part for part in parts if isinstance(part, Pin) == with_pin]
            yield from wanted((fitting or parts)[0], with_pin, where)

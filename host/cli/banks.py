# SPDX-License-Identifier: Apache-2.0
"""The bank that a command is about: its books in a file or a database, or its host over TCP.

All cards here are test cards, so the bank has the published test keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from host.cli.text import visible

if TYPE_CHECKING:
    from host.issuer.bank import Bank
    from host.issuer.keys import IssuerKeys
    from host.network.authorisation import Issuer

DEFAULT: Final = "bank.db"
_PORTS: Final = range(1, 1 << 16)
F = TypeVar("F", bound=Callable[..., Any])


def bank_option(verb: F) -> F:
    """The option --bank, which `opened_bank` takes."""
    return click.option(
        "--bank",
        metavar="FILE|URL",
        help=f"The bank's books: a file, or a URL of SQLAlchemy.  [default: {DEFAULT}]",
    )(verb)


def is_there(bank: str | None) -> bool:
    """Whether there are books at this place; of a database elsewhere nobody knows before."""
    place = bank or DEFAULT
    return "://" in place or Path(place).exists()


@contextmanager
def opened_bank(bank: str | None, *, new: bool = False) -> Iterator[Bank]:
    """The bank with these books. `new`: they may be begun.

    A usage error where there are none; BankUnavailable when they cannot be used, or the library
    for them is not installed.
    """
    from host.issuer.bank import Bank
    from host.issuer.faults import BankUnavailable

    if not new and not is_there(bank):
        raise click.UsageError(
            f"--bank {visible(bank or DEFAULT)}: there are no such books;"
            " `sscard bank open --card CARD.img` begins them."
        )
    place = bank or DEFAULT
    try:
        found = Bank(place)
    except BankUnavailable as error:
        # A URL may have a password in it, so it is not repeated.
        name = "a database" if "://" in place else visible(place)
        raise BankUnavailable(f"--bank {name}: {error}") from None
    try:
        yield found
    finally:
        found.ledger.close()


@contextmanager
def reached(bank: str | None, host: str | None) -> Iterator[Issuer]:
    """The issuer in this process over these books, or at HOST:PORT."""
    if host is None:
        with opened_bank(bank) as found:
            from host.issuer.authorisation import IssuerHost

            yield IssuerHost(found, issuer_keys())
        return
    if bank is not None:
        raise click.UsageError("Give either --bank or --host.")
    from host.network.link import TcpIssuer

    with TcpIssuer(*address_of(host)) as line:
        yield line


def address_of(text: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT for IPv6. A usage error for what is neither."""
    name, colon, port = text.rpartition(":")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    digits = port.isascii() and port.isdecimal() and len(port) <= 5
    if not colon or not bare or not digits or int(port) not in _PORTS:
        raise click.UsageError("--host: must be HOST:PORT, such as 127.0.0.1:8583.")
    if ":" in bare and bare == name:
        raise click.UsageError("--host: an address of IPv6 stands in brackets, [::1]:8583.")
    return bare, int(port)


def issuer_keys() -> IssuerKeys:
    """The test masters, and the keys of the published card, which was not made from them."""
    from host.issuer.keys import IssuerKeys, keys_in
    from host.issuer.profile import PUBLISHED, pan_in, shipped_profile
    from host.issuer.test_keys import TEST_IMKS

    groups = shipped_profile(PUBLISHED)
    own = {
        (pan_in(groups), _PUBLISHED_PSN, algorithm): keys
        for algorithm, keys in keys_in(groups).items()
    }
    return IssuerKeys(TEST_IMKS, own)


_PUBLISHED_PSN: Final = "01"

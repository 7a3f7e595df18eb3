# SPDX-License-Identifier: Apache-2.0
"""`sscard driver`: one function of LD/T 33 on a card, and the PINs that it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import click

from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.hrss.keys import TABLES
from host.cli.asking import typed_secret
from host.cli.opening import Where, at_a_desk
from host.driver import FUNCTIONS, Answer, Driver, PinPrompt
from host.hsm import HsmAddresses, MemoryHsm
from host.introduction import FIELDS
from host.keys import MemoryKeys

OPTION_OF: Final = {
    "iType": "--type",
    "iAuthType": "--auth",
    "pCardInfo": "--card-info",
    "pFileAddr": "--file-addr",
    "pWriteData": "--write-data",
    "pPayInfo": "--pay-info",
}
_FIRST_ADDRESS: Final = 0x0200
_STEP: Final = "_HSM_Step"


@dataclass(frozen=True, slots=True)
class Place:
    """Where card, PSAM and HSM are, and how the terminal is called."""

    where: Where
    psam: Where
    hsm: str | None
    terminal: str
    device: str


def drive(function: str, place: Place, given: dict[str, Any]) -> Answer:
    """Call a function with the parameters that were given; the others are None.

    Raises UsageError for a parameter that is missing or not the function's, and what `opened`
    raises.
    """
    if _STEP in function:
        raise click.UsageError(
            "The steps cannot be taken from a command line: between two of them the card must stay"
            f" under power. `{function.partition(_STEP)[0]} --hsm test` takes them all at once;"
            " `sscard service` and `host.driver` take them one by one."
        )
    parameters = {name: value for name, value in given.items() if value is not None}
    wanted = FUNCTIONS.get(function)
    if wanted is not None:
        parameters = _fitting(function, wanted, parameters)
    with _driver(place) as driver:
        return driver.call(function, **parameters)


def _fitting(function: str, wanted: tuple[str, ...], parameters: dict[str, Any]) -> dict[str, Any]:
    for name in parameters:
        if name not in wanted and name != "iType":
            raise click.UsageError(f"{function} takes no {OPTION_OF[name]}.")
    for name in wanted:
        if name not in parameters:
            raise click.UsageError(f"{function} needs {OPTION_OF[name]}.")
    return parameters


@contextmanager
def _driver(place: Place) -> Iterator[Driver]:
    with ExitStack() as stack:
        connect, psam = at_a_desk(place.where, place.psam, stack)
        centre = MemoryCentre() if place.hsm else None
        yield stack.enter_context(
            Driver(
                connect,
                psam,
                centre,
                _typed_pin,
                device=place.device,
                terminal=place.terminal,
                addresses=centre.addresses if centre else None,
            )
        )


def _typed_pin(prompt: PinPrompt) -> str | None:
    """Asked for without being shown, or a line of standard input where that is no terminal."""
    return typed_secret(f"{prompt.english} {prompt.chinese}")


class MemoryCentre:
    """A key centre with the published test keys of both algorithms, in this process."""

    def __init__(self) -> None:
        slots = [spec for table in TABLES for spec in table if spec.psam and spec.hsm is None]
        own = {spec.name: _FIRST_ADDRESS + 3 * at for at, spec in enumerate(slots)}
        self.addresses = HsmAddresses(own)
        """Those that were seen, and for all other keys some of its own."""
        self._all = [MemoryHsm(MemoryKeys(suite=suite), None, self.addresses) for suite in _SUITES]
        self._one = self._all[0]

    def __call__(self, line: str) -> str:
        """The answer to a line; the card that was introduced last is served."""
        if line.count("|") != FIELDS:
            return self._one.answer(line)
        for each in self._all:
            try:
                answer = each.answer(line)
            except FormatError:
                continue
            self._one = each
            return answer
        raise FormatError("line: introduces no card that this centre has keys for")


_SUITES: Final = tuple(SUITES.values())

# SPDX-License-Identifier: Apache-2.0
"""`sscard service`: the driver's functions on a port of this machine."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

import click

from apdu.errors import FormatError
from apdu.secret import Secret
from host.cli.opening import Where, at_a_desk
from host.cli.pinpad import TerminalPad
from host.cli.text import say_json
from host.driver import Driver, PinPrompt
from host.service.admission import checked_origin, checked_token
from host.service.functions import AskPin

_TOKEN_BYTES: Final = 32
_LONGEST_FILE: Final = 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of the service itself."""

    port: int
    ipv6: bool
    origins: Sequence[str]
    token_file: Path | None
    pin_pad: str
    as_json: bool


def serve(where: Where, psam: Where, wanted: Wanted) -> None:
    """Serve until Ctrl-C. A PSAM need not be given.

    Raises FormatError for an origin or token that is none, and what `opened` raises.
    """
    try:
        from host.service.running import run
        from host.service.web import Service
    except ModuleNotFoundError as error:
        if error.name == "aiohttp":
            raise click.ClickException(
                "the service needs aiohttp: `pip install 'sscard[service]'`"
            ) from None
        raise
    if psam.given:
        psam.check()
    origins = [checked_origin(each) for each in wanted.origins]
    token = _read_token(wanted.token_file) if wanted.token_file else _new_token()
    pad = TerminalPad() if wanted.pin_pad == "terminal" else None
    with ExitStack() as stack:
        connect, second = at_a_desk(where, psam, stack)

        def hire(ask: AskPin | None) -> Driver:
            return Driver(connect, second, ask_pin=ask)

        service = Service(hire, token, origins, _asking(pad) if pad else None)
        stack.enter_context(_logged_to_standard_error())
        run(
            service,
            wanted.port,
            wanted.ipv6,
            started=lambda port: _say(wanted, port, token),
            stopping=pad.end if pad else lambda: None,
        )


def _asking(pad: TerminalPad) -> AskPin:
    def ask(prompt: PinPrompt) -> str | None:
        return pad(f"{prompt.english} {prompt.chinese}")

    return ask


def _new_token() -> Secret:
    return checked_token(token_urlsafe(_TOKEN_BYTES))


def _read_token(path: Path) -> Secret:
    """The token in a file that nobody else can read. Raises FormatError, OSError."""
    with path.open("rb") as file:
        if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise FormatError(f"{path}: others can read the token; `chmod 600` the file")
        raw = file.read(_LONGEST_FILE)
    return checked_token(raw.decode("ascii", "replace").strip())


def _say(wanted: Wanted, port: int, token: Secret) -> None:
    """Tell where the service is. The token stands behind #, which browsers do not send."""
    url = f"http://127.0.0.1:{port}/"
    known = wanted.token_file is None
    shown = token.reveal().decode() if known else None
    if wanted.as_json:
        say_json({"url": url, "port": port, "token": shown})
        return
    click.echo(f"Page       {url}{f'#{shown}' if known else ''}")
    click.echo(f"WebSocket  ws://127.0.0.1:{port}/ws")
    click.echo(f"HTTP       POST {url}call")
    click.echo(f"Token      {shown if known else f'as in {wanted.token_file}'}")
    click.echo("Ctrl-C ends it.")


@contextmanager
def _logged_to_standard_error() -> Iterator[None]:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("host.service")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)

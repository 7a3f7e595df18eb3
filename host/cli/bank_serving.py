# SPDX-License-Identifier: Apache-2.0
"""`sscard bank serve`: the bank's host on a port of this machine."""

from __future__ import annotations

import signal
from contextlib import suppress
from threading import Event

import click

from host.cli.banks import reached
from host.cli.text import say_json
from host.network.server import LOOPBACK
from host.network.server import serve as listen


def serve(bank: str | None, port: int, as_json: bool) -> None:
    """Serve until Ctrl-C or SIGTERM; what is being answered is answered to its end.

    Raises OSError for a port in use, and what `reached` raises.
    """
    told = Event()
    before = {
        number: signal.signal(number, lambda *_: told.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with reached(bank, None) as issuer, listen(issuer, port=port) as at:
            if as_json:
                say_json({"host": LOOPBACK, "port": at.port})
            else:
                click.echo(f"The bank answers on {LOOPBACK}:{at.port}. Ctrl-C ends it.")
            with suppress(KeyboardInterrupt):
                told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

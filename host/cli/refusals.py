# SPDX-License-Identifier: Apache-2.0
"""How the command says no: one sentence on standard error, an exit status, never a traceback.

With `--json` the sentence also comes as an object on standard output:
{"error": {"kind": "ImageError", "message": "..."}}. The kind is the name of the exception.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final

import click

from host.cli.text import never_fail_to_encode, say_json, visible

DONE: Final = 0
REFUSED: Final = 1
"""The card or the bank said no, cannot be reached, or a step went wrong."""
BAD_INPUT: Final = 2
"""Usage, hex, a holder file or a card image."""


class Verbs(click.Group):
    """A group of commands that return their exit status, and the one place that reports errors."""

    def main(self, *args: Any, **settings: Any) -> Any:
        never_fail_to_encode()
        given = settings.get("args", args[0] if args else None)
        words = sys.argv[1:] if given is None else list(given)
        try:
            status = super().main(*args, **settings | {"standalone_mode": False})
        except Exception as error:
            status = _report(error, "--json" in words)
        _finish_output()
        sys.exit(status)


class TightLipped(click.Group):
    """A group that does not repeat a word it does not know: it may be a key in the wrong place."""

    ignore_unknown_options = True

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            verbs = ", ".join(f"`{name}`" for name in self.list_commands(ctx))
            raise click.UsageError(f"No such command. There is {verbs}.", ctx)
        return super().resolve_command(ctx, args)


def _report(error: Exception, as_json: bool) -> int:
    """Say what went wrong; an error that is nobody's but ours is raised again."""
    status = _status(error)
    if status is None:
        raise error
    message = " ".join(visible(_sentence(error)).split())
    click.echo(f"sscard: {message}", err=True)
    if as_json:
        with suppress(OSError):  # which may be what is reported
            say_json({"error": {"kind": type(error).__name__, "message": message}})
    return status


def _status(error: Exception) -> int | None:
    if isinstance(error, click.ClickException):
        return error.exit_code
    if isinstance(error, click.Abort):
        return REFUSED

    from apdu.errors import FormatError
    from card_os.image import ImageError
    from host.faults import CardFault
    from host.holder import HolderFileError
    from host.issuer.faults import BankUnavailable, Refused

    if isinstance(error, HolderFileError | ImageError | FormatError):
        return BAD_INPUT
    if isinstance(error, CardFault | OSError | Refused | BankUnavailable):
        return REFUSED
    return None


def _sentence(error: Exception) -> str:
    if isinstance(error, click.Abort):
        return "interrupted"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if not isinstance(error, click.ClickException):
        return _refusal(error)
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context else ""
    return error.format_message().removesuffix(".") + hint


def _refusal(error: Exception) -> str:
    from host.issuer.faults import Refused

    if not isinstance(error, Refused):
        return str(error)
    left = "" if error.tries_left is None else f", tries left: {error.tries_left}"
    return f"the bank says no: {error} {error.reason.chinese}{left}"


def _finish_output() -> None:
    """Write what is left, or drop it where that fails: Python would complain about it at exit."""
    if sys.stdout is None:
        return  # closed before we were started
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

# SPDX-License-Identifier: Apache-2.0
"""The commands that offer the LD/T 33 functions: one at a time, or as a service of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from host.cli.opening import Where, card_options, psam_options
from host.cli.refusals import DONE, REFUSED
from host.cli.text import say_json, visible

as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


@click.command()
@card_options
@psam_options
@click.option("--port", type=click.IntRange(0, 65535), default=18733, show_default=True)
@click.option("--ipv6", is_flag=True, help="Listen on ::1 too.")
@click.option("--origin", "origins", metavar="URL", multiple=True, help="A page that may call.")
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Holds the token, for its owner alone (mode 0600); otherwise a new one is made.",
)
@click.option(
    "--pin-pad",
    type=click.Choice(["caller", "terminal"]),
    default="caller",
    show_default=True,
    help="Who enters PINs: the caller over its WebSocket, or whoever sits at this terminal.",
)
@as_json_option
def service(where: Where, psam: Where, **wanted: Any) -> int:
    """Offer the LD/T 33 functions to programs and pages on this machine, until Ctrl-C.

    JSON over WebSocket (/ws) and HTTP (POST /call) on 127.0.0.1:
    {"function": "iReadCardBas", "iType": 3} is answered by {"function": ..., "code": 0,
    "pOutInfo": "..."}. Every caller needs the token, which is printed with the address of a page
    to try it on, or is read from FILE; a page also needs to be named with --origin, as
    https://HOST or https://HOST:PORT. Over HTTP a PIN can only be entered with --pin-pad terminal,
    and functions in steps need a WebSocket. Calls are logged without what is in them.
    With --json the first line has url, port and token (null with --token-file).
    """
    from host.cli.service import Wanted, serve

    serve(where, psam, Wanted(**wanted))
    return DONE


@click.command()
@click.argument("function", metavar="FUNCTION")
@card_options
@psam_options
@click.option("--hsm", type=click.Choice(["test"]), help="A key centre with published test keys.")
@click.option("--type", "iType", type=int, default=1, show_default=True, help="iType: 1 to 4.")
@click.option("--auth", "iAuthType", type=int, help="iAuthType: 1 by PIN, 2 by key.")
@click.option("--card-info", "pCardInfo", metavar="S", help="'identification code|number|'.")
@click.option("--file-addr", "pFileAddr", metavar="S", help="Such as 'SSSEEF05|06|07|$'.")
@click.option("--write-data", "pWriteData", metavar="S", help="As --file-addr, values for tags.")
@click.option("--pay-info", "pPayInfo", metavar="S", help="'yuan|yuan|YYYYMMDDhhmmss|'.")
@click.option("--terminal", default="", metavar="DIGITS", help="Its number, without a PSAM.")
@click.option("--device", default="", metavar="S", help="The number of the device.")
@as_json_option
def driver(function: str, as_json: bool, **given: Any) -> int:
    """Call a function of LD/T 33 as hospital programs do, and print its pOutInfo.

    FUNCTION is iReadCardBas, iReadCard, iWriteCard, iVerifyPIN, iChangePIN, iReloadPIN,
    iUnblockPIN, iDoDebit or iReadDebitRecord. Quote | and $ for the shell.

    Exit status 0, or 1 with the negative code and its sentence on standard error; with --json an
    object either way: function, code, pOutInfo. PINs are asked for without being shown, or taken
    from standard input, a line each, where that is no terminal; an empty line cancels.

    Where the PSAM cannot help, --hsm test does, as a key centre would. The HSM steps cannot be
    taken by hand here: the card's challenge does not outlive the command.
    """
    from host.cli.driving import Place, drive

    at = ("where", "psam", "hsm", "terminal", "device")
    place = Place(**{name: given.pop(name) for name in at})
    answer = drive(function, place, given)
    said: dict[str, object] = {"function": function, "code": answer.code}
    said["pOutInfo"] = answer.pOutInfo
    if answer.code:
        message = f"{answer.code} {visible(answer.pOutInfo)}"
        click.echo(f"sscard: {message}", err=True)
        said["error"] = {"kind": "DriverFault", "message": message}
    elif not as_json:
        click.echo(visible(answer.pOutInfo))
    if as_json:
        say_json(said)
    return REFUSED if answer.code else DONE

# SPDX-License-Identifier: Apache-2.0
"""The command `sscard`. Each verb imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host.cli.bank import bank
from host.cli.doctor import doctor
from host.cli.functions import driver, service
from host.cli.opening import Where, card_options, opened, reading_options
from host.cli.payments import balance, load, log, pay
from host.cli.readers import readers
from host.cli.refusals import DONE, REFUSED, TightLipped, Verbs
from host.cli.shell.verb import shell
from host.cli.text import say_json, spaced
from host.cli.traces.verbs import trace
from host.cli.virtual.verbs import control, serve

if TYPE_CHECKING:
    from host.cli.issuing import Issued
    from host.cli.issuing_psam import IssuedPsam

as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"sscard {version('sscard')}")
        except PackageNotFoundError:
            click.echo("sscard, run from its source tree")
        context.exit()


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit status: 0 all well; 1 the card or the bank said no, cannot be reached, or a step went"
        " wrong; 2 bad input. Errors are one sentence on standard error; with --json they also come"
        ' as {"error": {"kind": ..., "message": ...}} on standard output.'
    ),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    """A Chinese social security card (社会保障卡), its commands and its terminals.

    Begin with `sscard demo`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("holder", metavar="[HOLDER.json]", required=False, type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same bytes.")
@click.option("--all", "every_apdu", is_flag=True, help="Show personalisation APDU by APDU too.")
@as_json_option
def demo(holder: Path | None, seed: int, every_apdu: bool, as_json: bool) -> int:
    """Watch a card being issued, read, activated and used to pay, byte by byte.

    Plays on chips in memory, a PSAM among them, for HOLDER.json or an invented holder. With
    --json each step is an object on a line: step, name, title, chinese, expected, exchanges,
    seen, ok. An exchange has `to` (card or psam), command, answer and sw in hex (secret bytes as
    ••; empty where no answer came), name, meaning and sentence in words, and the items that were
    sent and got.
    """
    from host.cli.stage import Stage, play
    from host.cli.story import STORY
    from host.cli.testcard import TEST_HOLDER
    from host.holder import Holder

    stage = Stage(Holder.load(holder) if holder else TEST_HOLDER, seed)
    well = 0
    if as_json:
        for played in play(STORY, stage):
            say_json(played.as_json())
            well += played.ok
    else:
        from host.cli.render import Teller, console

        teller = Teller(console(), every_apdu)
        teller.open(stage.holder.name)
        for played in play(STORY, stage):
            teller.tell(played)
            well += played.ok
        teller.close(len(STORY), well)
    return DONE if well == len(STORY) else REFUSED


@cli.command()
@click.argument("holder", metavar="[HOLDER.json]", required=False, type=click.Path(path_type=Path))
@click.option("--psam", metavar="REGION", help="Make a PSAM instead of a card; see above.")
@click.option("-o", "--output", metavar="IMAGE", required=True, type=click.Path(path_type=Path))
@click.option(
    "--generation",
    metavar="1.0|2.0|3.0",
    default="2.0",
    show_default=True,
    help="Of the card, or of the cards that the PSAM is for.",
)
@click.option("--seed", type=int, help="Known instead of real randomness: same seed, same bytes.")
@click.option("--terminal", metavar="DIGITS", help="12 digits: the terminal that the PSAM is for.")
@click.option("--serial", metavar="DIGITS", help="The PSAM's serial number, 1 to 20 digits.")
@click.option(
    "--bank-profile",
    "bank",
    metavar="NAME|FILE",
    help="Of a card's debit application; see above.  [default: rsa-1152]",
)
@click.option("--pan", metavar="DIGITS", help="Of the debit application, instead of the profile's.")
@as_json_option
def issue(
    holder: Path | None,
    psam: str | None,
    output: Path,
    generation: str,
    seed: int | None,
    terminal: str | None,
    serial: str | None,
    bank: str | None,
    pan: str | None,
    as_json: bool,
) -> int:
    """Personalise a card for HOLDER.json, or a PSAM for REGION, into a new file image.

    Generations 1.0 and 2.0 have 3DES keys, 3.0 has SM4. REGION is `national` or six digits
    of GB/T 2260: a province (430000) or a city (430200). A national PSAM serves the cards of
    all regions, one of a province or a city those of its own.

    The bank's profile is rsa-1152, rsa-1408, rsa-1984, sm2 (both RSA and SM2), published (a test
    card that was published whole) or a TOML file like these. A PAN has 13 to 19 digits, begins
    with 622800 and ends with its check digit.

    Both carry published test keys, and a card the initial PIN: do not put a real person's data
    on it. The image has mode 0600, and an existing file is never written over.

    With --json an object: image, generation, atr, test_keys; of a card also card_number,
    identification, bank_profile and pan; of a PSAM region, level, algorithm, terminal and serial.
    """
    made: Issued | IssuedPsam
    if psam is not None and (bank is not None or pan is not None):
        raise click.UsageError("--bank-profile and --pan are a card's: they need HOLDER.json.")
    if psam is not None and holder is None:
        from host.cli.issuing_psam import issue_psam_image

        made = issue_psam_image(psam, output, generation, seed, terminal, serial)
    elif holder is None or psam is not None:
        raise click.UsageError("Give either HOLDER.json or --psam REGION.")
    elif terminal is not None or serial is not None:
        raise click.UsageError("--terminal and --serial are a PSAM's: they need --psam REGION.")
    else:
        from host.cli.issuing import issue_image

        made = issue_image(holder, output, generation, seed, bank, pan)
    if as_json:
        say_json(made.as_json())
    else:
        click.echo(made.words())
    return DONE


@cli.command()
@card_options
@click.option("--auto", is_flag=True, help="Follow 61xx with GET RESPONSE, and 6Cxx once.")
@as_json_option
@click.argument("hex_words", metavar="[HEX]...", nargs=-1)
def apdu(where: Where, auto: bool, as_json: bool, hex_words: tuple[str, ...]) -> int:
    """Send raw commands to a card and print its raw answers, one a line.

    Each HEX is one C-APDU; blanks and colons between the digits are for people. `-`, or no HEX
    at all, reads them from standard input, one a line, `#` beginning a remark. Nothing is sent
    unless all of them can be. Nothing is altered or added, except what --auto asks for.

    An answer is an answer: the exit status is 0 whatever its status word says. What an image
    has been told, it keeps. With --json each answer is an object: command (PINs and keys as ••),
    answer, sw, sentence; and with --explain why: gate, reason, about and spec, null for an answer
    that was none.
    """
    from host.cli.typed import converse, exchange_as_json, typed_apdus

    commands = typed_apdus(hex_words, sys.stdin.buffer, whole=auto)
    with opened(where) as channel, channel.transaction():
        for exchange in converse(channel, commands, follow=auto):
            if as_json:
                found: dict[str, object] = {**exchange_as_json(exchange)}
                if where.explaining is not None:
                    found["why"] = where.explaining.take()
                say_json(found)
            else:
                click.echo(spaced(exchange.answer))
    return DONE


@cli.command()
@reading_options
@as_json_option
def info(where: Where, as_json: bool) -> int:
    """Show what a card tells: reset, applications, issuer and holder data, PIN tries left.

    Of a PSAM: terminal and serial number, algorithm, region, the number of the next purchase
    and which purchase key it is for. No key is ever shown.

    Costs no PIN try and no number. Exit status 1 for a card that is neither or still blank, or
    whose data are not what they should be. With --json an object: atr, reset,
    social_security_card, blank; then applications, files and pin, or psam with terminal, serial,
    algorithm, level, region, next_sequence and key_index. Of a file `guarded` says what must be
    proven to read it.
    """
    from host.card import Card
    from host.cli.info import report

    with opened(where) as channel:
        found = report(Card(channel))
    if as_json:
        say_json(found.as_json())
    else:
        from host.cli.info_view import show

        show(found)
    return DONE if found.sound else REFUSED


@cli.group(cls=TightLipped, invoke_without_command=True)
@click.pass_context
def key(context: click.Context) -> None:
    """Look at a key without showing it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@key.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@as_json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> int:
    """Check a key: its length, its check value (校验值) in each suite, and what is odd about it.

    Asks for the key in hex without showing it, or reads one line from standard input when that
    is no terminal; blanks and colons between the digits are for people. It is never taken from
    the command line, where others could read it.

    A check value is the first three bytes of an enciphered zero block. A key with a remark
    (weak, wrong parity, equal parts) is a key all the same: the exit status is 0. With --json
    an object: length in bytes, and suites, each with suite, check_value and remarks.
    """
    from host.cli.key_check import check_key, typed_key

    if context.args:
        raise click.UsageError(
            "A key is not taken from the command line, where others could read it:"
            " type it when asked, or send it to standard input."
        )
    checked = check_key(typed_key())
    if as_json:
        say_json(checked.as_json())
    else:
        from host.cli.key_check_view import show

        show(checked)
    return DONE


for _verb in (
    *(driver, service, pay, load, balance, log, bank, readers, doctor, serve, control),
    trace,
    shell,
):
    cli.add_command(_verb)


def main() -> None:
    """The entry point."""
    cli(prog_name="sscard")


if __name__ == "__main__":
    main()

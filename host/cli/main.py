# SPDX-License-Identifier: Apache-2.0
"""The command `sscard`. Each verb imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from host.cli.opening import card_options, opened
from host.cli.refusals import DONE, REFUSED, TightLipped, Verbs
from host.cli.text import say_json, spaced

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
        "Exit status: 0 all well; 1 the card said no, cannot be reached, or a step went wrong;"
        " 2 bad input. Errors are one sentence on standard error; with --json they also come as"
        ' {"error": {"kind": ..., "message": ...}} on standard output.'
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
    """Watch a card being issued, read, activated and used, byte by byte.

    Plays on chips in memory, for HOLDER.json or an invented holder. With --json each step is
    an object on a line: step, name, title, chinese, expected, exchanges, seen, ok. An exchange
    has command, answer and sw in hex (secret bytes as ••), name, meaning and sentence in words,
    and the items that were sent and got.
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
@click.argument("holder", metavar="HOLDER.json", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="CARD.img", required=True, type=click.Path(path_type=Path))
@click.option("--generation", metavar="2.0", default="2.0", help="Of the specification.")
@click.option("--seed", type=int, help="Known instead of real randomness: same seed, same bytes.")
@as_json_option
def issue(holder: Path, output: Path, generation: str, seed: int | None, as_json: bool) -> int:
    """Personalise a card for HOLDER.json into a new file image.

    The card carries published test keys and the initial PIN: do not put a real person's data
    on it. The image has mode 0600, and an existing file is never written over.
    """
    from host.cli.issuing import issue_image

    made = issue_image(holder, output, generation, seed)
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
def apdu(
    card: Path | None, reader: str | None, auto: bool, as_json: bool, hex_words: tuple[str, ...]
) -> int:
    """Send raw commands to a card and print its raw answers, one a line.

    Each HEX is one C-APDU; blanks and colons between the digits are for people. `-`, or no HEX
    at all, reads them from standard input, one a line, `#` beginning a remark. Nothing is sent
    unless all of them can be. Nothing is altered or added, except what --auto asks for.

    An answer is an answer: the exit status is 0 whatever its status word says. What an image
    has been told, it keeps. With --json each answer is an object: command (PINs and keys as ••),
    answer, sw, sentence.
    """
    from host.cli.typed import converse, exchange_as_json, typed_apdus

    commands = typed_apdus(hex_words, sys.stdin.buffer, whole=auto)
    with opened(card, reader) as channel, channel.transaction():
        for exchange in converse(channel, commands, follow=auto):
            if as_json:
                say_json(exchange_as_json(exchange))
            else:
                click.echo(spaced(exchange.answer))
    return DONE


@cli.command()
@card_options
@as_json_option
def info(card: Path | None, reader: str | None, as_json: bool) -> int:
    """Show what a card tells: reset, applications, issuer and holder data, PIN tries left.

    Costs no PIN try. Exit status 1 for a card that is no social security card, or whose data
    are not what they should be.
    """
    from host.card import Card
    from host.cli.info import report

    with opened(card, reader) as channel:
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


def main() -> None:
    """The entry point."""
    cli(prog_name="sscard")


if __name__ == "__main__":
    main()

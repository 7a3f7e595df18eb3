# SPDX-License-Identifier: Apache-2.0
"""The commands `sscard trace ...`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host.cli.opening import Where, card_options, opened
from host.cli.refusals import DONE, REFUSED
from host.cli.text import say_json, visible

if TYPE_CHECKING:
    from apdu.recording import Recording
    from host.cli.traces.differing import Apart

FILE = click.Path(path_type=Path)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
slot_option = click.option(
    "--slot", default="card", show_default=True, help="Which card, of a file with several."
)


@click.group(invoke_without_command=True)
@click.pass_context
def trace(context: click.Context) -> None:
    """Look at what passed between a card and a program, compare it, and play it again.

    FILE is what --record made; every command with a card has that option. The text of a
    conversation (`>` and `<` before lines of hex) is read too. Whatever is in FILE, PINs and keys
    are masked here.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@trace.command()
@click.argument("file", metavar="FILE", type=FILE)
@as_json_option
def show(file: Path, as_json: bool) -> int:
    """Show a recording in words: commands, data, answers and status words by their names.

    With --json the first line is an object about the recording: version, by, atr, interface,
    protocol, secrets, remark. Then one a line for each event, as it stands in FILE, an exchange
    with what `sscard demo --json` says of one; in the end perhaps lost, what of FILE is not whole.
    """
    from host.cli.traces.showing import Shower, header_as_json, seen

    with _reading(file) as recording:
        events = seen(recording)
        # What is no recording at all may show with the first event, and then nothing is shown.
        events = chain([*islice(events, 1)], events)
        if as_json:
            say_json(header_as_json(recording.header))
            for each in events:
                say_json(each.as_json())
            if recording.lost:
                say_json({"lost": recording.lost})
        else:
            from host.cli.render import console

            shower = Shower(console())
            shower.head(recording.header)
            for each in events:
                shower.event(each)
            if recording.lost:
                shower.lost(recording.lost)
    return DONE


@trace.command()
@click.argument("file", metavar="FILE", type=FILE)
@card_options
@slot_option
@click.option("--keep-going", is_flag=True, help="Go on after a difference; leave masked data out.")
@click.option("--as-card", is_flag=True, help="Be the card of FILE in a virtual reader; see above.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Of the virtual reader, with --as-card.  [default: 35963]",
)
@as_json_option
def replay(
    file: Path,
    where: Where,
    slot: str,
    keep_going: bool,
    as_card: bool,
    port: int | None,
    as_json: bool,
) -> int:
    """Send the commands of FILE to a card again and compare its answers.

    Resets come where they came then. Ends at the first answer that is another one, chance left
    aside: random numbers, cryptograms, counters of transactions. Nothing is sent unless all of
    FILE can be: a command whose data is masked cannot. The card does what it is told, so what
    FILE changed on a card then it may change on this one.

    Exit status 0 when all was the same, else 1. With --json an object for each event that is not
    the same, as `sscard trace diff` has them (first: FILE, second: the card), and one in the end:
    same, sent, left_out.

    With --as-card it is the other way round: the card of FILE goes into the virtual reader of this
    machine, as with `sscard serve`, and answers a program as it was answered then. Commands must
    come as they came, but for resets; masked bytes of them stand for any. It ends when all was
    said and the reader powers it off; at a command that is not the next one it leaves the reader,
    with exit status 1. With --json an object: same, and strayed, a sentence or null.
    """
    if as_card:
        if where.given or keep_going:
            raise click.UsageError("--as-card goes with neither a card nor --keep-going.")
        return _as_card(file, slot, port, as_json)
    if port is not None:
        raise click.UsageError("--port is about --as-card.")
    from host.cli.traces.replaying import checked
    from host.cli.traces.replaying import replay as played

    with _reading(file, keep=True) as recording:
        plan = checked(recording, slot, keep_going=keep_going)
    same = True
    with (
        _reading(file, keep=True) as recording,
        opened(where) as channel,
        channel.transaction(),
    ):
        for apart in played(recording, channel, slot):
            same = False
            _say(apart, as_json, "recorded", "now")
            if not keep_going:
                break
    if as_json:
        say_json({"same": same, "sent": plan.sent, "left_out": plan.left_out})
    elif same:
        left_out = f", {plan.left_out} left out" if plan.left_out else ""
        click.echo(f"{plan.sent} commands, answered as they were then{left_out}")
    return DONE if same else REFUSED


def _as_card(file: Path, slot: str, port: int | None, as_json: bool) -> int:
    from apdu.vpcd import PORT
    from host.cli.traces.acting import act

    at = "127.0.0.1", port or PORT
    with _reading(file, keep=True) as recording:
        if not as_json:
            click.echo(f"The card of {visible(str(file))} goes to {at[0]}:{at[1]}. Ctrl-C ends it.")
        strayed = act(recording, slot, at)
    if as_json:
        say_json({"same": strayed is None, "strayed": strayed and str(strayed)})
    elif strayed is None:
        click.echo("all was asked for, as it was then")
    else:
        click.echo(f"sscard: {visible(str(strayed))}", err=True)
    return DONE if strayed is None else REFUSED


@trace.command()
@click.argument("first", metavar="FILE", type=FILE)
@click.argument("second", metavar="FILE", type=FILE)
@as_json_option
def diff(first: Path, second: Path, as_json: bool) -> int:
    """Compare two recordings and say what is not the same, chance left aside.

    Commands are brought together by what they are; random numbers, cryptograms, MACs, counters of
    transactions, dates and times are not compared. What is masked is not compared either.

    Exit status 0 when they are the same, else 1. With --json an object for each event that is
    not: first and second (its number in each, null where it is not there), slot, name, meaning,
    differences; and one in the end: same.
    """
    from host.cli.traces.differing import compare

    same = True
    with _reading(first) as one, _reading(second) as other:
        for apart in compare(one, other):
            same = False
            _say(apart, as_json, "first", "second")
        _warn(first, one)
        _warn(second, other)
    if as_json:
        say_json({"same": same})
    elif same:
        click.echo("the same")
    return DONE if same else REFUSED


@trace.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.option("-o", "--output", metavar="OUT.pcap", required=True, type=FILE)
@slot_option
def pcap(file: Path, output: Path, slot: str) -> int:
    """Write a recording as a capture that Wireshark and tshark decode (ISO 7816).

    Link type 252, exported PDUs. Masked bytes are zeros there; the recording begins in 1970.
    """
    from apdu.pcap import capture

    with _reading(file) as recording:
        _write(output, capture(recording, slot))
        _warn(file, recording)
    return DONE


@trace.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.option("-o", "--output", metavar="OUT.jsonl", required=True, type=FILE)
def convert(file: Path, output: Path) -> int:
    """Write the text of a conversation, or a recording, as a new recording, masked.

    Remarks are taken over as they stand.
    """
    from dataclasses import replace

    from apdu.recording import event_line, header_line

    with _reading(file) as recording:
        header = header_line(replace(recording.header, kept=False))
        lines = chain((header,), map(event_line, recording))
        _write(output, (line.encode(errors="replace") for line in lines))
        _warn(file, recording)
    return DONE


@contextmanager
def _reading(file: Path, *, keep: bool = False) -> Iterator[Recording]:
    """As `recorder.reading`; raises FormatError, with the name of a file that is no recording."""
    from apdu.errors import FormatError
    from host.channel.recorder import reading

    with ExitStack() as stack:
        try:
            recording = stack.enter_context(reading(file, keep=keep))
        except OSError as error:
            raise FormatError(f"{file}: {error.strerror or error}") from None
        except FormatError as error:
            raise FormatError(f"{file}: {error}") from None
        yield recording


def _warn(file: Path, recording: Recording) -> None:
    """Say what of the end of a file that was read was not whole."""
    if recording.lost:
        click.echo(visible(f"{file}: {recording.lost}"), err=True)


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    """A new file; of pieces that cannot all be made, none."""
    from host.channel.recorder import new_file

    try:
        handle = new_file(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.UsageError(f"--output {visible(str(path))}: {why}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise click.ClickException(f"--output {path}: {error.strerror or error}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _say(apart: Apart, as_json: bool, first: str, second: str) -> None:
    """An event that is not the same: which, and what of it."""
    if as_json:
        say_json(apart.as_json())
        return
    one, other = apart.first, apart.second
    event = one or other
    assert event is not None  # noqa: S101
    numbers = [each.number for each in (one, other) if each is not None]
    words = [f"{' | '.join(map(str, dict.fromkeys(numbers)))}  {event.name}  {event.meaning}"]
    if one is None or other is None:
        words.append(f"  only in the {first if other is None else second}")
    for each in apart.differences:
        words += [
            f"  {each.name}",
            f"    {first:8}  {'(missing)' if each.first is None else each.first}",
            f"    {second:8}  {'(missing)' if each.second is None else each.second}",
        ]
    click.echo("\n".join(visible(line).rstrip() for line in words))

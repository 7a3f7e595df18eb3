# SPDX-License-Identifier: Apache-2.0
"""`sscard shell`: the options, and which way the lines come."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host.cli.opening import Where, card_options, opened

if TYPE_CHECKING:
    from host.channel import Channel
    from host.cli.shell.lines import Line
    from host.cli.shell.session import Session

_HERE = "-"


@click.command()
@card_options
@click.option("--keep-going", is_flag=True, help="Go on behind a line of SCRIPT that fails.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, an object for each line.")
@click.argument("script", metavar="[SCRIPT]", required=False)
def shell(where: Where, keep_going: bool, as_json: bool, script: str | None) -> int:
    """Work with a card line by line: select, read, edit, verify, apdu, ... `help` lists them all.

    At a terminal lines are typed, with completion (Tab) and history where prompt_toolkit is
    installed (`pip install 'sscard[shell]'`). Ctrl-C drops a line, Ctrl-D leaves. PINs are asked
    for, and lines with a PIN or a key in them are never kept. An image always says why it
    refuses; with --explain every exchange is shown in words, too (`explain on`).

    SCRIPT has the same lines, `-` takes them from standard input, and so does a shell without a
    terminal. All are looked at before the first is done. `expect 9000`, `expect 63Cx|6983`,
    `expect data 6F .. 84*` and `expect value NAME VALUE` hold the answer before them to a
    pattern; a card that says no where nothing is expected ends the script. PINs come from
    standard input, a line each. Exit status of a script: 0 all as expected, 1 not so, 2 a line
    that cannot be understood.

    With --json an object for each line: line, command, ok, data, sw, sentence, items, and more
    by command; of a line that failed error (kind, message) and why.
    """
    where.check()
    here = script is None and sys.stdin is not None and sys.stdin.isatty()
    lines = None if here else _lines(script or _HERE)
    with ExitStack() as stack:
        session = _session(where, stack, script or ("" if here else _HERE))
        session.settings.as_json = as_json
        session.settings.explain = where.explaining is not None and not as_json
        return _scripted(session, lines, keep_going) if lines is not None else _typed(session)


def _session(where: Where, stack: ExitStack, script: str) -> Session:
    from host.cli.asking import needed_secret
    from host.cli.leave import at_a_terminal
    from host.cli.recording import recorded
    from host.cli.shell.reasons import Reasons
    from host.cli.shell.session import Session, User

    reasons = Reasons() if where.image is not None else None
    bare = replace(where, record=None, with_secrets=False, explaining=reasons)

    def opener(contactless: bool) -> AbstractContextManager[Channel]:
        return opened(bare, contactless=contactless)

    def secret(words: str) -> str:
        if script == _HERE:
            raise click.UsageError(f"{words}: standard input is the script; use a file for it.")
        return needed_secret(words)

    def sure(lines: tuple[str, ...], question: str) -> bool:
        if script == _HERE or not at_a_terminal():
            return False
        for line in lines:
            click.echo(line, err=True)
        try:
            return click.confirm(question, err=True)
        except click.Abort:
            click.echo(err=True)  # behind ^C
            return False

    around = stack.enter_context(recorded(where.record, where.with_secrets))
    session = Session(opener, User(secret, sure), reasons)
    stack.callback(session.cable.close)
    if where.record is not None:
        why = session.why_words
        session.cable.record(lambda channel: around(channel, why))
    return session


def _lines(script: str) -> list[Line]:
    from host.cli.shell.lines import MOST_BYTES, BadLine, read_script, script_lines

    try:
        if script != _HERE:
            return script_lines(read_script(Path(script)))
        return script_lines(sys.stdin.buffer.read(MOST_BYTES + 1) if sys.stdin is not None else b"")
    except BadLine as error:
        raise click.UsageError(f"{_named(script)}: {error}.") from None
    except OSError as error:
        raise click.UsageError(f"{_named(script)}: {error.strerror or error}.") from None


def _named(script: str) -> str:
    from host.cli.text import visible

    return "standard input" if script == _HERE else visible(script)


def _scripted(session: Session, lines: list[Line], keep_going: bool) -> int:
    from host.cli.shell.lines import BadLine
    from host.cli.shell.shell import Shell

    made = Shell(session)
    try:
        return made.script(lines, keep_going=keep_going)
    except BadLine as error:
        raise click.UsageError(f"{error}; nothing was done.") from None
    finally:
        made.close()


def _typed(session: Session) -> int:
    from host.cli.shell.history import History, history_file
    from host.cli.shell.keyboard import keyboard
    from host.cli.shell.shell import Shell

    made = Shell(session)
    read, completes = keyboard(session, History(history_file(os.environ)))
    if not session.settings.as_json:
        made.screen.greet(session, completes)
    try:
        made.talk(read)
    finally:
        made.close()
    return 0

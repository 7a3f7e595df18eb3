# SPDX-License-Identifier: Apache-2.0
"""`Shell`: does lines one after the other, from a keyboard or from a script, and says what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click

from apdu.errors import FormatError
from apdu.secret import MASK
from card_os.image import ImageError
from host.cli.refusals import BAD_INPUT, DONE, REFUSED
from host.cli.shell import reading
from host.cli.shell import screen as screens
from host.cli.shell.history import may_be_kept
from host.cli.shell.lines import BadLine, Line, filled, read_script, script_lines, words_of
from host.cli.shell.naming import Unexpected
from host.cli.shell.report import NOTHING, Report
from host.cli.shell.screen import Screen
from host.cli.shell.session import Session
from host.cli.shell.table import COMMANDS, Command, check, command_called
from host.cli.shell.talking import Recording
from host.cli.text import visible
from host.faults import CardFault, CardGone, CardRefused, CardReset

DEEPEST: Final = 8
"""Scripts within scripts."""
_TROUBLES = (CardFault, FormatError, ImageError, BadLine, Unexpected, click.ClickException, OSError)
_EXPECT: Final = "expect"


class Quit(Exception):
    """The line was `quit`."""


class Shell:
    """Lines in, words out. The status is that of the worst line: 0 all well, 1 the card said no or
    something else than was expected, 2 a line that cannot be understood."""

    def __init__(self, session: Session, screen: Screen | None = None) -> None:
        self.session = session
        self.screen = screen or Screen()
        self.status = DONE
        self._recording = Recording()
        self._depth = 0
        self._within = ""
        """The script within the script whose lines are done, as trouble names it."""

    def close(self) -> None:
        self._recording.close()

    # From a keyboard

    def talk(self, read: Callable[[str], str]) -> None:
        """Read lines with a prompt and do them, until there are no more (EOFError)."""
        while True:
            try:
                text = read(f"{visible(self.session.place)}> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            except UnicodeDecodeError:
                self.screen.trouble("what was typed is not UTF-8")
                continue
            try:
                self.do(text)
            except Quit:
                return
            except (KeyboardInterrupt, click.Abort):
                self.screen.note("broken off")

    def do(self, text: str) -> None:
        """Do one line. Trouble is said, not raised."""
        try:
            words = words_of(text)
            command = check(filled(words, self.session.settings.variables)) if words else None
        except BadLine as error:
            self._failed("", error, None)
            return
        if command is not None:
            self._one(words, None)

    # From a script

    def script(self, lines: list[Line], *, keep_going: bool = False) -> int:
        """Do the lines of a script: all are looked at before the first is done. Returns the exit
        status."""
        for line in lines:
            try:
                check(line.words)
            except BadLine as error:
                raise BadLine(f"{self._within}line {line.number}: {error}") from None
        for line, following in zip(lines, [*lines[1:], None], strict=True):
            judged = following is not None and command_called(following.words[0]).name == _EXPECT
            self._echo(line)
            try:
                well = self._one(line.words, line.number, judged=judged)
            except Quit:
                break
            if not well and not keep_going:
                break
        return self.status

    def _echo(self, line: Line) -> None:
        """The line before what comes of it; without what may be a secret."""
        if self.session.settings.as_json:
            return
        text = line.text if may_be_kept(line.text) else f"{line.words[0]} {MASK}"
        self.screen.note(f"{self.session.place}> {text}")

    # A line

    def _one(self, words: tuple[str, ...], number: int | None, *, judged: bool = False) -> bool:
        """Do a line, and say what came of it: True if it did what it should. `judged`: the next
        line says what the card's answer should be, so a no of the card's is no trouble."""
        session = self.session
        session.exchanges.clear()
        session.hint = ""
        command = command_called(words[0])
        try:
            given = filled(words[1:], session.settings.variables)
            report = self._run(command, given)
        except CardRefused as error:
            self._show_exchanges()
            session.items = ()
            if judged:
                self._refused(command, error, number)
                return True
            self._failed(command.name, error, number)
            return False
        except _TROUBLES as error:
            self._show_exchanges()
            self._failed(command.name, error, number)
            return False
        self._show_exchanges()
        if session.exchanges:
            session.items = report.items
        self._say(command, words, report, number)
        return True

    def _run(self, command: Command, words: tuple[str, ...]) -> Report:
        if command.run is not None:
            if not command.least <= len(words) <= command.most:
                raise BadLine(f"usage: {command.usage}")
            return command.run(self.session, words)
        match command.name:
            case "record":
                return self._recording.line(self.session, words)
            case "run":
                return self._run_file(words[0])
            case "help":
                return help_words(words)
        raise Quit

    def _run_file(self, name: str) -> Report:
        if self._depth == DEEPEST:
            raise BadLine(f"run: scripts within scripts, more than {DEEPEST} deep")
        before, self.status = self.status, DONE
        within, self._within = self._within, f"{name}, "
        self._depth += 1
        try:
            status = self.script(script_lines(read_script(Path(name)), within=self._within))
        finally:
            self._depth -= 1
            self._within = within
            self.status = max(before, self.status)
        if status != DONE:
            raise BrokeOff(status)
        return NOTHING

    # What came of it

    def _say(
        self, command: Command, words: tuple[str, ...], report: Report, number: int | None
    ) -> None:
        session = self.session
        answer = session.answer if session.exchanges else None
        if report.raw is not None and answer is not None and command.name != "apdu":
            session.answer = answer = type(answer)(report.raw, answer.sw)
        if session.settings.as_json:
            if command.name != "run":
                screens.say(screens.as_json(command.name, report, answer, number))
            return
        spoken = command.name == "apdu"
        self.screen.report(report, answer if spoken else None, whole=reading.RAW in words)
        if spoken and session.why:
            self.screen.note(f"because: {session.why}")

    def _refused(self, command: Command, error: CardRefused, number: int | None) -> None:
        """The card said no, which the script may well expect."""
        session = self.session
        if session.settings.as_json:
            screens.say(screens.as_json(command.name, NOTHING, session.answer, number))
        else:
            self.screen.note(str(error))

    def _failed(self, verb: str, error: Exception, number: int | None) -> None:
        bad = isinstance(error, BadLine | FormatError | click.ClickException)
        status = error.status if isinstance(error, BrokeOff) else BAD_INPUT if bad else REFUSED
        self.status = max(self.status, status)
        if isinstance(error, BrokeOff):
            return
        session = self.session
        why, hint = "", session.hint
        if isinstance(error, CardRefused | Unexpected):
            why = session.why
        if isinstance(error, CardGone):
            session.gone = not isinstance(error, CardReset)
            hint = "`reset` takes the card up again"
        if session.settings.as_json:
            answer = session.answer if session.exchanges or verb == _EXPECT else None
            reason = session.reasons.as_json() if why and session.reasons else None
            screens.say(screens.trouble_as_json(verb, error, answer, number, reason))
            return
        where = "" if number is None else f"{self._within}line {number}: "
        self.screen.trouble(f"{where}{_sentence(error)}", why and f"because: {why}", hint)

    def _show_exchanges(self) -> None:
        session = self.session
        if session.settings.explain and not session.settings.as_json:
            for told in session.exchanges:
                self.screen.exchange(told)


class BrokeOff(BadLine):
    """A script within the script ended badly, and has said why."""

    def __init__(self, status: int) -> None:
        super().__init__("the script broke off")
        self.status = status


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def help_words(words: Iterable[str]) -> Report:
    """What the commands do, or one of them."""
    for word in words:
        command = command_called(word)
        return Report((command.usage, command.told), told={"usage": command.usage})
    rows = [("command", ""), *((each.usage, each.told) for each in COMMANDS.values())]
    return Report(rows=tuple(rows), told={"commands": [row[0] for row in rows[1:]]})

# SPDX-License-Identifier: Apache-2.0
"""The commands of the shell: what each is called, what may stand behind it, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from host.cli.shell import editing, naming, proving, reading, talking, walking
from host.cli.shell.lines import BadLine, nearest
from host.cli.shell.report import Report
from host.cli.shell.session import Session

Run = Callable[[Session, tuple[str, ...]], Report]
MANY: Final = 1_000_000


class Takes(Enum):
    """What a word of a line may be, for completion."""

    PLACE = auto()
    FILE = auto()
    FIELD = auto()
    TAG = auto()
    KEY = auto()
    SWITCH = auto()
    COMMAND = auto()
    PATH = auto()
    PIN_NAME = auto()
    INTERFACE = auto()
    VARIABLE = auto()
    EXPECTED = auto()


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the shell."""

    name: str
    usage: str
    told: str
    """What it does, in a sentence or two."""
    run: Run | None = None
    """None: the shell does it itself."""
    least: int = 0
    most: int = 0
    """Words behind it."""
    takes: tuple[Takes, ...] = ()
    options: tuple[str, ...] = ()


def _command(
    usage: str,
    told: str,
    run: Run | None,
    count: tuple[int, int] = (0, 0),
    *takes: Takes,
    options: tuple[str, ...] = (),
) -> Command:
    return Command(usage.split()[0], usage, told, run, *count, takes, options)


COMMANDS: Final = {
    command.name: command
    for command in (
        _command(
            "select NAME|AID|FID|PATH",
            "Select an application, directory or file: HRSS, DF01, EF05, 社会保障环境,"
            " SSSE/DF01/EF06, an AID in hex; .. for the directory above.",
            walking.select,
            (1, 1),
            Takes.PLACE,
        ),
        _command(
            "ls",
            "List the files here, and what the card says of each. One of them may be the current"
            " file afterwards.",
            walking.ls,
        ),
        _command(
            "tree",
            "List all applications and files. Selects them one by one, so what was proven is"
            " forgotten.",
            walking.tree,
        ),
        _command(
            "read [FILE] [RECORD|OFFSET] [--raw]",
            "Read a file, decoded; or one record, or bytes from an offset on. In the bank's"
            " application FILE is an SFI.",
            reading.read,
            (0, 3),
            Takes.FILE,
            options=(reading.RAW,),
        ),
        _command(
            "edit FILE FIELD VALUE [--yes]",
            "Change one value of a file: 2026-01-05, 12.34 yuan, text in quotes, hex; '' empties"
            " it. Shows old and new, asks, and writes.",
            editing.edit,
            (3, 4),
            Takes.FILE,
            Takes.FIELD,
            options=(editing.YES,),
        ),
        _command(
            "get TAG|NAME [--raw]",
            "Ask for a data element (GET DATA), decoded: 9F36, ATC by its name, ...",
            reading.get,
            (1, 12),
            Takes.TAG,
            options=(reading.RAW,),
        ),
        _command(
            "verify [user|admin]",
            "Prove the PIN, which is asked for. A wrong one costs a try.",
            proving.verify,
            (0, 1),
            Takes.PIN_NAME,
        ),
        _command(
            "tries [user|admin]",
            "How many tries the PIN has left. Costs none.",
            proving.tries,
            (0, 1),
            Takes.PIN_NAME,
        ),
        _command(
            "change [user|admin]",
            "Give the PIN another value. Old and new one are asked for.",
            proving.change,
            (0, 1),
            Takes.PIN_NAME,
        ),
        _command(
            "authenticate KEY",
            "Prove a key with the published test keys: RK1DF01, UKSSSE, ...; IRK: the card proves"
            " itself.",
            proving.authenticate,
            (1, 1),
            Takes.KEY,
        ),
        _command(
            "apdu HEX...",
            "Send a command as it is. `auto on` lets it follow 61xx and 6Cxx.",
            talking.apdu,
            (1, MANY),
        ),
        _command(
            "auto [on|off]",
            "Whether apdu follows 61xx and 6Cxx.",
            talking.switch("auto"),
            (0, 1),
            Takes.SWITCH,
        ),
        _command(
            "reset [contact|contactless]",
            "Reset the card; take up one that was pulled, or the next one.",
            talking.reset,
            (0, 1),
            Takes.INTERFACE,
        ),
        _command("atr", "Decode the answer to reset.", talking.atr),
        _command("last", "Show the last exchange in hex and in words.", talking.last),
        _command("why", "Say why the card refused (images tell).", talking.why),
        _command(
            "explain [on|off]",
            "Whether every exchange is shown in words.",
            talking.switch("explain"),
            (0, 1),
            Takes.SWITCH,
        ),
        _command(
            "json [on|off]",
            "Whether answers come as JSON, an object a line.",
            talking.switch("as_json"),
            (0, 1),
            Takes.SWITCH,
        ),
        _command(
            "record FILE|stop",
            "Record all that passes in a new file, PINs and keys masked.",
            None,
            (1, 1),
            Takes.PATH,
        ),
        _command("run SCRIPT", "Do the lines of a file.", None, (1, 1), Takes.PATH),
        _command(
            "expect STATUS[|STATUS] [data PATTERN]",
            "Hold the last answer to a status word (x for any digit) and to data (.. for any byte,"
            " * for any rest); `expect value NAME VALUE`: to what was read.",
            naming.expect,
            (1, MANY),
            Takes.EXPECTED,
        ),
        _command(
            "let NAME = data[FROM:TO]|sw",
            "Keep a part of the last answer in hex, to be used as $NAME.",
            naming.let,
            (1, 8),
        ),
        _command(
            "set [NAME [VALUE]]",
            "Give a value a name, to be used as $NAME; without a value, show it.",
            naming.assign,
            (0, 2),
            Takes.VARIABLE,
        ),
        _command("help [COMMAND]", "This.", None, (0, 1), Takes.COMMAND),
        _command("quit", "Leave.", None),
    )
}
OTHERWISE: Final = {"exit": "quit", "cd": "select", "cat": "read", "?": "help"}
"""Words of other shells."""


def command_called(word: str) -> Command:
    """The command with this name. BadLine, which does not repeat it, suggests the nearest."""
    name = word.lower()
    found = COMMANDS.get(OTHERWISE.get(name, name))
    if found is None:
        raise BadLine("no such command" + (nearest(word, COMMANDS) or "; `help` lists them"))
    return found


def check(words: tuple[str, ...]) -> Command:
    """The command of a line whose number of words is right. Raises BadLine."""
    command = command_called(words[0])
    if not command.least <= len(words) - 1 <= command.most:
        raise BadLine(f"usage: {command.usage}")
    if command.name == "expect":
        naming.expected(words[1:])
    return command

# SPDX-License-Identifier: Apache-2.0
"""Commands as the chip has them: forms bound to handlers and policies, and what these may reach.

`card_os.gates` judges by what is declared here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from apdu.atr import Interface
from apdu.errors import Fact, StatusError
from apdu.sw import SW
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.hrss.commands import CRYPTOGRAM
from apdu.wire.iso7816 import GET_RESPONSE
from apdu.wire.perso import KeyUsage, Life
from card_os.access import Rule
from card_os.files.records import ElementaryFile
from card_os.files.tree import Directory, Tree
from card_os.nvm import Nvm
from card_os.refusal import Noted
from card_os.secrets.keys import KeyObject
from card_os.secrets.pins import PinObject
from card_os.session import IN_USE, Session, Stage
from card_os.world import World

P = TypeVar("P")
D = TypeVar("D")

_GET_RESPONSE: Final = bytes((GET_RESPONSE.ins,))
_WRONG_LENGTH: Final = SW.WRONG_LENGTH.to_bytes(2)
_WRONG_DATA: Final = SW.WRONG_DATA.to_bytes(2)
_ACTIVATED: Final = Life.ACTIVATED
_APPENDED: Final = 1
"""Secure messaging bits of CLA 04 and 84: a MAC is appended; what else they may say is refused."""


class Protection(Enum):
    """Whether a command comes under secure messaging, and how."""

    NONE = "never"
    OPTIONAL = "may have a MAC"
    MAC = "must have a MAC"
    ENCIPHERED = "must have a MAC, and its data is enciphered"


class Context:
    """What a handler may reach: memory, world, tree, session, and of this command Ne and the
    target file, where its access condition is found out from one."""

    __slots__ = (
        "_idle",
        "_rom",
        "messaging",
        "ne",
        "noted",
        "nvm",
        "session",
        "table",
        "target",
        "tree",
        "unprotected",
        "world",
    )

    target: ElementaryFile

    def __init__(
        self,
        nvm: Nvm,
        world: World,
        tree: Tree,
        rom: tuple[Application, ...],
        interface: Interface = Interface.CONTACT,
    ) -> None:
        self.nvm = nvm
        self.world = world
        self.tree = tree
        self._rom = {application.name: application for application in rom}
        self.ne = 0
        self.noted: Noted | None = None
        """Why the last command was refused; None after one that was not."""
        self.session = Session(tree.mf, tree.master.life, interface)
        self._begin(tree.mf)

    def _begin(self, directory: Directory) -> None:
        application = self.application(directory)
        self.table = application.commands.entries
        """The commands of the selected application."""
        self.messaging = application.messaging
        self.unprotected = application.unprotected
        self.session.scratch = self._idle = application.scratch

    def application(self, directory: Directory) -> Application:
        """What answers in a directory, at this time of its life."""
        root = directory.root
        application = self._rom[root.header.name]
        if root.life is Life.INITIALISATION:
            return application.personalisation or application
        return application

    def enter(self, directory: Directory, *, fresh: bool) -> None:
        """Make a directory current. Another application, or `fresh`: nothing stays proven."""
        life = self.tree.master.life
        if fresh or directory.root is not self.session.directory.root:
            self.session.select(directory, life)
            self._begin(directory)
        else:
            self.session.move(directory, life)
            self.session.scratch = self._idle

    def aim(self, sfi: int) -> ElementaryFile:
        """Make the EF with this SFI in the current DF (0: the current EF) the command's target.

        Raises StatusError 6A82 or 6986 when there is none, 6985 when it is deactivated.
        """
        session = self.session
        found = session.directory.by_sfi.get(sfi) if sfi else session.file
        if found is None:
            text = "{place} has no file with SFI {sfi:02X}" if sfi else "no file is selected"
            raise StatusError(SW.FILE_NOT_FOUND if sfi else SW.NO_CURRENT_EF, text, sfi=sfi)
        if found.life is not _ACTIVATED:
            facts = {"file": found.header.fid, "life": found.life}
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, "{file} is {life}", **facts)
        self.target = found
        return found

    def pin(self, reference: int) -> PinObject:
        """A PIN of the current DF, or from below 80 of the application. Or StatusError 6A88."""
        found = self.session.directory.pin(reference)
        if found is None:
            text = "{place} has no {pin}"
            raise StatusError(SW.REFERENCE_NOT_FOUND, text, pin=reference)
        return found

    def key(self, kid: int, usage: KeyUsage, version: int | None = None) -> KeyObject:
        """A key of the current DF, or from below 80 of the application, for one usage.

        Raises StatusError 6A88, 6985 or 6983 as `KeyStore.find` does.
        """
        return self.session.directory.keeper(kid).keys.find(kid, usage, version)

    def holds(self, kid: int, usage: KeyUsage) -> bool:
        """Whether there is such a key for one usage, seen from the current DF."""
        return self.session.directory.keeper(kid).keys.holds(kid, usage)

    def random(self, length: int) -> bytes:
        """Random bytes, or StatusError 6400 where there are none to be had."""
        try:
            return self.world.random(length)
        except (OSError, NotImplementedError):  # what a system without a source of chance raises
            text = "{length} random bytes are not to be had"
            raise StatusError(SW.EXECUTION_ERROR, text, length=length) from None

    def remark(self, text: str, **about: Fact) -> None:
        """Note what a good answer does not say of itself. No answer is another for it."""
        self.noted = Noted(SW.OK, text, about, "", "", self.session.directory)

    def take_challenge(self) -> bytes:
        """What GET CHALLENGE gave last, 8 bytes, for one use. StatusError 6984 without one."""
        challenge, self.session.challenge = self.session.challenge, b""
        if len(challenge) != CRYPTOGRAM:
            raise no_challenge(len(challenge), str(CRYPTOGRAM))
        return challenge


def no_challenge(length: int, wanted: str) -> StatusError:
    """6984: what there is of a challenge is not what a command needs."""
    text = "there is no challenge: none was asked for since SELECT, or it is used up"
    if length:
        text = "the challenge that was asked for has {length} bytes, {wanted} are needed"
    return StatusError(SW.REFERENCE_DATA_INVALID, text, length=length, wanted=wanted)


Handler = Callable[[Context, P, D], bytes | None]
Condition = Callable[[Context, P], Rule]
"""Who may: found out from the target of the command."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A form, its handler and its policy; what the path of an APDU asks is taken out of them."""

    form: CommandForm[Any, Any, Any]
    handler: Handler[Any, Any]
    access: Condition[Any] | None
    messaging: Protection
    life: int
    cla: int
    cases: tuple[bool, bool, bool, bool]
    """Whether cases 1 to 4 are allowed."""
    shortest: int
    longest: int
    parse: Callable[[bytes], Any] | None
    """None where the data is taken as it comes."""
    bare: bool
    """Whether it may come without secure messaging."""
    seen: dict[int, Any] = field(default_factory=dict, repr=False)
    """P1-P2 that have come before, and what they mean."""


class Opening(Protocol):
    """The chip's half of secure messaging, for one command."""

    def open(self, header: bytes, sent: bytes, *, enciphered: bool = False) -> bytes:
        """The data that was protected, or StatusError 6987 or 6988."""


class CommandTable:
    """The commands of an application. Tables are put together from tables."""

    def __init__(self, *parts: CommandTable) -> None:
        self.entries: dict[int, Entry] = {}
        for part in parts:
            for entry in part.entries.values():
                self._add(entry)

    def _add(self, entry: Entry) -> None:
        if entry.form.ins in self.entries:
            raise ValueError(f"two commands have INS {entry.form.ins:02X}")
        self.entries[entry.form.ins] = entry

    def on(
        self,
        form: CommandForm[P, D, Any],
        *,
        access: Condition[P] | None = None,
        messaging: Protection = Protection.NONE,
        life: Stage = IN_USE,
    ) -> Callable[[Handler[P, D]], Handler[P, D]]:
        """Bind a handler and its policy to a form."""

        def bind(handler: Handler[P, D]) -> Handler[P, D]:
            plain: tuple[Any, ...] = (RAW, NOTHING)
            self._add(
                Entry(
                    form,
                    handler,
                    access,
                    messaging,
                    int(life),
                    cla=form.cla,
                    cases=(1 in form.cases, 2 in form.cases, 3 in form.cases, 4 in form.cases),
                    shortest=form.lc.start,
                    longest=form.lc.stop - 1,
                    parse=None if form.data in plain else form.data.parse,
                    bare=messaging in (Protection.NONE, Protection.OPTIONAL),
                )
            )
            return handler

        return bind


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """An application in the chip's ROM: the DF name it answers to, and its commands.

    `messaging` finds the keys for a protected command, or raises StatusError; None: there is none.
    `scratch` is what `session.scratch` is when the application begins, and again whenever one of
    its DFs is entered: a frozen value.
    """

    label: str
    name: bytes
    commands: CommandTable
    messaging: Callable[[Context, CommandForm[Any, Any, Any]], Opening] | None = None
    scratch: Any = None
    fci: Callable[[Context, Directory], bytes] | None = None
    """What SELECT answers for its DF, or StatusError 6A82 where it is not to be found. None: the
    FCI that the DF was created with."""
    unprotected: SW = SW.MESSAGING_MISSING
    """What a command is answered that had to be protected and is not."""
    ended: SW = SW.PERMANENTLY_BLOCKED
    """What SELECT answers when its DF has ended."""
    personalisation: Application | None = None
    """What answers in its place until it is personalised; its DF is born in initialisation."""

# SPDX-License-Identifier: Apache-2.0
"""What the chip knows only while it has power: what is selected and what was proven."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

from apdu.atr import Interface
from apdu.flow import Incoming
from apdu.wire.perso import Life
from card_os.access import NOTHING_PROVEN, SecurityStatus, without_local
from card_os.files.records import ElementaryFile
from card_os.files.tree import Directory


class Stage(IntFlag):
    """Where chip and selected application stand in their lives: what commands there are."""

    INITIALISATION = 1
    """Being personalised: nothing is protected yet."""
    OPERATIONAL = 2
    BLOCKED = 4
    """In use, but the selected application is blocked."""
    TERMINATED = 8
    PERSONALISATION = 16
    """In use, but the selected application is still being personalised."""


IN_USE: Final = Stage.INITIALISATION | Stage.OPERATIONAL
INITIALISATION: Final = int(Stage.INITIALISATION)
TERMINATED: Final = int(Stage.TERMINATED)
"""As plain numbers, for the path of an APDU: arithmetic on flags is slow."""

_STAGES: Final = {Life.INITIALISATION: INITIALISATION, Life.TERMINATED: TERMINATED}


class Session:
    """The chip's volatile memory. A reset makes a new one."""

    __slots__ = (
        "challenge",
        "directory",
        "file",
        "incoming",
        "interface",
        "pending",
        "scratch",
        "stage",
        "status",
    )

    def __init__(self, directory: Directory, life: Life, interface: Interface) -> None:
        self.interface = interface
        self.pending = b""
        """What waits for GET RESPONSE."""
        self.incoming = Incoming()
        self.scratch: Any = None
        """What the selected application keeps between commands: a frozen value of its own."""
        self.select(directory, life)

    def select(self, directory: Directory, life: Life) -> None:
        """Begin with an application: all that was proven, and the challenge, are forgotten."""
        self.status: SecurityStatus = NOTHING_PROVEN
        self.challenge = b""
        self._enter(directory, life)

    def move(self, directory: Directory, life: Life) -> None:
        """Go to another DF of the same application: what belongs to the old DF is forgotten."""
        if directory is not self.directory:
            self.status = without_local(self.status)
        self._enter(directory, life)

    def _enter(self, directory: Directory, life: Life) -> None:
        self.directory = directory
        self.file: ElementaryFile | None = None
        if life is not Life.ACTIVATED:
            self.stage = _STAGES[life]
        elif directory.effective is Life.ACTIVATED:
            self.stage = int(Stage.OPERATIONAL)
        elif directory.effective is Life.INITIALISATION:
            self.stage = int(Stage.PERSONALISATION)
        else:
            self.stage = int(Stage.BLOCKED)

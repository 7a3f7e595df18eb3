# SPDX-License-Identifier: Apache-2.0
"""The chip: flash, world and ROM put together. Bytes in, bytes out, for any bytes."""

from __future__ import annotations

from typing import Final

from apdu.atr import Interface, Transmission, contact_atr, contactless_atr
from apdu.sw import SW
from card_os.apps.hrss import HRSS
from card_os.apps.pboc.application import DEBIT, PPSE, PSE
from card_os.apps.pki import CERTIFICATES, PKI
from card_os.apps.psam import PSAM, PSAM_ROOT
from card_os.apps.root import ROOT
from card_os.dispatch import Application, Context
from card_os.files.layout import Mark
from card_os.files.tree import Tree, format_flash, read_master
from card_os.gates import answer
from card_os.nvm import JOURNAL_SIZE, Flash, FlashFault, Nvm
from card_os.refusal import Gate, Noted, Refusal, Remark
from card_os.world import World

ROM: Final = (ROOT, HRSS, DEBIT, PSE, PPSE, PKI, CERTIFICATES)
"""The applications of a social security card; the first one is the MF's."""
PSAM_ROM: Final = (PSAM_ROOT, PSAM)
ROMS: Final = {Mark.CARD: ROM, Mark.PSAM: PSAM_ROM}
"""What each kind of chip has. Which kind a chip is, its master block says."""
FLASH_SIZE: Final = 65_536
_BROKE: Final = "a cell of the memory could not be written; the chip began anew"
_STILL_BROKEN: Final = "the memory cannot be brought to a whole state: a cell cannot be written"


class Chip:
    """A smart card chip under power.

    Raises MemoryDamaged when the flash holds something else than a chip's memory.
    """

    def __init__(self, rom: tuple[Application, ...], flash: Flash, world: World) -> None:
        self._rom = rom
        self._flash = flash
        self._world = world
        self._broken = False
        self._interface = Interface.CONTACT
        self._transmission = Transmission.T0
        self._start()

    @classmethod
    def manufacture(
        cls, flash: Flash, world: World, historical: bytes, mark: Mark = Mark.CARD
    ) -> Chip:
        """A new chip on a blank flash, ready to be personalised. `historical`: 13 ATR bytes."""
        format_flash(flash, historical, mark)
        return cls(ROMS[mark], flash, world)

    @classmethod
    def boot(cls, flash: Flash, world: World) -> Chip:
        """A chip with the ROM that its memory was made for."""
        nvm = Nvm(flash)
        nvm.recover()
        return cls(ROMS[read_master(nvm).mark], flash, world)

    def _start(self) -> None:
        nvm = Nvm(self._flash)
        nvm.recover()
        names = tuple(application.name for application in self._rom)
        unfinished = frozenset(each.name for each in self._rom if each.personalisation)
        tree = Tree(nvm, len(self._flash.cells), names, unfinished)
        self._ctx = Context(nvm, self._world, tree, self._rom, self._interface)
        historical = tree.master.historical
        if self._interface is Interface.CONTACTLESS:
            self._atr = contactless_atr(historical)
        else:
            self._atr = contact_atr(historical, self._transmission)

    def reset(
        self,
        interface: Interface = Interface.CONTACT,
        transmission: Transmission = Transmission.T0,
    ) -> bytes:
        """Cold or warm reset, or coming into a reader's field: everything volatile is gone.

        Returns the ATR; that of a contactless card is what a reader would make of it. Which
        `transmission` it offers in a slot changes the ATR alone: the chip answers by Le.
        """
        self._interface = interface
        self._transmission = transmission
        self._restart()
        self._ctx.noted = None
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Answer a C-APDU; whatever the bytes, the answer has two bytes or more."""
        if self._broken:
            self._restart()
        try:
            if not self._broken:
                return answer(self._ctx, command)
        except FlashFault:
            self._restart()
        self._ctx.noted = Noted(
            SW.MEMORY_FAILURE,
            _STILL_BROKEN if self._broken else _BROKE,
            {"gate": Gate.MEMORY},
            "",
            "",
            self._ctx.session.directory,
        )
        return SW.MEMORY_FAILURE.to_bytes(2)

    @property
    def refusal(self) -> Refusal | None:
        """Why the last command was answered with a status word that is a no, or a warning.

        None after one that was done, and after a reset. For whoever runs the chip: no answer
        says more because of it.
        """
        noted = self._ctx.noted
        return None if noted is None else noted.refusal()

    @property
    def remark(self) -> Remark | None:
        """What the last answer does not say of itself though it is a good one: why a payment was
        declined, or sent online."""
        noted = self._ctx.noted
        return None if noted is None else noted.remark()

    def _restart(self) -> None:
        """Drop what was proven and bring memory back to a whole state, or stay broken."""
        try:
            self._start()
            self._broken = False
        except FlashFault:
            self._broken = True

    def snapshot(self) -> bytes:
        """A digest (SHA-256) of the whole state of the memory, the journal's scratch left out."""
        from hashlib import sha256

        return sha256(self._flash.cells[JOURNAL_SIZE:]).digest()

# SPDX-License-Identifier: Apache-2.0
"""Slots of virtual readers, the cards in them, and how cards come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import RLock, Thread
from time import monotonic
from typing import Final

from apdu.atr import Interface
from card_os.files.layout import Mark
from card_os.image import Durability
from card_os.plug import Plug
from host.channel.recorder import Recorder
from host.cli.images import OpenImage
from host.cli.virtual.faults import SlotError
from host.cli.virtual.recordings import Recordings
from host.cli.virtual.seat import Manner, seated
from host.cli.virtual.watching import Board, Watcher

LEAVING: Final = 10.0
"""Seconds that a card may take to answer what it is at before it is out of its slot."""
UNNOTICED: Final = 1.0
"""Seconds that a slot stays empty between two cards. pcscd looks every 0.4 s; one that finds a card
each time keeps the ATR of the first for the second (profile choice `slot-stays-empty`)."""
HIGHEST_PORT: Final = 0xFFFF


class Seated:
    """A card in a slot, under way between two threads: its own and whoever takes it out."""

    def __init__(
        self,
        opened: OpenImage,
        address: tuple[str, int],
        manner: Manner,
        watcher: Watcher,
        recorder: Recorder | None,
    ) -> None:
        self.opened = opened
        self.watcher = watcher
        self._over = Flag()
        self.atr = opened.chip.reset(manner.interface, manner.transmission)
        card = seated(opened.chip, manner, watcher, recorder, self._over)
        self.plug = Plug(card, address, watcher)
        self._thread = Thread(target=self.plug.run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        """Begin to go; `take_out` waits until it has gone."""
        self._over.set()
        self.plug.stop()

    def take_out(self) -> None:
        """Raises SlotError for a card that does not come out; its image stays open."""
        self.leave()
        self._thread.join(LEAVING)
        if self._thread.is_alive():
            raise SlotError(f"the card is still at a command after {LEAVING:g} s")
        self.opened.close()


class Slots:
    """Slots by their numbers, from 1. May be used from any thread."""

    def __init__(
        self,
        host: str,
        port: int,
        manner: Manner,
        durability: Durability,
        board: Board,
        recordings: Recordings,
    ) -> None:
        """`port`: of slot 1."""
        self._host, self._port = host, port
        self._manner, self._durability = manner, durability
        self._board, self._recordings = board, recordings
        self._slots: dict[int, Seated] = {}
        self._last: dict[int, Path] = {}
        self._emptied: dict[int, float] = {}
        """When cards left."""
        self._lock = RLock()
        self._closed = False
        self._closing = Flag()

    def address(self, slot: int) -> tuple[str, int]:
        """Raises SlotError for a slot that there cannot be."""
        port = self._port + slot - 1
        if slot < 1 or port > HIGHEST_PORT:
            last = HIGHEST_PORT - self._port + 1
            raise SlotError(f"slot {slot}: slots are numbered from 1 to {last}")
        return self._host, port

    def open(self, path: Path, mark: Mark | None = None) -> OpenImage:
        """A card before it is put in. `mark`: of which kind it has to be.

        Raises ImageError, SlotError.
        """
        with self._lock:
            for slot, seated in self._slots.items():
                if path.exists() and path.samefile(seated.opened.path):
                    raise SlotError(f"{path} is in slot {slot} already")
        opened = OpenImage.at(path, self._durability)
        if mark is not None and opened.mark is not mark:
            opened.close()
            hint = "is a PSAM: give it with --psam" if mark is Mark.CARD else "is no PSAM"
            raise SlotError(f"{path} {hint}")
        return opened

    def fill(self, images: Iterable[tuple[Path, Mark]], ready: Callable[[], None]) -> None:
        """Cards of these kinds into the slots from 1 on, when all can be used; `ready` is called
        before the first one goes in. Raises ImageError, SlotError."""
        with ExitStack() as stack:
            opened = []
            for path, mark in images:
                opened.append(self.open(path, mark))
                stack.callback(opened[-1].close)
            ready()
            stack.pop_all()
        for slot, each in enumerate(opened, start=1):
            self.put(slot, each)

    def put(self, slot: int, opened: OpenImage) -> Seated:
        """Into a slot that has been empty for a while. Raises SlotError; the card is closed again
        then."""
        try:
            with self._lock:
                if slot in self._emptied:
                    self._closing.wait(self._emptied[slot] + UNNOTICED - monotonic())
                if slot in self._slots:
                    path = self._slots[slot].opened.path
                    raise SlotError(f"slot {slot} has a card: {path}")
                if self._closed:
                    raise SlotError("all cards are being taken out")
                address = self.address(slot)
                seated = self._seat(slot, opened, address)
                self._slots[slot], self._last[slot] = seated, opened.path
        except BaseException:
            opened.close()
            raise
        seated.watcher.inserted(seated.atr, address)
        seated.start()
        return seated

    def _seat(self, slot: int, opened: OpenImage, address: tuple[str, int]) -> Seated:
        psam = opened.mark is Mark.PSAM
        manner = replace(self._manner, interface=Interface.CONTACT) if psam else self._manner
        watcher = Watcher(self._board, slot, opened.path, opened.chip, psam=psam)
        return Seated(opened, address, manner, watcher, self._recordings.of(slot))

    def insert(self, slot: int, path: Path | None) -> Path:
        """A card from its image, or without one the card that was in this slot last."""
        with self._lock:
            self.address(slot)
            if path is None and slot in self._slots:
                self._slots[slot].plug.insert()  # one that left by itself
                return self._slots[slot].opened.path
            path = path or self._last.get(slot)
            if path is None:
                raise SlotError(f"slot {slot} has had no card: name an image")
            if slot in self._slots:
                raise SlotError(f"slot {slot} has a card: {self._slots[slot].opened.path}")
            self.put(slot, self.open(path))
            return path

    def remove(self, slot: int) -> Path:
        """The card leaves its reader; its image is closed, and free for others."""
        with self._lock:
            seated = self._seated(slot)
            seated.take_out()
            del self._slots[slot]
            self._emptied[slot] = monotonic()
            seated.watcher.removed()
            return seated.opened.path

    def swap(self, slot: int, path: Path) -> Path:
        """Another card; when it cannot be used, the old one stays."""
        with self._lock:
            self._seated(slot)
            opened = self.open(path)
            try:
                self.remove(slot)
            except BaseException:
                opened.close()
                raise
            self.put(slot, opened)
            return path

    def _seated(self, slot: int) -> Seated:
        self.address(slot)
        if slot not in self._slots:
            raise SlotError(f"slot {slot} has no card")
        return self._slots[slot]

    def listed(self) -> Iterator[tuple[int, tuple[str, int], Seated]]:
        """The cards with their slots and addresses."""
        with self._lock:
            here = sorted(self._slots.items())
        for slot, card in here:
            yield slot, self.address(slot), card

    def close(self) -> None:
        """All cards out. Raises SlotError when one does not come out, after the others did."""
        self._closing.set()
        with self._lock:
            self._closed = True
            for seated in self._slots.values():
                seated.leave()
            stuck = None
            for slot in list(self._slots):
                try:
                    self.remove(slot)
                except SlotError as error:
                    stuck = error
            if stuck is not None:
                raise stuck

# SPDX-License-Identifier: Apache-2.0
"""`sscard trace replay --as-card`: a recording in a virtual reader, in place of its card."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import Final

from apdu.recording import Recording
from card_os.plug import Answered, Event, Plug, Pulled, Silent, What
from host.channel.replay import ReplayCard, Strayed
from host.cli.virtual.running import signalled
from host.faults import CardFault, CardMute

AWAY: Final = 1.0
"""Seconds until a card is back whose removal was recorded."""
_NO_MORE_POWER: Final = (What.OFF, What.RESET, What.LOST)


class Actor:
    """Answers a reader as the recording says, until all of it was said or the reader strays."""

    def __init__(self, recording: Recording, slot: str, address: tuple[str, int]) -> None:
        self._card = ReplayCard(recording, slot=slot, resets_at_will=True)
        self.plug = Plug(self, address, self._told)
        self.strayed: Strayed | None = None
        """What the reader sent instead."""
        self.ended: SimpleQueue[None] = SimpleQueue()

    def reset(self) -> bytes:
        return self._card.reset()

    def transmit(self, command: bytes) -> bytes:
        try:
            return self._card.transmit(command)
        except Strayed as strayed:
            self.strayed = strayed
            self.ended.put(None)
            raise Pulled from None  # no answer would be a true one
        except CardMute:
            raise Silent from None
        except CardFault:
            raise Pulled(AWAY) from None

    def left(self) -> Strayed | None:
        """What of the recording was not asked for."""
        try:
            self._card.finish()
        except Strayed as strayed:
            return strayed
        return None

    def _told(self, event: Event | Answered) -> None:
        """When all was said, the card goes as soon as it is not used any more."""
        if isinstance(event, Event) and event.what in _NO_MORE_POWER and self.left() is None:
            self.ended.put(None)


def act(recording: Recording, slot: str, address: tuple[str, int]) -> Strayed | None:
    """Be the card until a reader has asked for everything, in order, and powers it off; or until it
    strays, or a signal ends it. What was not as it was recorded; None: all was."""
    actor = Actor(recording, slot, address)
    with signalled(lambda: actor.ended.put(None)):
        thread = Thread(target=actor.plug.run, daemon=True)
        thread.start()
        try:
            actor.ended.get()
        finally:
            actor.plug.stop()
            thread.join()
    return actor.strayed or actor.left()

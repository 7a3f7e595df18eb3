# SPDX-License-Identifier: Apache-2.0
"""`sscard trace replay --as-card`: a recording in a virtual reader, in place of its card."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import Final

from apdu.command import SHORT_NE
from apdu.flow import deliver
from apdu.recording import Recording
from card_os.plug import Answered, Event, Plug, Pulled, Silent, What
from host.channel.replay import ReplayCard, Strayed
from host.cli.virtual.running import signalled
from host.faults import CardFault, CardMute

AWAY: Final = 1.0
"""Seconds until a card is back whose removal was recorded."""
_GET_RESPONSE: Final = b"\xc0\0\0"
"""INS and P1-P2."""
_DONE: Final = b"\x90\x00"
_NO_MORE_POWER: Final = (What.OFF, What.RESET, What.LOST)


class Actor:
    """Answers a reader as the recording says, until all of it was said or the reader strays."""

    def __init__(self, recording: Recording, slot: str, address: tuple[str, int]) -> None:
        self._card = ReplayCard(recording, slot=slot, resets_at_will=True)
        self.plug = Plug(self, address, self._told)
        self.strayed: Strayed | None = None
        """What the reader sent instead."""
        self.ended: SimpleQueue[None] = SimpleQueue()
        self._waiting = b""
        """What GET RESPONSE fetches of an answer that was recorded whole."""

    def reset(self) -> bytes:
        self._waiting = b""
        return self._card.reset()

    def transmit(self, command: bytes) -> bytes:
        """As recorded. Where the program leaves Le out, as over T=0, and the recording has it, the
        answer waits behind 61xx as a card's would."""
        waiting, self._waiting = self._waiting, b""
        if waiting and len(command) == 5 and command[1:4] == _GET_RESPONSE:
            answer, self._waiting = deliver(waiting, command[4] or SHORT_NE, exact=False)
            return answer
        whole = self._card.with_le(command)
        answer = self._transmit(whole)
        if whole == command or answer[-2:] != _DONE or len(answer) == len(_DONE):
            return answer
        answer, self._waiting = deliver(answer[:-2], 0, exact=False)
        return answer

    def _transmit(self, command: bytes) -> bytes:
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

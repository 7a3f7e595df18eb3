# SPDX-License-Identifier: Apache-2.0
"""What stands between the chip of a slot and its reader: `seated` puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final

from apdu.atr import Interface, Transmission
from card_os.chip import Chip
from card_os.plug import Powered, Pulled
from host.channel import SHORTEST, Channel
from host.channel.chaos import ChaosChannel
from host.channel.chaos_profile import Profile
from host.channel.memory import MemoryChannel
from host.channel.recorder import Recorder
from host.channel.trace import RecordingChannel
from host.cli.virtual.watching import Watcher
from host.faults import CardFault, CardMute

AWAY: Final = 1.0
"""Seconds that a card stays out of its reader when a layer has pulled it."""
SILENCE: Final = 15.0
"""Seconds that a mute card is left in its reader. A reader waits for ever, and all programs with
it; this is longer than the deadlines of our own host."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How cards are put in, and what happens to them there."""

    interface: Interface = Interface.CONTACT
    transmission: Transmission = Transmission.T0
    chaos: Profile | None = None
    """Faults on purpose."""
    seed: int = 0
    """Of them."""


class Seat:
    """A chip that is always reset in the same way."""

    def __init__(self, chip: Chip, interface: Interface, transmission: Transmission) -> None:
        self._chip = chip
        self._how = interface, transmission
        self.transmit = chip.transmit

    def reset(self, _: Interface = Interface.CONTACT) -> bytes:
        return self._chip.reset(*self._how)


class Layered:
    """A card behind channels that do something with what passes through them.

    `over` ends the waiting for it. What a channel cannot bring across, the card cannot either: it
    is mute for a while, or leaves.
    """

    def __init__(self, seat: Seat, channel: Channel, over: Event) -> None:
        self._seat = seat
        self._channel = channel
        self._over = over

    def reset(self) -> bytes:
        return self._channel.reset()

    def transmit(self, command: bytes) -> bytes:
        if len(command) < SHORTEST:  # which no channel carries
            return self._seat.transmit(command)
        try:
            return self._channel.transmit(command)
        except CardMute:
            self._over.wait(SILENCE)
            raise Pulled(AWAY) from None
        except CardFault:
            raise Pulled(AWAY) from None


def seated(
    chip: Chip, manner: Manner, watcher: Watcher, recorder: Recorder | None, over: Event
) -> Powered:
    """The card for a slot: a chip, and the layers that are wanted, the outermost last. This is the
    one place for them. `over` is set when the card is taken out."""
    seat = Seat(chip, manner.interface, manner.transmission)
    channel: Channel = MemoryChannel(seat, manner.interface)
    bare = channel
    if manner.chaos is not None:
        channel = ChaosChannel(
            channel, manner.chaos, manner.seed, told=watcher.struck, sleep=_until(over)
        )
    if recorder is not None:
        channel = recorder.around(channel, watcher.why)
    if watcher.curious:
        channel = RecordingChannel(channel, watcher.passed)
    return seat if channel is bare else Layered(seat, channel, over)


def _until(over: Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        over.wait(seconds)

    return wait

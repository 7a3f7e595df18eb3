# SPDX-License-Identifier: Apache-2.0
"""The recorded journeys again, with every function called over the WebSocket of the service.

The holder's PINs are asked for on it, too. What passes at the slots must be, byte for byte, what
was recorded with the driver in memory.
"""

from __future__ import annotations

from journeybench import Recorder
from journeyfiles import every_journey, recorded, written
from journeys import Journey
from journeyservice import OverWebSocket
from servicebench import in_a_loop


@every_journey
@in_a_loop
async def test_a_journey_is_the_same_over_the_service(journey: Journey, generation: str) -> None:
    wire = Recorder(generation)
    await OverWebSocket(wire, generation).through(journey.play)
    assert recorded(journey, generation) == written(journey, generation, wire.entries)

# SPDX-License-Identifier: Apache-2.0
"""`sscard serve --record FILE`: what passes in each slot, in a file of its own."""

from __future__ import annotations

from pathlib import Path

from apdu.errors import FormatError
from host.channel.recorder import Recorder
from host.cli.virtual.faults import SlotError


class Recordings:
    """New files: FILE for slot 1, FILE.2 for slot 2, and so on, whatever cards come and go."""

    def __init__(self, path: Path | None, *, with_secrets: bool = False) -> None:
        self._path, self._with_secrets = path, with_secrets
        self._recorders: dict[int, Recorder] = {}

    def of(self, slot: int) -> Recorder | None:
        """None when nothing is recorded. Raises SlotError for a file that cannot be made."""
        if self._path is None:
            return None
        if slot not in self._recorders:
            path = self._path if slot == 1 else self._path.with_name(f"{self._path.name}.{slot}")
            try:
                self._recorders[slot] = Recorder(path, with_secrets=self._with_secrets)
            except FormatError as error:
                raise SlotError(f"--record {path}: {error}") from None
            except OSError as error:
                raise SlotError(f"--record {path}: {error.strerror or error}") from None
        return self._recorders[slot]

    def close(self) -> list[str]:
        """End them; what went wrong with each, in sentences."""
        failed = []
        for slot, recorder in self._recorders.items():
            recorder.close()
            if recorder.failure is not None:
                why = recorder.failure.strerror or str(recorder.failure)
                failed.append(f"the recording of slot {slot} broke off: {why}")
        return failed

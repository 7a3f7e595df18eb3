# SPDX-License-Identifier: Apache-2.0
"""Why an image refuses, kept for whoever asks afterwards."""

from __future__ import annotations

from host.cli.explaining import Explaining, as_json


class Reasons(Explaining):
    """Says nothing by itself: the shell shows the reason under the answer, and again for `why`."""

    def say(self) -> None:
        """Not here."""

    def forget(self) -> None:
        """Nothing was refused since."""
        self._waiting = None

    def as_json(self) -> dict[str, object] | None:
        """As an object, which `why` shows again; None: nothing waits."""
        return None if self._waiting is None else as_json(self._waiting[1])

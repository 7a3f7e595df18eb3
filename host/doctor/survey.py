# SPDX-License-Identifier: Apache-2.0
"""What PC/SC says of its readers: who has which card, without connecting to any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from host.doctor.machine import Machine

if TYPE_CHECKING:
    from host.channel.pcsc.watch import Reader

VIRTUAL: Final = "Virtual PCD"
"""FRIENDLYNAME of vpcd's readers as it is delivered."""
_DENIED: Final = "SCARD_W_SECURITY_VIOLATION"
_ELSEWHERE: Final = "see "
"""How a trouble begins that another check names."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The readers, or why they are not known."""

    readers: tuple[Reader, ...] = ()
    trouble: str = ""
    """Why there was no answer, empty if there was."""
    import_error: str = ""
    """What pyscard said when it did not load."""
    denied: bool = False
    """Whether the trouble is that PC/SC turned this user away."""

    @property
    def answered(self) -> bool:
        return not self.trouble

    @property
    def own_trouble(self) -> bool:
        """Whether no other check names the trouble."""
        return not self.trouble.startswith(_ELSEWHERE) and not self.answered

    @property
    def physical(self) -> tuple[Reader, ...]:
        """The readers that are not vpcd's."""
        return tuple(each for each in self.readers if not each.name.startswith(VIRTUAL))

    @classmethod
    def left_to(cls, check: str) -> Survey:
        """None was made, because of what that check names."""
        return cls(trouble=f"{_ELSEWHERE}{check}")


def ask(machine: Machine) -> Survey:
    """Ask PC/SC for its readers and their state, through pyscard."""
    from host.channel.pcsc import PcscUnavailable
    from host.channel.pcsc.watch import states
    from host.faults import CardFault

    try:
        return Survey(states(deadline=machine.deadline))
    except PcscUnavailable as error:
        return Survey(trouble=f"{_ELSEWHERE}pyscard", import_error=str(error.__cause__ or error))
    except CardFault as error:
        if _DENIED in str(error):
            return Survey(trouble=f"{_ELSEWHERE}access", denied=True)
        return Survey(trouble=str(error))

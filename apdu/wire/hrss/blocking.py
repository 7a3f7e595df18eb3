# SPDX-License-Identifier: Apache-2.0
"""Which directories APPLICATION BLOCK (应用锁定) is for, and the key that protects it in each."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss.keys import KeySpec
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.perso import KeyUsage

BLOCKABLE: Final = range(0xDF03, 0xDF08)
"""FIDs of the directories that can be blocked: DF03 to DF07, as one vendor's driver tells its user
(profile choice `block-scope`). SSSE, where PIN and masters of all the others are, is not one."""


def block_key(directory: DfSpec) -> KeySpec:
    """The key of APPLICATION BLOCK and UNBLOCK in a directory: its LK, where it has one, else its
    own STK (profile choice `block-key`).

    Raises FormatError for a directory that cannot be blocked.
    """
    if directory.fid in BLOCKABLE:
        for usage in (KeyUsage.LOCK, KeyUsage.MESSAGING):
            for spec in directory.keys:
                if spec.usage is usage:
                    return spec
    raise FormatError(f"{directory.label}: cannot be blocked, only DF03 to DF07 can")

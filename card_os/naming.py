# SPDX-License-Identifier: Apache-2.0
"""What people call the keys, PINs and files of a chip: for reasons, never for answers.

The tables of the applications are looked into only when somebody asks.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from apdu.wire.hrss.application import MF_FID
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.perso import FileHeader, KeyUsage

LOCAL = 0x80
_EF = 0xEF
_PROVEN = (KeyUsage.EXTERNAL_AUTHENTICATE, KeyUsage.MASTER)
"""What a key is for that can be proven: what an access condition means by a KID."""


class Named(Protocol):
    """A directory, as far as its name goes."""

    header: FileHeader

    @property
    def root(self) -> Named:
        """The DF at the top of its application."""


def key_name(directory: Named, kid: int, usage: int | None = None) -> str:
    """A key as the table of its directory calls it, with its KID."""
    holder = directory if kid & LOCAL else directory.root
    usages = _PROVEN if usage is None else (usage,)
    table = _directories().get(holder.header.name)
    for known in table.keys if table else ():
        if known.kid == kid and known.usage in usages:
            return f"key {known.name} (KID {kid:02X})"
    return f"key {kid:02X}"


def pin_name(reference: int) -> str:
    return f"PIN {reference:02X}"


def file_name(fid: int) -> str:
    """An elementary file: EF05, or by its FID where that is not made of its SFI."""
    return f"EF{fid & 0xFF:02X}" if fid >> 8 == _EF else f"file {fid:04X}"


def place_name(directory: Named) -> str:
    """A directory as its application calls it."""
    name, fid = directory.header.name, directory.header.fid
    if fid == MF_FID:
        return "the MF"
    known = _directories().get(name)
    return known.label if known else f"DF {fid:04X}"


def usage_name(usage: int) -> str:
    """What a key is for."""
    try:
        return KeyUsage(usage).name.lower().replace("_", " ")
    except ValueError:
        return f"usage {usage:02X}"


@cache
def _directories() -> dict[bytes, DfSpec]:
    """Every directory that is known, by its name; of one in several generations the last."""
    from apdu.wire.hrss.generations import GENERATIONS
    from apdu.wire.pboc.application import (
        CHANNEL_KEYS,
        DEBIT_AID,
        DEBIT_FID,
        PAYMENT_KEYS,
        PPSE_FID,
        PPSE_NAME,
        PSE_FID,
        PSE_NAME,
    )
    from apdu.wire.pki import CERTIFICATES_FID, CERTIFICATES_NAME, MASTER, PKI_FID, PKI_NAME
    from apdu.wire.psam import PSAM, PSAM_AID

    found = {
        each.name: each for generation in GENERATIONS.values() for each in generation.directories
    }
    for fid, name, label, keys in (
        (PKI_FID, PKI_NAME, "PKI", (MASTER,)),
        (CERTIFICATES_FID, CERTIFICATES_NAME, "SS.CERT.ADF1", (MASTER,)),
        (DEBIT_FID, DEBIT_AID, "the bank's application", (*PAYMENT_KEYS, *CHANNEL_KEYS)),
        (PSE_FID, PSE_NAME, "PSE", ()),
        (PPSE_FID, PPSE_NAME, "PPSE", ()),
        (PSAM.fid, PSAM_AID, "PSAM", ()),
    ):
        found[name] = DfSpec(fid, name, label, "", keys=keys)
    return found

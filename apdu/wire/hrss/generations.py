# SPDX-License-Identifier: Apache-2.0
"""The three generations of the card (卡规范 1.0, 2.0, 3.0): three sets of data for one code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss import df01, df02, df03, df04, df05, df07, first, ssse
from apdu.wire.hrss.application import MEDICAL_NAME, RID, SSSE_FID, SSSE_NAME
from apdu.wire.hrss.keys import (
    DF01_KEYS,
    DF02_KEYS,
    DF03_KEYS,
    DF04_KEYS,
    DF05_KEYS,
    DF06_KEYS,
    DF07_KEYS,
    SSSE_KEYS,
)
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.perso import Algorithm


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation: what EF05 says of it, its algorithm, and its directories, SSSE first and then
    those below it in the order in which they are created."""

    name: str
    version: str
    """规范版本, record 3 of EF05."""
    algorithm: Algorithm
    directories: tuple[DfSpec, ...]

    def directory(self, label: str) -> DfSpec:
        """SSSE or DF01 to DF07. KeyError when there is none such."""
        for each in self.directories:
            if each.label == label:
                return each
        raise KeyError(f"there is no {label}")

    def file(self, label: str, sfi: int) -> EfSpec:
        """A file of a directory. KeyError when there is none such."""
        return self.directory(label).file(sfi)


_SFI_OF_DIR = bytes.fromhex("88011E")
_FCI_3 = _SFI_OF_DIR + bytes.fromhex("9F0C03030300")
"""Profile choice `fci-3`: algorithm (03: SM4) and version behind what 2.0 has; 30 bytes of FCI."""

SECOND: Final = Generation(
    "2.0",
    "2.00",
    Algorithm.TDES,
    (
        DfSpec(SSSE_FID, SSSE_NAME, "SSSE", "社会保障环境", ssse.FILES, SSSE_KEYS, _SFI_OF_DIR),
        DfSpec(0xDF01, RID + b"\x00", "DF01", "公共应用信息区", df01.FILES, DF01_KEYS),
        DfSpec(0xDF02, RID + b"\x01", "DF02", "就业与失业信息区", df02.FILES, DF02_KEYS),
        DfSpec(0xDF03, RID + b"\x02", "DF03", "社会保险信息区一", df03.FILES, DF03_KEYS),
        DfSpec(0xDF04, MEDICAL_NAME, "DF04", "社会保险信息区二（医疗）", df04.FILES, DF04_KEYS),
        DfSpec(0xDF05, RID + b"\x05", "DF05", "扩展应用区一", df05.DF05_FILES, DF05_KEYS),
        DfSpec(0xDF06, RID + b"\x06", "DF06", "扩展应用区二", df05.DF06_FILES, DF06_KEYS),
        DfSpec(0xDF07, RID + b"\x04", "DF07", "人事人才信息区", df07.FILES, DF07_KEYS),
    ),
)
_FIRST_FILES = {
    "SSSE": first.SSSE_FILES,
    "DF01": first.DF01_FILES,
    "DF02": first.DF02_FILES,
    "DF03": first.DF03_FILES,
    "DF04": first.DF04_FILES,
}
FIRST: Final = Generation(
    "1.0",
    "1.0",
    Algorithm.TDES,
    tuple(
        replace(each, files=_FIRST_FILES.get(each.label, each.files)) for each in SECOND.directories
    ),
)
THIRD: Final = Generation(
    "3.0",
    "3.00",
    Algorithm.SM4,
    (
        replace(SECOND.directories[0], files=ssse.GUARDED_FILES, proprietary=_FCI_3),
        *SECOND.directories[1:],
    ),
)
GENERATIONS: Final = {each.name: each for each in (FIRST, SECOND, THIRD)}

DIRECTORIES: Final = SECOND.directories
"""Those of the generation that is issued unless another is asked for."""
SSSE: Final = DIRECTORIES[0]
DF01: Final = DIRECTORIES[1]
DF04: Final = DIRECTORIES[4]


def generation_of(version: str) -> Generation:
    """The generation that record 3 of EF05 names, as drivers take it: by its first digit.

    Raises FormatError for a version that is none of them.
    """
    for each in GENERATIONS.values():
        if version[:1] == each.name[:1]:
            return each
    raise FormatError("specification version: must begin with 1, 2 or 3")

# SPDX-License-Identifier: Apache-2.0
"""DF05 and DF06, the extension areas (扩展应用区): keys are known, contents are local."""

from __future__ import annotations

from typing import Final

from apdu.wire.access import ALWAYS
from apdu.wire.hrss.application import by_key
from apdu.wire.hrss.spec import transparent_file

EXTENSION: Final = 0x128
"""Bytes of a file; as the reserved files of DF01, for no source has them."""
DF05_FILES: Final = (
    transparent_file(0xEF05, "扩展信息", "extension", EXTENSION, ALWAYS, by_key("UK1DF05")),
)
DF06_FILES: Final = (
    transparent_file(
        0xEF05, "扩展信息1", "extension", EXTENSION, by_key("RK1DF06"), by_key("UK1DF06")
    ),
    transparent_file(
        0xEF06, "扩展信息2", "extension", EXTENSION, by_key("RK1DF06"), by_key("UK2DF06")
    ),
)

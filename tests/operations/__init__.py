# SPDX-License-Identifier: Apache-2.0
"""The operations of the cryptographic core as the books name them, one module a family.

An operation has the name of what it runs, below `apdu.crypto`: `derive.udk`, `suite.BlockKey.mac`.
It takes what a case has `given`, as written there, and returns what the case calls `expected`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Operation = Callable[..., dict[str, Any]]

OPERATIONS: dict[str, Operation] = {}


def upper(value: bytes) -> str:
    """Bytes as the books write them."""
    return value.hex().upper()


for _path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    _family = import_module(f"{__name__}.{_path.stem}")
    assert not OPERATIONS.keys() & _family.OPERATIONS.keys(), _path
    OPERATIONS |= _family.OPERATIONS

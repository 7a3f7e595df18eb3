# SPDX-License-Identifier: Apache-2.0
"""How many steps of the interpreter a call takes: a stop-watch without its noise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from apdu.errors import FormatError, StatusError

REFUSALS = (FormatError, StatusError)


def steps_of(call: Callable[..., Any], *given: Any) -> tuple[int, Any]:
    """The bytecodes that were executed in Python functions, and what came of it.

    A refusal is an outcome as well: its text, or its status word.
    """
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "call":
            frame.f_trace_lines = False
            frame.f_trace = trace  # before the next line: Python 3.13 asks for this order
            frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    # Python 3.12 looks whether anybody wants opcodes only when the trace function is set.
    sys._getframe().f_trace_opcodes = True
    before, collecting = sys.gettrace(), gc.isenabled()
    gc.disable()
    try:
        sys.settrace(trace)
        try:
            outcome = call(*given)
        except REFUSALS as refused:
            outcome = f"{type(refused).__name__}: {refused}"
        finally:
            sys.settrace(before)
    finally:
        if collecting:
            gc.enable()
    return count, outcome


def early_exit(left: bytes, right: bytes) -> bool:
    """A comparison as it must not be: done with the first difference."""
    for one, other in zip(left, right, strict=False):
        if one != other:
            return False
    return len(left) == len(right)

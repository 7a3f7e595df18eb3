# SPDX-License-Identifier: Apache-2.0
"""How many steps of the interpreter a call takes: a stop-watch without its noise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from apdu.errors import FormatError, StatusError

REFUSALS = (FormatError, StatusError)

Attempt = Callable[[], bytes]
"""Brings the card to where it stood, and says the command that is sent next."""


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


def differing(right: bytes) -> Iterator[bytes]:
    """As long as `right`: each differs first at another bit, and from there on or there alone."""
    for bit in range(8 * len(right)):
        for mask in (1 << bit, (1 << bit + 1) - 1):
            yield (int.from_bytes(right) ^ mask).to_bytes(len(right))


def seen(transmit: Callable[[bytes], bytes], attempts: Iterable[Attempt]) -> set[tuple[int, bytes]]:
    """Steps and answers. The first attempt is made twice: the first time fills what is kept."""
    attempts = list(attempts)
    found = [steps_of(transmit, attempt()) for attempt in [attempts[0], *attempts]]
    return set(found[1:])


def alike(transmit: Callable[[bytes], bytes], attempts: Iterable[Attempt], answer: bytes) -> int:
    """All attempts get this answer after the same number of steps, which is returned."""
    ((steps, given),) = seen(transmit, attempts)
    assert answer == given
    return steps

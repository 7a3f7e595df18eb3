# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with slots."""

from __future__ import annotations


class SlotError(Exception):
    """What was asked of a slot cannot be done: a sentence."""

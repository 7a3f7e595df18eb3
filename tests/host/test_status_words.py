# SPDX-License-Identifier: Apache-2.0
"""What an answer ends with: a status word, or data whose end is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymentdesk import Playback

from apdu.trace import Exchange
from apdu.wire.hrss.commands import APPLICATION_UNBLOCK
from host.card import Card
from host.faults import CardMisspoke, CardRefused

UNBLOCK = bytes.fromhex("80180000")


def answered(sw: int) -> Card:
    """A card that answers with this, and nothing else."""
    return Card(Playback([Exchange.of(UNBLOCK, sw.to_bytes(2))]))


@given(st.integers(0, 0xFFFF).filter(lambda sw: sw >> 12 not in (6, 9)))
def test_an_answer_without_its_status_word_says_nothing_of_what_was_done(sw: int) -> None:
    with pytest.raises(CardMisspoke, match=f"{sw:04X} is no status word"):
        answered(sw).send(APPLICATION_UNBLOCK, None, None)


@given(st.sampled_from([0x6400, 0x6581, 0x6700, 0x6985, 0x6D00, 0x6F00, 0x9300, 0x9404, 0x9FFF]))
def test_a_refusal_is_a_status_word(sw: int) -> None:
    with pytest.raises(CardRefused) as refused:
        answered(sw).send(APPLICATION_UNBLOCK, None, None)
    assert sw == refused.value.sw

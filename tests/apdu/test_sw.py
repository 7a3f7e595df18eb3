# SPDX-License-Identifier: Apache-2.0
"""Status words: families with a number in them, and a sentence for each of the 65536."""

from __future__ import annotations

import pytest

from apdu.errors import StatusError
from apdu.sw import SW, remaining, right_length, sentence, tries_left

ALL = range(0x10000)


def test_every_status_word_has_a_sentence() -> None:
    assert all(sentence(sw) for sw in ALL)


def test_each_name_has_a_sentence_of_its_own() -> None:
    names = [sw for sw in SW if sw not in (SW.BYTES_REMAINING, SW.WRONG_LE)]
    assert len(names) == len({sentence(sw) for sw in names})
    generic = {sentence(sw << 8 | 0x7F) for sw in range(0x62, 0x6B)} | {sentence(0xFFFF)}
    assert not generic & {sentence(sw) for sw in names}


def test_no_status_word_has_two_names() -> None:
    assert len(SW.__members__) == len(set(SW))


def test_a_number_is_read_from_its_own_family_alone() -> None:
    for sw in ALL:
        low = sw & 0xFF
        assert (low or 256 if sw >> 8 == 0x61 else None) == remaining(sw)
        assert (low or 256 if sw >> 8 == 0x6C else None) == right_length(sw)
        assert (sw - 0x63C0 if 0x63C0 <= sw <= 0x63CF else None) == tries_left(sw)


@pytest.mark.parametrize(
    ("sw", "says"),
    [
        (0x9000, "done"),
        (0x6100, "256 more bytes wait for GET RESPONSE"),
        (0x6105, "5 more bytes wait for GET RESPONSE"),
        (0x6C00, "wrong Le, 256 would be right"),
        (0x6C10, "wrong Le, 16 would be right"),
        (0x63C0, "wrong; 0 tries left"),
        (0x63C1, "wrong; 1 try left"),
        (0x63C2, "wrong; 2 tries left"),
        (0x6299, "a warning, memory unchanged"),
        (0x1234, "a status word without a known meaning"),
    ],
)
def test_a_sentence_says_the_number(sw: int, says: str) -> None:
    assert says == sentence(sw)


def test_a_refusal_carries_its_status_word_and_data() -> None:
    refused = StatusError(SW.END_OF_FILE, "", b"\x01")
    assert ("6282", 0x6282, b"\x01") == (str(refused), refused.sw, refused.data)

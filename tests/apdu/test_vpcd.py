# SPDX-License-Identifier: Apache-2.0
"""Frames of the virtual reader protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.errors import FormatError
from apdu.vpcd import LONGEST, Frames, frame
from apdu.wire.vpcd import Frame

bodies = st.lists(st.binary(max_size=300), max_size=8)


@given(st.binary(max_size=2000))
def test_a_frame_is_built_as_it_is_declared(body: bytes) -> None:
    assert bytes(Frame(body)) == frame(body)


@given(bodies, st.data())
def test_frames_are_found_wherever_the_stream_is_cut(
    sent: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(frame, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    frames = Frames()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += frames.feed(stream[start:end])
    assert sent == found
    assert not frames.broken_off


@given(bodies, st.binary(min_size=1, max_size=50), st.data())
def test_what_broke_off_is_known(sent: list[bytes], last: bytes, data: st.DataObject) -> None:
    whole = frame(last)
    frames = Frames()
    cut = data.draw(st.integers(1, len(whole) - 1))
    assert sent == list(frames.feed(b"".join(map(frame, sent)) + whole[:cut]))
    assert frames.broken_off
    assert [last] == list(frames.feed(whole[cut:]))


def test_a_body_that_the_length_cannot_say_is_refused() -> None:
    assert LONGEST + 2 == len(frame(bytes(LONGEST)))
    with pytest.raises(FormatError, match="65536 bytes, 65535 at most"):
        frame(bytes(LONGEST + 1))

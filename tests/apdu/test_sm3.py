# SPDX-License-Identifier: Apache-2.0
"""SM3: a beginning that is kept, and keys derived."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import sm3


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_any_number_of_messages_go_on_from_one_beginning(
    head: bytes, one: bytes, other: bytes
) -> None:
    beginning = sm3.Beginning(head)
    for rest in (one, other, one):
        assert sm3.digest(head + rest) == beginning.digest(rest)


@given(st.binary(max_size=64), st.integers(1, 200))
def test_a_longer_derived_key_begins_with_a_shorter_one(shared: bytes, length: int) -> None:
    assert sm3.derive_key(shared, 300)[:length] == sm3.derive_key(shared, length)

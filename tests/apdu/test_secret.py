# SPDX-License-Identifier: Apache-2.0
"""A secret gives itself away in no text form and no copy."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.secret import MASK, Secret


@given(st.binary())
def test_the_bytes_come_out_only_when_asked_for(value: bytes) -> None:
    secret = Secret(value)
    assert value == secret.reveal()
    assert len(value) == len(secret)


@given(st.binary(min_size=1))
def test_every_text_form_is_the_mask(value: bytes) -> None:
    secret = Secret(value)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret!s}"):
        assert MASK == text
    assert MASK == "%s" % secret  # noqa: UP031 - logging formats in this way
    assert MASK.rjust(8) == f"{secret:>8}"
    assert f"[{MASK}]" == str([secret])


def test_a_secret_cannot_leave_in_a_copy_or_a_file() -> None:
    secret = Secret(b"123456")
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            way(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        bytes(secret)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        vars(secret)


def test_a_secret_is_not_in_a_log_or_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(b"hunter2")
    logging.getLogger("sscard").warning("%s %r", secret, {"pin": secret})
    assert "hunter2" not in caplog.text
    try:
        raise ValueError(secret)
    except ValueError as error:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "hunter2" not in "".join(found.format()).replace('Secret(b"hunter2")', "")


def test_a_secret_compares_as_itself_and_not_by_its_bytes() -> None:
    secret = Secret(b"123456")
    assert secret == secret
    assert secret != Secret(b"123456")
    assert secret != b"123456"

# SPDX-License-Identifier: Apache-2.0
"""The private PC/SC service that the tests of readers share: pcsc-lite knows one to a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hermetic import Pcscd, missing, until


@pytest.fixture(scope="session")
def pcscd() -> Iterator[Pcscd]:
    """A daemon with two empty virtual readers; at the end it must not have crashed."""
    if why := missing():
        pytest.skip(why)
    daemon = Pcscd()
    until("the readers are there", lambda: daemon.listens(0) and daemon.listens(1))
    yield daemon
    code, log = daemon.stop(), daemon.log()
    daemon.remove()
    assert code == 0, log

# SPDX-License-Identifier: Apache-2.0
"""Without pyscard everything else works, and whoever asks for a reader learns what to install."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from host.channel import pcsc
from host.faults import CardFault

USES = [pcsc.readers, pcsc.PcscChannel.open]
INSTALL = (
    "on Debian/Ubuntu `apt-get install gcc libpcsclite-dev pcscd`,"
    " then `pip install 'sscard[pcsc]'`"
)


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "smartcard"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("use", USES)
def test_without_pyscard_the_error_tells_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(pcsc.PcscUnavailable) as caught:
        use()
    assert f"PC/SC needs pyscard; {INSTALL}" == str(caught.value)


@pytest.mark.parametrize("use", USES)
def test_the_package_that_took_the_name_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", ModuleType("smartcard"))
    with pytest.raises(pcsc.PcscUnavailable, match="`pip uninstall smartcard`") as caught:
        use()
    assert str(caught.value).endswith(INSTALL)


def test_a_desk_that_handles_card_faults_handles_this_one() -> None:
    assert issubclass(pcsc.PcscUnavailable, CardFault)


def test_importing_the_channel_needs_no_pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    monkeypatch.delitem(sys.modules, "host.channel.pcsc")
    assert importlib.import_module("host.channel.pcsc") is not pcsc

# SPDX-License-Identifier: Apache-2.0
"""Payment cryptograms, issuer answers and scripts as pyemv computes them, on any input."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import cryptogram, script
from apdu.crypto.derive import pboc_session_key, udk
from apdu.crypto.padding import method_1, method_2
from apdu.crypto.tdes import TDES, odd_parity
from apdu.wire.cryptogram import VisCvn

pytestmark = [
    pytest.mark.outside,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*TripleDES"),
]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("pyemv", minversion="1.5.0")
    from pyemv import ac, cvn, kd, mac, sm

keys = st.binary(min_size=16, max_size=16)
digits = st.text("0123456789", min_size=8, max_size=19)
psns = st.text("0123456789", min_size=2, max_size=2)


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


atcs, acs = exactly(2), exactly(8)
ELEMENTS = st.tuples(*map(exactly, (6, 6, 2, 5, 2, 3, 1, 4, 2, 2)))
"""9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36."""


@given(keys, st.binary(min_size=1, max_size=80), st.sampled_from([1, 2]))
def test_a_cryptogram_is_theirs(key: bytes, data: bytes, method: int) -> None:
    theirs = ac.generate_ac(key, data, ac.PaddingType(method))
    padding = method_1 if method == 1 else method_2
    assert theirs == cryptogram.cryptogram(TDES.key(key), data, padding)


@given(keys, acs, atcs, exactly(4), st.binary(max_size=8))
def test_the_issuer_s_answers_are_theirs(
    key: bytes, arqc: bytes, arc: bytes, csu: bytes, own: bytes
) -> None:
    session = TDES.key(key)
    assert ac.generate_arpc_1(key, arqc, arc) == cryptogram.arpc(session, arqc, arc)
    assert ac.generate_arpc_2(key, arqc, csu, own) == cryptogram.csu_arpc(session, arqc, csu, own)


@given(keys, digits, psns, ELEMENTS, exactly(4))
def test_cvn_10_is_verified(
    master: bytes, pan: str, psn: str, elements: tuple[bytes, ...], cvr: bytes
) -> None:
    card = cvn.VisaCVN10(master, master, master, pan, psn)
    theirs, data = card.generate_ac(*elements, cvr), b"".join((*elements, cvr))
    key = TDES.key(master)
    assert cryptogram.verify(key, pan, psn, VisCvn.CVN_10, data, theirs)
    session = TDES.key(udk(key, pan, psn))
    assert card.generate_arpc(theirs, b"00") == cryptogram.arpc(session, theirs, b"00")


@pytest.mark.parametrize("number", [VisCvn.CVN_18, VisCvn.CVN_22])
@given(
    keys,
    digits,
    psns,
    ELEMENTS,
    st.binary(min_size=1, max_size=32),
    exactly(4),
    st.binary(max_size=8),
)
def test_cvn_18_and_22_are_verified(
    number: VisCvn,
    master: bytes,
    pan: str,
    psn: str,
    elements: tuple[bytes, ...],
    iad: bytes,
    csu: bytes,
    own: bytes,
) -> None:
    made: Any = cvn.VisaCVN18 if number == VisCvn.CVN_18 else cvn.VisaCVN22
    card = made(master, master, master, pan, psn)
    theirs, data = card.generate_ac(*elements, iad), b"".join((*elements, iad))
    key = TDES.key(master)
    assert cryptogram.verify(key, pan, psn, number, data, theirs, "B")
    session = cryptogram.transaction_key(TDES.key(udk(key, pan, psn, "B")), number, elements[-1])
    answer = card.generate_arpc(theirs, elements[-1], csu, own)
    assert answer == cryptogram.csu_arpc(session, theirs, csu, own)


@given(keys, digits, psns, ELEMENTS, exactly(3))
def test_cvn_01_is_their_mac_under_pboc_s_key(
    master: bytes, pan: str, psn: str, elements: tuple[bytes, ...], cvr: bytes
) -> None:
    theirs = kd.derive_icc_mk_a(master, pan, psn)
    ours = TDES.key(udk(TDES.key(master), pan, psn))
    session = odd_parity(pboc_session_key(TDES.key(theirs), elements[-1]))
    data = b"".join((*elements, b"\x03", cvr))
    found = mac.mac_iso9797_3(session[:8], session[8:], data, 2)
    assert cryptogram.verify_card(ours, 1, data, found)
    assert cryptogram.verify(TDES.key(master), pan, psn, 1, data, found)


@given(keys, exactly(4), atcs, acs, st.binary(max_size=60), st.integers(4, 8))
def test_the_mac_of_a_script_is_theirs(
    key: bytes, start: bytes, atc: bytes, link: bytes, data: bytes, carried: int
) -> None:
    header, session = start + bytes((len(data) + carried,)), TDES.key(key)
    theirs = sm.generate_command_mac(key, header + atc + link + data, carried)
    assert theirs == script.script_mac(session, header, atc, link, data)[:carried]
    assert script.verify_script(session, header, atc, link, data, theirs)
    bare = sm.generate_command_mac(key, header + data, carried)
    assert script.verify_command(session, header, data, bare)


@given(keys, st.binary(min_size=1, max_size=120))
def test_enciphered_data_is_theirs(key: bytes, data: bytes) -> None:
    session = TDES.key(key)
    visa = sm.encrypt_command_data(key, data, sm.EncryptionType.VISA)
    assert visa == script.encipher(session, data, script.VIS)
    if len(data) % 8 != 7:
        assert visa == script.encipher(session, data, script.PBOC)
    # Theirs of this kind is chained from the second block on, so one block is compared.
    bare = sm.encrypt_command_data(key, data[:8], sm.EncryptionType.MASTERCARD)
    assert bare == script.encipher(session, data[:8], script.BARE)

# SPDX-License-Identifier: Apache-2.0
"""What the card answers to GENERATE AC, as pyemv computes it: any issuer, card, amount, number."""

from __future__ import annotations

import warnings

import pytest
from acbench import IAD, Till, iad
from hypothesis import given, settings
from hypothesis import strategies as st
from paymentbench import chip_of, debit_directory, fen, lived, payment_cells, state_of

from apdu.wire.cryptogram import Cvn, OneAmountIdd, parse_idd
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import AC_KEY, MAC_KEY
from apdu.wire.pboc.flags import Result
from apdu.wire.perso import KeyUsage

pytestmark = [
    pytest.mark.outside,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*TripleDES"),
]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("pyemv", minversion="1.5.0")
    from pyemv import ac, kd, mac
    from pyemv.tools import encrypt_tdes_ecb

AAC, TC, ARQC = Result
keys = st.binary(min_size=16, max_size=16)
digits = st.text("0123456789", min_size=8, max_size=19)
psns = st.text("0123456789", min_size=2, max_size=2)
amounts = st.integers(0, 10**12 - 1)


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def session(card_key: bytes, atc: bytes) -> bytes:
    """PBOC's rule, which pyemv does not know, from its own blocks."""
    complement = bytes(0xFF ^ byte for byte in atc)
    return encrypt_tdes_ecb(card_key, bytes(6) + atc + bytes(6) + complement)


def theirs(card_key: bytes, atc: bytes, data: bytes) -> bytes:
    key = session(card_key, atc)
    return mac.mac_iso9797_3(key[:8], key[8:], data, 2)


@settings(max_examples=60)
@given(
    masters=st.tuples(keys, keys),
    pan=digits,
    psn=psns,
    atc=st.integers(1, 0xFFFD),
    amount=amounts,
    other=amounts,
    balance=amounts,
    terminal=st.tuples(*map(exactly, (2, 5, 2, 3, 1, 4))),
    cvn=st.sampled_from(Cvn),
    wanted=st.sampled_from(Result),
)
def test_the_card_s_cryptograms_and_what_it_believes_are_theirs(
    masters: tuple[bytes, bytes],
    pan: str,
    psn: str,
    atc: int,
    amount: int,
    other: int,
    balance: int,
    terminal: tuple[bytes, ...],
    cvn: Cvn,
    wanted: Result,
) -> None:
    own = [kd.derive_icc_mk_a(master, pan, psn) for master in masters]
    memory = payment_cells(groups=iad(IAD[:2] + bytes((cvn,)) + IAD[3:]))
    chip = chip_of(lived(memory, atc=atc, last_online_atc=atc, balance=balance))
    store = debit_directory(chip).keys
    for kid, usage, key in zip(
        (AC_KEY, MAC_KEY), (KeyUsage.CRYPTOGRAM, KeyUsage.SCRIPT_MAC), own, strict=True
    ):
        store.find(kid, usage).replace(key)
    till = Till(chip, keys=b"".join(own) + bytes(16))
    names = (
        tags.TERMINAL_COUNTRY,
        tags.TVR,
        tags.CURRENCY,
        tags.DATE,
        tags.TRANSACTION_TYPE,
        tags.UNPREDICTABLE_NUMBER,
    )
    said = {
        tags.AMOUNT: fen(amount),
        tags.OTHER_AMOUNT: fen(other),
        **dict(zip(names, terminal, strict=True)),
    }
    till.begin(said)
    till.first(wanted)
    number = (atc + 1).to_bytes(2)
    assert number == till.answer.atc
    assert theirs(own[0], number, data_of(said, till, cvn)) == till.answer.ac
    idd = parse_idd(till.iad.discretionary)
    assert isinstance(idd, OneAmountIdd)
    assert fen(state_of(chip).balance)[1:] == idd.amount
    assert theirs(own[1], number, number + idd.amount + b"\0")[:4] == idd.mac
    if till.result is ARQC:
        answer = ac.generate_arpc_1(session(own[0], number), till.answer.ac, b"00")
        assert 0x9000 == till.show(answer, b"00")
        assert TC is till.second(TC)
        assert theirs(own[0], number, data_of(said, till, cvn)) == till.answer.ac


def data_of(said: dict[int, bytes], till: Till, cvn: Cvn) -> bytes:
    """What the cryptogram is over, put together by hand."""
    cvr, number = till.iad.cvr, till.answer.atc
    if cvn is Cvn.CVN_17:
        return said[tags.AMOUNT] + said[tags.UNPREDICTABLE_NUMBER] + number + cvr[:1]
    order = (
        tags.AMOUNT,
        tags.OTHER_AMOUNT,
        tags.TERMINAL_COUNTRY,
        tags.TVR,
        tags.CURRENCY,
        tags.DATE,
        tags.TRANSACTION_TYPE,
        tags.UNPREDICTABLE_NUMBER,
    )
    return b"".join(said[tag] for tag in order) + bytes.fromhex("7C00") + number + b"\x03" + cvr

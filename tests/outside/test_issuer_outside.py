# SPDX-License-Identifier: Apache-2.0
"""The issuer's verdicts and answers as pyemv computes them: cryptograms, ARPC and script MACs."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto.tdes import odd_parity
from apdu.secret import Secret
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.flags import Result
from apdu.wire.perso import Algorithm
from host.issuer import scripts
from host.issuer.cryptograms import CryptogramWrong, verify
from host.issuer.keys import IssuerKeys, KeySet

pytestmark = [
    pytest.mark.outside,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*TripleDES"),
]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("pyemv", minversion="1.5.0")
    from pyemv import ac, kd, sm
    from pyemv.tools import encrypt_tdes_ecb


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


digits = st.text("0123456789", min_size=12, max_size=19)
psns = st.text("0123456789", min_size=2, max_size=2)
atcs = st.integers(1, 0xFFFF).map(lambda number: number.to_bytes(2))
masters = st.tuples(exactly(16), exactly(16), exactly(16))
LENGTHS = {
    tags.AMOUNT: 6,
    tags.OTHER_AMOUNT: 6,
    tags.TERMINAL_COUNTRY: 2,
    tags.TVR: 5,
    tags.CURRENCY: 2,
    tags.DATE: 3,
    tags.TRANSACTION_TYPE: 1,
    tags.UNPREDICTABLE_NUMBER: 4,
    tags.AIP: 2,
}
elements_ = st.fixed_dictionaries({tag: exactly(size) for tag, size in LENGTHS.items()})


def session(card_key: bytes, atc: bytes) -> bytes:
    """SK of PBOC by their cipher: pyemv has no rule for it."""
    other = (int.from_bytes(atc) ^ 0xFFFF).to_bytes(2)
    return odd_parity(bytes(encrypt_tdes_ecb(card_key, bytes(6) + atc + bytes(6) + other)))


@given(masters, digits, psns, atcs, elements_, st.booleans(), st.integers(0, 10**10 - 1))
def test_what_they_make_is_believed_and_answered_as_they_answer(
    imks: tuple[bytes, ...],
    pan: str,
    psn: str,
    atc: bytes,
    elements: dict[int, bytes],
    is_17: bool,
    balance: int,
) -> None:
    keys = IssuerKeys({Algorithm.TDES: KeySet(*map(Secret, imks))})
    udk_ac, udk_mac, _ = (bytes(kd.derive_icc_mk_a(imk, pan, psn)) for imk in imks)
    sk_ac, sk_mac = session(udk_ac, atc), session(udk_mac, atc)
    low = amount_bytes(balance)[1:]
    mac = sm.generate_command_mac(sk_mac, atc + low + b"\x00", 4)
    cvr = b"\x03\xa0\x00\x00"
    iad = bytes((7, 1, 0x17 if is_17 else 1)) + cvr + b"\x01\x0a\x01" + low + mac
    if is_17:
        data = elements[tags.AMOUNT] + elements[tags.UNPREDICTABLE_NUMBER] + atc + cvr[1:2]
    else:
        data = b"".join(elements[tag] for tag in LENGTHS) + atc + cvr
    arqc = ac.generate_ac(sk_ac, data, ac.PaddingType.EMV)
    whole = {**elements, tags.ATC: atc, tags.IAD: iad, tags.AC: arqc}
    proven = verify(keys, pan, psn, whole)
    assert Result.ARQC is proven.result
    for code in ("00", "05", "51"):
        assert ac.generate_arpc_1(sk_ac, arqc, code.encode()) + code.encode() == proven.answer(code)
    with pytest.raises(CryptogramWrong):
        verify(keys, pan, psn, {**whole, tags.AC: bytes((arqc[0] ^ 1,)) + arqc[1:]})


@given(masters, digits, psns, atcs, exactly(8), st.integers(0, 10**12 - 1))
def test_scripts_carry_the_macs_that_they_make(
    imks: tuple[bytes, ...], pan: str, psn: str, atc: bytes, arqc: bytes, balance: int
) -> None:
    keys = IssuerKeys({Algorithm.TDES: KeySet(*map(Secret, imks))})
    card = keys.card(pan, psn, Algorithm.TDES)
    sk_mac = session(bytes(kd.derive_icc_mk_a(imks[1], pan, psn)), atc)
    record = b"\x70\x03\x5f\x28\x00"
    wishes = {
        "04DA9F790A": (scripts.put_balance(balance), amount_bytes(balance)),
        "841E000004": (scripts.application_block(), b""),
        "8418000004": (scripts.application_unblock(), b""),
        "8416000004": (scripts.card_block(), b""),
        "8424000004": (scripts.pin_unblock(), b""),
        "04DC011C09": (scripts.update_record(3, 1, record), record),
    }
    sent = scripts.protected(card, atc, arqc, [command for command, _ in wishes.values()])
    for (start, (_, data)), each in zip(wishes.items(), sent, strict=True):
        header = bytes.fromhex(start)
        mac = sm.generate_command_mac(sk_mac, header + atc + arqc + data, 4)
        assert header + data + mac == each


@given(masters, digits, psns, atcs, exactly(8), st.text("0123456789", min_size=4, max_size=12))
def test_a_pin_change_is_enciphered_and_signed_as_they_do(
    imks: tuple[bytes, ...], pan: str, psn: str, atc: bytes, arqc: bytes, pin: str
) -> None:
    keys = IssuerKeys({Algorithm.TDES: KeySet(*map(Secret, imks))})
    card = keys.card(pan, psn, Algorithm.TDES)
    (sent,) = scripts.protected(card, atc, arqc, [scripts.pin_change(card, pin)])
    udk_mac, udk_enc = (bytes(kd.derive_icc_mk_a(imk, pan, psn)) for imk in imks[1:])
    # Theirs sets odd parity in the card's key, which shows in what the PIN is masked with.
    mask = card.pin_mask.reveal()
    assert odd_parity(udk_enc) == odd_parity(mask)
    block = sm.format_vis_pin_block(mask, pin)
    data = sm.encrypt_command_data(session(udk_enc, atc), block, sm.EncryptionType.VISA)
    header = bytes((0x84, 0x24, 0x00, 0x02, len(data) + 4))
    mac = sm.generate_command_mac(session(udk_mac, atc), header + atc + arqc + data, 4)
    assert header + data + mac == sent

# SPDX-License-Identifier: Apache-2.0
"""Cryptograms that are signed (CDA): when they are, over what, and that failures leave nothing."""

from __future__ import annotations

import pytest
from acbench import Till, ways
from paymentbench import context, in_use, published, state_of
from testbench import sw

from apdu.crypto import gmcert, oda, sm2
from apdu.crypto.oda_input import transaction_hash
from apdu.crypto.rsa import RsaPrivateKey
from apdu.tlv import parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import Cryptogram
from apdu.wire.pboc.flags import Aip, Cvr, Result
from apdu.wire.pboc.groups import KEYS, RSA_P, RSA_Q
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.signatures import card_key
from card_os.chip import Chip

AAC, TC, ARQC = Result
OFFERED = int(Aip.SDA | Aip.DDA | Aip.CDA | Aip.ISSUER_AUTHENTICATION)
NOT_OFFERED = OFFERED & ~int(Aip.CDA)
SM = {tags.SM_INDICATOR: b"\x01"}
NUMBER = bytes.fromhex("1E78EEBC")


def card(aip: int = OFFERED, **options: dict[int, bytes | None]) -> Chip:
    return in_use(groups={**ways(aip), **options.get("groups", {})})


def begun(chip: Chip) -> Till:
    till = Till(chip)
    assert 0x9000 == till.begin()
    return till


def signed(till: Till, wanted: Result, second: bool = False) -> bytes:
    """What comes back when a signature is asked for, without the status word."""
    tag = tags.CDOL2 if second else tags.CDOL1
    till.said[tags.ARC] = b"00"
    answer = till.ask(wanted, till.data(tag), cda=True)
    assert 0x9000 == sw(answer), answer.hex()
    return answer[:-2]


def checked(till: Till, answer: bytes, heard: tuple[bytes, bytes]) -> Cryptogram:
    """The cryptogram in the signature, when all of it is right. `heard`: for CDOL1 and CDOL2."""
    (template,) = parse(answer)
    assert tags.FORMAT_2 == template.tag
    found = {item.tag: item.value for item in template.children}
    assert [tags.CID, tags.ATC, tags.SIGNED_DYNAMIC_DATA, tags.IAD] == list(found)
    cid, signature = found[tags.CID][0], found[tags.SIGNED_DYNAMIC_DATA]
    key = card_key(context(till.chip), till.route)
    lists = (till.reader.sent, *heard, answer)
    if isinstance(key, RsaPrivateKey):
        said = oda.combined_data(key.public, signature, NUMBER, cid, transaction_hash(*lists))
        number, ac = said.number, said.cryptogram
    else:
        assert isinstance(key, sm2.PrivateKey)
        hashed = gmcert.transaction_hash(*lists)
        signed_data = gmcert.combined_data(key.public, signature, NUMBER, cid, hashed)
        number, ac = signed_data.number, signed_data.cryptogram
    assert found[tags.ATC] == number
    till.answer = Cryptogram(cid, found[tags.ATC], ac, found[tags.IAD])
    assert till.proves(ac)
    return till.answer


@pytest.mark.parametrize("wanted", [TC, ARQC])
def test_the_first_cryptogram_is_signed_when_it_is_asked_for(wanted: Result) -> None:
    till = begun(card())
    answer = signed(till, wanted)
    assert wanted == checked(till, answer, (till.data(tags.CDOL1), b"")).cid >> 6
    assert till.cvr & Cvr.DDA_PERFORMED


def test_the_second_cryptogram_is_signed_over_all_that_was_said() -> None:
    till = begun(card())
    first = till.data(tags.CDOL1)
    till.arqc = checked(till, signed(till, ARQC), (first, b""))
    assert 0x9000 == till.authenticate()
    answer = signed(till, TC, second=True)
    checked(till, answer, (first, till.data(tags.CDOL2)))
    assert TC is till.result


def test_a_signed_one_may_come_behind_one_that_was_not() -> None:
    till = begun(card())
    first = till.data(tags.CDOL1)
    till.first(ARQC)
    assert not till.cvr & Cvr.DDA_PERFORMED
    assert 0x9000 == till.authenticate()
    checked(till, signed(till, TC, second=True), (first, till.data(tags.CDOL2)))
    assert till.cvr & Cvr.DDA_PERFORMED


def plain(till: Till, answer: bytes) -> Result:
    (template,) = parse(answer)
    assert tags.FORMAT_1 == template.tag
    till.answer = Cryptogram.parse(template.value)
    assert not till.cvr & Cvr.DDA_PERFORMED
    assert till.proves(till.answer.ac)
    return till.result


def test_an_aac_is_not_signed() -> None:
    till = begun(card())
    assert AAC is plain(till, signed(till, AAC))


def test_a_second_aac_is_not_signed() -> None:
    till = begun(card())
    till.first(ARQC)
    assert AAC is plain(till, signed(till, AAC, second=True))


@pytest.mark.parametrize("wanted", [TC, ARQC])
def test_a_card_that_does_not_offer_it_signs_nothing(wanted: Result) -> None:
    till = begun(card(NOT_OFFERED))
    assert wanted is plain(till, signed(till, wanted))


@pytest.mark.parametrize("wanted", [TC, ARQC])
def test_without_its_key_a_card_gives_no_signed_cryptogram_and_remembers_nothing(
    wanted: Result,
) -> None:
    till = begun(card(groups={RSA_P: None, RSA_Q: None}))
    before, transaction = state_of(till.chip), till.transaction
    assert 0x6985 == sw(till.ask(wanted, till.data(tags.CDOL1), cda=True))
    assert (before, transaction) == (state_of(till.chip), till.transaction)
    assert wanted is till.first(wanted)


def test_under_sm2_the_cryptogram_is_signed_and_made_with_sm4() -> None:
    chip = in_use(groups=ways(OFFERED, base="sm2"), base="sm2")
    till = Till(chip, keys=published("sm2")[KEYS[Algorithm.SM4]])
    assert 0x9000 == till.begin(SM)
    assert Algorithm.SM4 is till.route.algorithm
    first = till.data(tags.CDOL1)
    till.arqc = checked(till, signed(till, ARQC), (first, b""))
    assert 0x9000 == till.authenticate()
    checked(till, signed(till, TC, second=True), (first, till.data(tags.CDOL2)))
    assert TC is till.result


def test_without_chance_there_is_no_signature_and_no_trace() -> None:
    chip = in_use(groups=ways(OFFERED, base="sm2"), base="sm2")
    till = Till(chip)
    assert 0x9000 == till.begin(SM)
    before, world = state_of(chip), context(chip).world
    context(chip).world = type(world)(_no_chance, world.today)
    assert 0x6400 == sw(till.ask(ARQC, till.data(tags.CDOL1), cda=True))
    context(chip).world = world
    assert before == state_of(chip)
    assert 0x9000 == sw(till.ask(ARQC, till.data(tags.CDOL1), cda=True))


def _no_chance(size: int) -> bytes:
    raise OSError(size)

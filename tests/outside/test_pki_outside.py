# SPDX-License-Identifier: Apache-2.0
"""What a card of generation 3.0 signs and is sent, judged by gmalg."""

from __future__ import annotations

from typing import Any

import pytest
from pkibench import PINS, USER, Holder

from apdu.crypto import sm2
from apdu.wire.pki import PAIRS, KeyPair
from host.card import Card
from host.channel.memory import MemoryChannel
from host.clients.pki import PkiClient

pytestmark = pytest.mark.outside

MESSAGE = "社会保障卡".encode()


def client() -> PkiClient:
    made = PkiClient(Card(MemoryChannel(Holder().chip)))
    made.verify(PINS[USER])
    return made


def judge(public: sm2.PublicKey) -> Any:
    gmalg = pytest.importorskip("gmalg")
    return gmalg.SM2(uid=sm2.DEFAULT_ID, pk=b"\x04" + public.value)


def test_gmalg_verifies_what_a_card_signs() -> None:
    card = client()
    other = judge(card.generate())
    signature = card.sign(MESSAGE)
    r, s = signature[:32], signature[32:]
    assert other.verify(MESSAGE, r, s)
    assert not other.verify(MESSAGE + b"\0", r, s)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.chinese)
def test_a_card_deciphers_what_gmalg_enciphers(pair: KeyPair) -> None:
    card = client()
    other = judge(card.generate(pair))
    assert MESSAGE == card.decipher(other.encrypt(MESSAGE), pair)

# SPDX-License-Identifier: Apache-2.0
"""The words for the PKI application's commands: whose PIN, which files, and nothing secret."""

from __future__ import annotations

import pytest
from test_explain import explained, select

from apdu.crypto import sm2
from apdu.crypto.pki import pin_key
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.pki import CERTIFICATES_NAME, INITIAL_PINS, PKI_NAME, PkiPin
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.testcard import issue_test_card
from host.clients.pki import PkiClient
from host.faults import PinWrong

ENTER = [(select(PKI_NAME).hex(), "9000"), (select(CERTIFICATES_NAME).hex(), "9000")]
SECRET = "A7" * 16


def in_pki(command: str, answer: str = "9000") -> Explanation:
    return explained(*ENTER, (command, answer))


@pytest.mark.parametrize(
    ("command", "name", "meaning"),
    [
        (
            "0020018110" + SECRET,
            "VERIFY BY CHALLENGE",
            "the user PIN, proven over the last challenge",
        ),
        ("00200100", "VERIFY BY CHALLENGE", "asks for the tries left of the administrator's PIN"),
        ("0082000010" + SECRET, "AUTHENTICATE MASTER KEY", "the master key, proven"),
        ("845E018114" + "A7" * 20, "CHANGE PKI PIN", "the user PIN: a new one, hidden"),
        ("84D4010024" + "A7" * 36, "UPDATE MASTER KEY", "a new master key, hidden"),
        ("80C4010305C103123456", "HASH", "SM3 of what is hidden here"),
        ("80C9820008C0020012C2020013", "GENERATE KEY PAIR", "a key pair is made in the card"),
        ("002A9E9A20" + "5A" * 32 + "40", "COMPUTE DIGITAL SIGNATURE", "an SM2 signature"),
        ("804A021012C110" + SECRET, "LOAD SESSION KEY", "under which a private key will come"),
        ("80D8008114" + "A7" * 20, "WRITE PKI KEY", "key 81 user PIN, its value hidden"),
        ("80D8000014" + "A7" * 20, "WRITE PKI KEY", "key 00 PKIMK or administrator's PIN, its"),
        ("8424000114" + "A7" * 20, "PIN CHANGE/UNBLOCK", "the user PIN, by the administrator"),
        ("00A4000002" + "0018", "SELECT", "EF18 签名证书 (signature certificate)"),
    ],
)
def test_a_command_of_the_application_is_known_there(command: str, name: str, meaning: str) -> None:
    said = in_pki(command)
    assert (name, True) == (said.name, meaning in said.meaning), said.meaning


def test_elsewhere_the_same_bytes_are_another_command() -> None:
    outside = [(select(SSSE_NAME).hex(), "9000")]
    assert "VERIFY" == explained(*outside, ("0020000003123456", "9000")).name
    assert "EXTERNAL AUTHENTICATE" == explained(*outside, ("0082008410" + SECRET, "9000")).name
    said = explained(*outside, ("8424000104" + "00" * 4, "9000"))
    assert "the PIN, by the service desk" == said.meaning
    assert "80 C9" == explained(*outside, ("80C9820008C0020012C2020013", "9000")).name


def test_the_files_of_key_pairs_are_named() -> None:
    said = in_pki("80C9820008C0020012C2020013")
    assert [
        ("0012", "EF12 签名公钥 (signature public key)"),
        ("0013", "EF13 签名私钥 (signature private key)"),
    ] == [(each.value, each.meaning) for each in said.sent]
    (into,) = in_pki("80C2C00126 C2020015 CB20" + "11" * 32).sent
    assert "EF15 加密私钥 (encipherment private key)" == into.meaning
    (strange,) = in_pki("80C2400006 C0027777 CA00").sent
    assert "not a key's file" == strange.meaning
    assert "key pairs of the PKI application" == in_pki("80C9820002C002").meaning


def test_a_signature_is_shown_in_its_halves() -> None:
    said = in_pki("002A9E9A20" + "5A" * 32 + "40", "0A" * 32 + "0B" * 32 + "9000")
    assert ["digest"] == [each.english for each in said.sent]
    assert [("r", "0A"), ("s", "0B")] == [
        (each.english, (each.value or "")[:2]) for each in said.got
    ]


def test_the_way_down_and_up_is_followed() -> None:
    by_name, inner = ENTER
    above = ("00A4030000", "9000")
    sealed = explained(by_name, ("00A4000002DF01", "9000"), ("00A4000002" + "0018", "9000"))
    assert "签名证书" in sealed.meaning
    assert "PKI 电子认证应用" in explained(by_name, inner, above).meaning
    assert "MF 主文件" in explained(by_name, inner, above, above).meaning


def test_a_verification_that_asks_costs_nothing_and_is_not_called_wrong() -> None:
    assert "not proven, 5 tries left" == in_pki("00200181", "63C5").sentence


def test_no_pin_no_key_and_no_hash_is_left_in_an_explanation() -> None:
    log: list[Explanation] = []
    explainer = Explainer()
    channel = RecordingChannel(
        MemoryChannel(issue_test_card("3.0")), lambda each: log.append(explainer.explain(each))
    )
    client = PkiClient(Card(channel))
    user, admin = INITIAL_PINS[PkiPin.USER], INITIAL_PINS[PkiPin.ADMIN]
    with pytest.raises(PinWrong):
        client.verify("654321")
    client.change_pin(user, "918273")
    client.unblock(admin, "364758")
    client.verify("364758")
    public = client.generate()
    e = sm2.message_digest(public, b"a contract")
    client.sign(b"a contract")
    digest = pin_key(pin_bytes("918273"))
    channel.transmit(bytes.fromhex("80C4010305C103") + pin_bytes("918273"))
    text = (repr(log) + repr([each.as_json() for each in log])).replace(" ", "").upper()
    for pin in (user, admin, "654321", "918273", "364758"):
        assert pin not in text
    assert digest.hex().upper() not in text
    assert repr(digest) not in repr(log)
    assert e.hex().upper() in text
    assert all("known form" not in each.meaning for each in log)

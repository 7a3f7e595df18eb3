# SPDX-License-Identifier: Apache-2.0
"""What is chance in a conversation is made zeros, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import any_exchanges

from apdu.sw import SW
from apdu.tlv import Tlv, build, tlv
from apdu.trace import Exchange
from apdu.wire.form import CommandForm
from apdu.wire.pboc import commands, tags
from apdu.wire.pboc.application import DEBIT_AID
from host.cli.traces import chance
from host.cli.traces.chance import GOT, SENT, TAGS, Follower

Form = CommandForm[Any, Any, Any]
OK = SW.OK.to_bytes(2)
PDOL = bytes.fromhex("9F7A019F02069F3704")
CDOL1 = bytes.fromhex("9F02069A039C019F3704")
CDOL2 = bytes.fromhex("8A02910A9F3704")
LOG_FORMAT = bytes.fromhex("9A039F21039F02069F3602")


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def selected(*objects: Tlv) -> Exchange:
    """The debit application, which says these things of itself."""
    fci = tlv(0x6F, [tlv(0x84, DEBIT_AID), tlv(0xA5, objects)])
    command = hexed("00A40400") + bytes((len(DEBIT_AID),)) + DEBIT_AID + b"\x00"
    return Exchange(command, bytes(fci) + OK)


def followed(*exchanges: Exchange, psam: bool = False) -> Exchange:
    """The last of them, plain."""
    follower = Follower(psam=psam)
    return [follower.follow(each).plain for each in exchanges][-1]


def plain_command(command: str, *before: Exchange) -> str:
    return followed(*before, Exchange(hexed(command), OK)).command.hex().upper()


def plain_answer(command: str, answer: str, *before: Exchange) -> str:
    return followed(*before, Exchange(hexed(command), hexed(answer))).answer.hex().upper()


@given(st.lists(any_exchanges, max_size=6), st.booleans())
def test_lengths_headers_and_status_words_stay(exchanges: list[Exchange], psam: bool) -> None:
    follower = Follower(psam=psam)
    for each in exchanges:
        plain = follower.follow(each).plain
        assert len(each.command) == len(plain.command)
        assert each.command[:5] == plain.command[:5]
        assert len(each.answer) == len(plain.answer)
        assert each.answer[-2:] == plain.answer[-2:]


@given(st.lists(any_exchanges, max_size=6))
def test_what_is_plain_stays_as_it_is(exchanges: list[Exchange]) -> None:
    first, second = Follower(), Follower()
    for each in exchanges:
        plain = first.follow(each).plain
        assert plain == second.follow(plain).plain


@pytest.mark.parametrize("table", [SENT, GOT], ids=["sent", "got"])
@given(raw=st.binary(max_size=80))
def test_bytes_in_any_shape_keep_their_length(table: Any, raw: bytes) -> None:
    for plain in table.values():
        assert len(raw) == len(plain(raw))
        assert plain(raw) == plain(plain(raw))


def test_challenges_are_chance_and_what_is_read_is_not() -> None:
    assert "00" * 8 + "9000" == plain_answer("0084000008", "1122334455667788" + "9000")
    assert "11229000" == plain_answer("00B2012D00", "11229000")
    assert "6A82" == plain_answer("0084000008", "6A82")


def test_an_answer_that_is_fetched_is_chance_where_its_command_says_so() -> None:
    begun = Exchange(hexed("0084000004"), hexed("11226102"))
    assert "00009000" == plain_answer("00C0000002", "33449000", begun)
    other = Exchange(hexed("00B2012D00"), hexed("6102"))
    assert "33449000" == plain_answer("00C0000002", "33449000", begun, other)
    assert "33449000" == plain_answer("00C0000002", "33449000")


def test_an_answer_in_two_pieces_is_taken_as_one() -> None:
    whole = bytes(Tlv(0x80, hexed("80") + hexed("0102") + b"\xab" * 8 + hexed("07010103A0000001")))
    generate = "80AE8000" + "04" + "00000000" + "00"
    before = selected(), Exchange(hexed(generate), whole[:4] + hexed("610F"))
    plain = plain_answer("00C000000F", whole[4:].hex() + "9000", *before)
    assert hexed("00") * 9 + hexed("07010103A0000001") == hexed(plain)[:-2]


def test_what_is_sent_for_a_list_is_chance_by_its_tags() -> None:
    application = selected(tlv(tags.PDOL, PDOL))
    sent = "80A80000" + "0D" + "830B" + "01" + "000000001234" + "A1B2C3D4" + "00"
    plain = "80A80000" + "0D" + "830B" + "01" + "000000001234" + "00000000" + "00"
    assert plain == plain_command(sent, application)
    assert sent == plain_command(sent, selected())
    assert sent == plain_command(sent, application, selected())


def test_the_second_cryptogram_is_asked_for_by_the_second_list() -> None:
    lists = selected(tlv(tags.CDOL1, CDOL1), tlv(tags.CDOL2, CDOL2))
    first = "80AE8000" + "0E" + "000000001234" + "260105" + "00" + "A1B2C3D4" + "00"
    second = "80AE4000" + "10" + "3030" + "11223344556677883035" + "A1B2C3D4" + "00"
    asked = Exchange(hexed(first), OK)
    assert (
        "80AE8000" + "0E" + "000000001234" + "000000" + "00" + "00000000" + "00"
        == plain_command(first, lists)
    )
    assert "80AE4000" + "10" + "3030" + "00000000000000003035" + "00000000" + "00" == plain_command(
        second, lists, asked
    )
    begun = Exchange(hexed("80A8000002830000"), OK)
    assert plain_command(first, lists) == plain_command(first, lists, asked, begun)


def test_of_issuer_authentication_the_arpc_is_chance_and_the_code_is_not() -> None:
    sent = "008200000A" + "1122334455667788" + "3035"
    assert "008200000A" + "00" * 8 + "3035" == plain_command(sent, selected())


def test_of_the_issuer_data_the_mac_is_chance_and_the_verdict_is_not() -> None:
    iad = hexed("07010103A4000001" + "0A01" + "0000012345" + "DEADBEEF")
    assert iad[:-4] + bytes(4) == chance.element(tags.IAD, iad)
    short = iad[:8]
    assert short == chance.element(tags.IAD, short)
    assert b"\x07\x01" == chance.element(tags.IAD, b"\x07\x01")


def test_cryptograms_are_chance_in_both_formats() -> None:
    iad = "07010103A4000001"
    one = hexed("80" + "13" + "80" + "0102" + "11" * 8 + iad)
    two = build(
        [
            tlv(
                0x77,
                [
                    tlv(tags.CID, b"\x80"),
                    tlv(tags.ATC, b"\x01\x02"),
                    tlv(tags.AC, b"\x11" * 8),
                    tlv(tags.IAD, hexed(iad)),
                ],
            )
        ]
    )
    generate = Exchange(hexed("80AE8000040000000000"), one + OK)
    assert hexed("801380" + "0000" + "00" * 8 + iad) + OK == followed(selected(), generate).answer
    again = Exchange(generate.command, two + OK)
    expected = two.replace(b"\x11" * 8, bytes(8)).replace(b"\x01\x02", bytes(2), 1)
    assert expected + OK == followed(selected(), again).answer


def test_a_record_of_the_log_is_chance_by_the_cards_format() -> None:
    application = selected(
        tlv(0xBF0C, [tlv(tags.LOG_ENTRY, hexed("0B0A"))]), tlv(tags.LOG_FORMAT, LOG_FORMAT)
    )
    record = "260105" + "081500" + "000000001234" + "0007"
    plain = "000000" + "000000" + "000000001234" + "0000"
    assert plain + "9000" == plain_answer("00B2015C00", record + "9000", application)
    assert record + "9000" == plain_answer("00B2014C00", record + "9000", application)


def test_the_load_log_is_chance_by_its_format_record_by_record() -> None:
    application = selected(
        tlv(0xBF0C, [tlv(tags.LOAD_LOG_ENTRY, hexed("0C0A"))]),
        tlv(tags.LOAD_LOG_FORMAT, hexed("9A039F3602")),
    )
    head = "9F79" + "000000000000" + "000000001000"
    record, plain = head + "260105" + "0007", head + "000000" + "0000"
    assert plain + "9000" == plain_answer("00B2016400", record + "9000", application)
    whole = "0008" + "02" + record * 2 + "DEADBEEF"
    plainly = "0000" + "02" + plain * 2 + "00000000"
    assert plainly + "9000" == plain_answer("00B2006400", whole + "9000", application)


def test_the_elements_of_payment_are_chance_only_where_payment_is() -> None:
    """9A is a date there, and may be any item of another application's records."""
    record = bytes(tlv(0x70, [tlv(tags.DATE, hexed("260105")), tlv(0x5A, hexed("6228"))]))
    answer = record.hex() + "9000"
    in_payment = plain_answer("00B2010C00", answer, selected())
    assert record.replace(hexed("260105"), bytes(3)).hex().upper() + "9000" == in_payment
    assert answer.upper() == plain_answer("00B2010C00", answer)


def test_the_mac_of_a_protected_command_is_chance_and_what_it_writes_is_not() -> None:
    sent = "04DC012C08" + "01020304" + "DEADBEEF"
    assert "04DC012C08" + "01020304" + "00000000" == plain_command(sent)
    assert "00DC012C08" + "01020304" + "DEADBEEF" == plain_command("00" + sent[2:])


def test_a_masked_command_stays_as_it_is() -> None:
    verify = Exchange.of(hexed("0020000003123456"), OK)
    assert verify == followed(verify)


def test_every_form_is_one_that_the_explainer_knows() -> None:
    """A form that nobody recognises would never be looked up."""
    from host.cli.forms import FORMS, IN_BANK, IN_PKI, ON_A_PSAM

    known = {*FORMS.values(), *IN_BANK.values(), *IN_PKI.values(), *ON_A_PSAM.values()}
    assert set() == {*SENT, *GOT} - known


def test_what_tells_money_is_not_chance() -> None:
    assert set() == TAGS & {tags.AMOUNT, tags.OTHER_AMOUNT, tags.CID, tags.TVR, tags.CTQ, tags.PAN}
    assert commands.GET_DATA in GOT

# SPDX-License-Identifier: Apache-2.0
"""The PKI application, the social security application and the bank's are walls to one another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from keybench import PIN, SM4, Desk, challenge
from pkibench import (
    ADMIN,
    SELECT_CERTIFICATES,
    SELECT_PKI,
    USER,
    WORK,
    Holder,
    generate,
    sign,
    tries,
    with_key_pair,
)
from testbench import SELECT_DEBIT, SELECT_HRSS, SELECT_MF, command, select_df, send_all, sw
from testbench import tries as hrss_tries
from testbench import verify as hrss_verify

from apdu.wire.iso7816 import SELECT, UPDATE_BINARY, By, Selection, SfiOffset
from apdu.wire.pki import PAIRS, SIGNATURE

APPLICATIONS = {
    "MF": SELECT_MF,
    "SSSE": SELECT_HRSS,
    "bank": SELECT_DEBIT,
    "PKI": SELECT_PKI,
    "certificates": SELECT_CERTIFICATES,
}
PKI_PATH, CERTIFICATES_PATH = "DDF2", "DDF2DF01"


def proven_everything(holder: Holder) -> None:
    """In the PKI application, both PINs and the master key."""
    assert [0x9000] * 3 == [holder.verify(), holder.verify(ADMIN), holder.authenticate()]


def test_what_was_proven_in_the_pki_application_opens_nothing_elsewhere() -> None:
    holder = Holder()
    proven_everything(holder)
    holder.select(SELECT_HRSS)
    assert 0x63C6 == holder.send(hrss_tries())
    desk = Desk(SM4, holder.flash)
    desk.chip = holder.chip
    for directory in ("SSSE", "DF01", "DF04"):
        holder.select()
        proven_everything(holder)
        desk.go(directory)
        assert desk.opens()


def test_what_was_proven_elsewhere_opens_nothing_in_the_pki_application() -> None:
    holder = with_key_pair()
    desk = Desk(SM4, holder.flash)
    desk.chip = holder.chip
    desk.go("SSSE")
    assert 0x9000 == desk.send(hrss_verify(PIN))
    assert [0x9000] * 3 == [desk.authenticate(name) for name in ("PUK", "UKSSSE", "RKSSSE")]
    before = holder.chip.snapshot()
    holder.select()
    assert [6, 6] == [holder.tries(), holder.tries(ADMIN)]
    for raw in WORK.values():
        assert 0x6982 == holder.send(raw)
    for pair in PAIRS:
        send_all(holder.chip, [select_df(pair.certificate.fid)])
        write = command(UPDATE_BINARY, SfiOffset(pair.certificate.sfi), b"\x30\x82")
        assert 0x6982 == holder.send(write)
    assert before == holder.chip.snapshot()


def test_tries_of_one_pin_are_not_those_of_another() -> None:
    holder = Holder()
    for _ in range(6):
        holder.fail()
    holder.select(SELECT_HRSS)
    assert [0x63C6, 0x9000] == [holder.send(hrss_tries()), holder.send(hrss_verify(PIN))]
    for _ in range(6):
        holder.send(hrss_verify("000000"))
    holder.select()
    assert [0, 6] == [holder.tries(), holder.tries(ADMIN)]
    assert 0x9000 == holder.verify(ADMIN)


@pytest.mark.parametrize(("start", "end"), list(permutations(APPLICATIONS, 2)))
def test_a_challenge_of_one_application_proves_nothing_in_another(start: str, end: str) -> None:
    holder = Holder(select=APPLICATIONS[start])
    answer = holder.chip.transmit(challenge(16))
    assert (18, 0x9000) == (len(answer), sw(answer))
    holder.select(APPLICATIONS[end])
    if end == "certificates":
        assert 0x6984 == holder.send(bytes.fromhex("0020018110") + bytes(16))
    if end in ("PKI", "certificates"):
        assert 0x6984 == holder.send(bytes.fromhex("0082000010") + bytes(16))


LEAVE: dict[str, Callable[[Holder], object]] = {
    "the environment": lambda holder: holder.select(SELECT_PKI),
    "the MF": lambda holder: holder.select(SELECT_MF),
    "social security": lambda holder: holder.select(SELECT_HRSS),
    "the bank": lambda holder: holder.select(SELECT_DEBIT),
    "its own name": lambda holder: holder.select(),
    "the environment by its identifier": lambda holder: path(holder, PKI_PATH),
    "its parent": lambda holder: send_all(holder.chip, [command(SELECT, Selection(By.PARENT))]),
    "reset": lambda holder: holder.chip.reset(),
}


def path(holder: Holder, fids: str) -> None:
    raw = command(SELECT, Selection(By.PATH_FROM_MF), bytes.fromhex(fids))
    send_all(holder.chip, [raw])


@pytest.mark.parametrize("way", LEAVE)
def test_whoever_leaves_the_application_has_proven_nothing_in_it(way: str) -> None:
    holder = with_key_pair()
    proven_everything(holder)
    LEAVE[way](holder)
    path(holder, CERTIFICATES_PATH)
    assert [6, 6] == [holder.tries(), holder.tries(ADMIN)]
    assert [0x6982, 0x6982] == [holder.send(sign()), holder.send(generate())]
    holder.challenge()
    assert 0x6982 == holder.send(bytes.fromhex("845E018114") + bytes(20)), "no secret is left"


def test_the_master_key_of_one_directory_lets_nobody_into_the_other() -> None:
    holder = Holder(select=SELECT_PKI)
    assert 0x9000 == holder.authenticate()
    holder.select(select_df(0xDF01))
    assert 0x6982 == holder.send(holder.update_master(bytes(16)))


@pytest.mark.parametrize("start", ["MF", "SSSE", "bank", "PKI"])
def test_no_file_of_the_application_is_reached_from_another(start: str) -> None:
    holder = with_key_pair()
    public = holder.chip.transmit(bytes.fromhex("00B0920042"))[:-2]
    assert 66 == len(public)
    holder.select(APPLICATIONS[start])
    for pair in PAIRS:
        for file in pair.files:
            for by in (By.FILE_ID, By.EF_OF_DF):
                raw = command(SELECT, Selection(by), file.fid.to_bytes(2))
                assert 0x6A82 == holder.send(raw)
            answer = holder.chip.transmit(bytes((0x00, 0xB0, 0x80 | file.sfi, 0x00, 0x00)))
            assert public[2:18] not in answer


def test_the_commands_of_the_application_exist_in_it_alone() -> None:
    for label in ("MF", "SSSE", "bank", "PKI"):
        holder = Holder(select=APPLICATIONS[label])
        for name in ("generate", "sign", "decipher", "load a session key"):
            assert 0x6D00 == holder.send(WORK[name])
        # The bank's VERIFY always has data: there the length is wrong before P1 is.
        assert holder.send(tries(USER)) == {"SSSE": 0x6A86, "bank": 0x6700}.get(label, 0x6D00)
    assert SIGNATURE in PAIRS

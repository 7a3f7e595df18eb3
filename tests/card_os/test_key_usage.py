# SPDX-License-Identifier: Apache-2.0
"""Every key of the card against every command that uses one: each serves its one usage."""

from __future__ import annotations

import pytest
from keybench import (
    DATA,
    DF_OF,
    EXTERNAL,
    SPEC,
    Desk,
    both_suites,
    external,
    key,
    pin_service,
)
from testbench import command

from apdu.command import CommandAPDU
from apdu.crypto.suite import Suite
from apdu.messaging import challenge_messaging
from apdu.wire.hrss.commands import PinService
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.iso7816 import GET_RESPONSE
from apdu.wire.perso import KeyUsage

every_directory = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda d: d.label)
every_key = pytest.mark.parametrize("name", SPEC)


def usages(directory: DfSpec, kid: int) -> set[KeyUsage]:
    """What the keys of a number are for, seen from a directory."""
    keeper = directory if kid & 0x80 else SSSE
    return {spec.usage for spec in keeper.keys if spec.kid == kid}


@both_suites
@every_directory
def test_a_key_number_leads_to_a_key_for_that_command_alone(
    suite: Suite, directory: DfSpec
) -> None:
    """No output and no change for every other number, whatever is shown."""
    desk = Desk(suite)
    before = desk.chip.snapshot()
    desk.go(directory.label)
    for kid in range(0x100):
        there = usages(directory, kid)
        refused = b"\x69\x85" if there else b"\x6a\x88"
        for version in (b"", b"\x01", b"\x02"):
            if KeyUsage.INTERNAL_AUTHENTICATE not in there:
                length = bytes((16 + len(version),))
                raw = bytes((0x00, 0x88, 0x00, kid)) + length + bytes(16) + version
                assert refused == desk.chip.transmit(raw)
                assert refused == desk.chip.transmit(raw + b"\0")
                assert b"\x69\x85" == desk.chip.transmit(command(GET_RESPONSE))
            if KeyUsage.EXTERNAL_AUTHENTICATE not in there:
                desk.challenge()
                assert refused == desk.chip.transmit(external(kid, bytes(8), DATA, version))
    assert desk.opens()
    assert before == desk.chip.snapshot()


@both_suites
@every_directory
def test_the_numbers_that_do_lead_to_a_key_are_those_of_the_table(
    suite: Suite, directory: DfSpec
) -> None:
    desk = Desk(suite)
    desk.go(directory.label)
    found = set()
    for kid in range(0x100):
        raw = bytes((0x00, 0x88, 0x00, kid, 0x10)) + bytes(16) + b"\0"
        if len(desk.chip.transmit(raw)) == 10:
            found.add((kid, KeyUsage.INTERNAL_AUTHENTICATE))
        desk.challenge()
        if desk.send(external(kid, bytes(8))) == 0x63CE:
            found.add((kid, KeyUsage.EXTERNAL_AUTHENTICATE))
    expected = {
        (spec.kid, spec.usage)
        for spec in (*SSSE.keys, *directory.keys)
        if spec.usage in (KeyUsage.INTERNAL_AUTHENTICATE, KeyUsage.EXTERNAL_AUTHENTICATE)
    }
    assert expected == found


@both_suites
@every_key
def test_a_cryptogram_under_a_key_proves_that_key_alone(suite: Suite, name: str) -> None:
    """Shown for every number that can be proven where the key stands, and in SSSE."""
    desk = Desk(suite)
    desk.go(name)
    for other in EXTERNAL:
        if other != name and DF_OF[other] in (desk.directory, SSSE):
            shown = desk.cryptogram(name, desk.challenge())
            assert 0x63CE == desk.send(external(SPEC[other].kid, shown))
    shown = desk.cryptogram(name, desk.challenge())
    expected = 0x9000 if name in EXTERNAL else 0x6985
    assert expected == desk.send(external(SPEC[name].kid, shown))


@both_suites
@every_key
def test_only_stk_protects_the_service_of_the_pin_wherever_one_is(suite: Suite, name: str) -> None:
    desk = Desk(suite)
    before = desk.chip.snapshot()
    here = DF_OF[name]
    for directory in {d.label: d for d in (here, SSSE)}.values():
        desk.go(directory.label)
        assert 0x9000 == desk.authenticate("PUK")
        messaging = challenge_messaging(key(suite, name), desk.challenge())
        raw = CommandAPDU.parse(pin_service(PinService.UNBLOCK))
        answer = desk.send(bytes(messaging.protect(raw)))
        assert (0x9000 if name == "STK" else 0x6988) == answer
    assert before == desk.chip.snapshot()

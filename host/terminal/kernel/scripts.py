# SPDX-License-Identifier: Apache-2.0
"""Issuer script processing (发卡行脚本处理): the issuer's commands go to the card as they came
(EMV Book 3 10.10, Book 4 6.3.9; JR/T 0025.6)."""

from __future__ import annotations

from typing import Final

from apdu.command import CommandAPDU
from apdu.crypto.script import BEFORE_FINAL, Script
from apdu.errors import FormatError
from apdu.tlv import Tlv
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Tsi, Tvr
from apdu.wire.pboc.script_results import ScriptOutcome, script_result
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardRefused
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

LONGEST: Final = 1024
"""Bytes of scripts that are taken from one answer; EMV wants a terminal to take 128 at least."""
_IDENTIFIER: Final = tags.SCRIPT_IDENTIFIER
_NAME: Final = 4
_WARNINGS: Final = (0x62, 0x63)
"""A warning does not end a script (EMV Book 4 6.3.9)."""


def process(transaction: Transaction, client: PbocClient, template: Tlv) -> CardFault | None:
    """Send the commands of one script, template 71 or 72, until one fails.

    Adds 5 bytes to DF31 and sets the bits of TVR and TSI. A refusal ends the script and nothing
    else. Returns the fault when no answer came that can be used: the card may have carried out the
    last command or not.
    """
    transaction.tsi |= Tsi.SCRIPTS_PROCESSED
    try:
        script = Script.parse(bytes(template))
        commands = [CommandAPDU.parse(each) for each in script.commands]
    except FormatError as error:
        _failed(transaction, template.tag, 0, b"", str(error))
        return None
    name = script.identifier
    for number, command in enumerate(commands, 1):
        try:
            client.script_command(command)
        except CardFault as fault:
            if isinstance(fault, CardRefused) and fault.sw >> 8 in _WARNINGS:
                continue
            _failed(transaction, template.tag, number, name, _what(number, fault))
            return None if isinstance(fault, CardRefused) else fault
    transaction.script_results += bytes(script_result(ScriptOutcome.SUCCEEDED, 0, name))
    transaction.note(
        Step.SCRIPTS, f"script {template.tag:X} succeeded", f"its commands: {len(commands)}"
    )
    return None


def not_processed(transaction: Transaction, template: Tlv) -> None:
    """Note a script that the card never got."""
    named = template.find(_IDENTIFIER)
    name = named.value if named and len(named.value) == _NAME else b""
    transaction.script_results += bytes(script_result(ScriptOutcome.NOT_PROCESSED, 0, name))
    transaction.note(Step.SCRIPTS, f"script {template.tag:X} not processed")


def _failed(transaction: Transaction, tag: int, number: int, name: bytes, why: str) -> None:
    before = tag == BEFORE_FINAL
    bit = Tvr.SCRIPT_FAILED_BEFORE_FINAL if before else Tvr.SCRIPT_FAILED_AFTER_FINAL
    transaction.script_results += bytes(script_result(ScriptOutcome.FAILED, number, name))
    transaction.set(bit, Step.SCRIPTS, why)


def _what(number: int, fault: CardFault) -> str:
    if isinstance(fault, CardRefused):
        return f"command {number}: {fault.sw:04X}"
    return f"command {number}: no answer that can be used"

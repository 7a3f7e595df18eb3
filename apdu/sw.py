# SPDX-License-Identifier: Apache-2.0
"""Status words: their names, the families with a number in them, and a sentence for each.

`SW` is for people and for the uncommon path; the chip's usual answers are ready bytes.
"""

from __future__ import annotations

from enum import IntEnum


class SW(IntEnum):
    """Status words this project answers with (ISO 7816-4 5.6; 9xxx: LD/T 32, JR/T 0025)."""

    OK = 0x9000
    BYTES_REMAINING = 0x6100
    FILE_DEACTIVATED = 0x6283
    END_OF_FILE = 0x6282
    AUTH_FAILED = 0x6300
    EXECUTION_ERROR = 0x6400
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    MESSAGING_NOT_SUPPORTED = 0x6882
    LAST_COMMAND_EXPECTED = 0x6883
    CHAINING_NOT_SUPPORTED = 0x6884
    INVALID_STATE = 0x6901
    PREAUTHORISED = 0x6976
    WRONG_FILE_STRUCTURE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    AUTH_BLOCKED = 0x6983
    REFERENCE_DATA_INVALID = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    MESSAGING_MISSING = 0x6987
    MESSAGING_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_SPACE = 0x6A84
    WRONG_P1P2 = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    FILE_EXISTS = 0x6A89
    NAME_EXISTS = 0x6A8A
    WRONG_OFFSET = 0x6B00
    WRONG_LE = 0x6C00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_DIAGNOSIS = 0x6F00
    MAC_INVALID = 0x9302
    PERMANENTLY_BLOCKED = 0x9303
    INSUFFICIENT_FUNDS = 0x9401
    KEY_INDEX_NOT_SUPPORTED = 0x9403
    MAC_NOT_AVAILABLE = 0x9406


_SENTENCES = {
    SW.OK: "done",
    SW.FILE_DEACTIVATED: "the selected application or file is blocked",
    SW.END_OF_FILE: "the end of the file came before the length asked for",
    SW.AUTH_FAILED: "the authentication failed",
    SW.EXECUTION_ERROR: "the command could not be carried out; nothing changed",
    SW.MEMORY_FAILURE: "writing to memory failed",
    SW.WRONG_LENGTH: "wrong length",
    SW.CHANNEL_NOT_SUPPORTED: "logical channels are not supported",
    SW.MESSAGING_NOT_SUPPORTED: "secure messaging is not supported for this command",
    SW.LAST_COMMAND_EXPECTED: "the last command of the chain was expected",
    SW.CHAINING_NOT_SUPPORTED: "this command cannot be chained",
    SW.INVALID_STATE: "the command is not accepted in this state",
    SW.PREAUTHORISED: "the limit is exceeded together with what is pre-authorised",
    SW.WRONG_FILE_STRUCTURE: "the command does not fit the structure of the file",
    SW.SECURITY_NOT_SATISFIED: "a PIN or key must be proven first",
    SW.AUTH_BLOCKED: "the PIN or key is blocked",
    SW.REFERENCE_DATA_INVALID: "no challenge was fetched, or the reference data is unusable",
    SW.CONDITIONS_NOT_SATISFIED: "the conditions of use are not satisfied",
    SW.NO_CURRENT_EF: "no elementary file is selected",
    SW.MESSAGING_MISSING: "secure messaging data is missing",
    SW.MESSAGING_WRONG: "the secure messaging MAC is wrong",
    SW.WRONG_DATA: "the data field is not as the command wants it",
    SW.NOT_SUPPORTED: "the function is not supported",
    SW.FILE_NOT_FOUND: "no such file or application",
    SW.RECORD_NOT_FOUND: "no such record",
    SW.NO_SPACE: "there is no room left",
    SW.WRONG_P1P2: "P1-P2 are wrong",
    SW.REFERENCE_NOT_FOUND: "no such PIN, key or data object",
    SW.FILE_EXISTS: "a file with this identifier exists already",
    SW.NAME_EXISTS: "an application with this name exists already",
    SW.WRONG_OFFSET: "the offset lies outside the file",
    SW.INS_NOT_SUPPORTED: "the instruction is not known",
    SW.CLA_NOT_SUPPORTED: "the class is not known",
    SW.NO_DIAGNOSIS: "no precise diagnosis",
    SW.MAC_INVALID: "the MAC is invalid",
    SW.PERMANENTLY_BLOCKED: "the application is permanently blocked",
    SW.INSUFFICIENT_FUNDS: "the account has not as much",
    SW.KEY_INDEX_NOT_SUPPORTED: "the key index is not supported",
    SW.MAC_NOT_AVAILABLE: "the MAC or TAC asked for is not available",
}

_RANGES = {
    0x62: "a warning, memory unchanged",
    0x63: "a warning, memory changed",
    0x64: "an error in execution, memory unchanged",
    0x65: "an error in execution, memory changed",
    0x66: "a security issue",
    0x68: "a function of the class byte is not supported",
    0x69: "the command is not allowed",
    0x6A: "wrong parameters",
}


def remaining(sw: int) -> int | None:
    """61xx: bytes waiting for GET RESPONSE (00 means 256 or more), else None."""
    return (sw & 0xFF or 256) if sw >> 8 == 0x61 else None


def right_length(sw: int) -> int | None:
    """6Cxx: the Le that the command should have had (00 means 256), else None."""
    return (sw & 0xFF or 256) if sw >> 8 == 0x6C else None


def tries_left(sw: int) -> int | None:
    """63Cx: tries left after a failed comparison, else None."""
    return sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None


def sentence(sw: int) -> str:
    """What a status word says, for people."""
    if sw in _SENTENCES:
        return _SENTENCES[SW(sw)]
    if (more := remaining(sw)) is not None:
        return f"{more} more bytes wait for GET RESPONSE"
    if (length := right_length(sw)) is not None:
        return f"wrong Le, {length} would be right"
    if (tries := tries_left(sw)) is not None:
        return f"wrong; {tries} {'try' if tries == 1 else 'tries'} left"
    return _RANGES.get(sw >> 8, "a status word without a known meaning")

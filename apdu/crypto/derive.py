# SPDX-License-Identifier: Apache-2.0
"""Keys from keys: cards from masters (密钥分散), sessions from challenges and counters.

Nearly every rule enciphers a value and its complement: two blocks of 3DES, one of SM4, so the
same line serves both suites. Derived DES keys come as they are; `odd_parity` sets their parity
where another program compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from struct import Struct
from typing import Final

from apdu.crypto.padding import when_needed
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError

FACTOR: Final = 8
"""Bytes of a diversification factor (分散因子) and of a challenge."""
_ALL: Final = (1 << 64) - 1
_ATC_AND_COMPLEMENT: Final = Struct(">6xH6xH").pack


def with_complement(factor: bytes) -> bytes:
    """8 bytes and their complement: the 16 bytes that a card's key is derived from."""
    if len(factor) != FACTOR:
        raise FormatError(f"factor: {len(factor)} bytes, must be {FACTOR}")
    return factor + (int.from_bytes(factor) ^ _ALL).to_bytes(FACTOR)


def diversify(key: BlockKey, factor: bytes) -> bytes:
    """The 16-byte key one level down: of a province, city or card. `factor`: 8 bytes.

    PBOC's rule (JR/T 0025.7); that LD/T 32 takes the same is profile choice `diversification`.
    """
    return key.encrypt(with_complement(factor))


# Payment: JR/T 0025.5 annex D, EMV Book 2 annex A1


def udk_factor(pan: str, psn: str = "00", option: str = "A") -> bytes:
    """The 8 bytes Y that stand for a card.

    `pan`: 8 to 19 digits, `psn`: PAN sequence number, 2 digits (00 when the card has none).
    Option A takes the last 16 digits; B hashes PANs of more than 16 (EMV Book 2 A1.4).
    Raises FormatError naming the field.
    """
    _digits("PAN", pan, 8, 19)
    _digits("PSN", psn, 2, 2)
    if option not in ("A", "B"):
        raise FormatError("option: must be A or B")
    if option == "A" or len(pan) <= 16:
        return bytes.fromhex((pan + psn).zfill(16)[-16:])
    text = pan + psn
    whole = bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
    hashed = sha1(whole).hexdigest()  # noqa: S324 - the rule says SHA-1
    digits = "".join(filter(str.isdecimal, hashed))
    letters = "".join(filter(str.isalpha, hashed)).translate(_DECIMALISE)
    return bytes.fromhex((digits + letters)[:16])


def udk(master: BlockKey, pan: str, psn: str = "00", option: str = "A") -> bytes:
    """The card's key (UDK, ICC master key) from the issuer's master key (IMK), 16 bytes."""
    return master.encrypt(with_complement(udk_factor(pan, psn, option)))


def pboc_session_key(key: BlockKey, atc: bytes) -> bytes:
    """Session key of one transaction, 16 bytes. `atc`: 2 bytes (JR/T 0025.5 annex D, 0025.17)."""
    number = _atc(atc)
    return key.encrypt(_ATC_AND_COMPLEMENT(number, number ^ 0xFFFF))


def common_session_key(key: BlockKey, diversifier: bytes) -> bytes:
    """EMV common session key: `diversifier` is 8 bytes, ATC and 00s for a cryptogram, the
    cryptogram itself for scripts (EMV Book 2 A1.3.1). Not what PBOC cards use."""
    if len(diversifier) != FACTOR:
        raise FormatError(f"diversifier: {len(diversifier)} bytes, must be {FACTOR}")
    start, end = diversifier[:2], diversifier[3:]
    return key.encrypt(start + b"\xf0" + end + start + b"\x0f" + end)


def vis_session_key(value: bytes, atc: bytes) -> bytes:
    """VIS script session key: each half of the card's key with the ATC XORed to its end.

    `value`: 16 bytes. Not what PBOC cards use.
    """
    if len(value) != 2 * FACTOR:
        raise FormatError(f"key: {len(value)} bytes, must be {2 * FACTOR}")
    number = _atc(atc)
    mask = number << 64 | number ^ 0xFFFF
    return (int.from_bytes(value) ^ mask).to_bytes(2 * FACTOR)


# Social security: LD/T 32, as drivers of three vendors do it


def challenge_key(key: BlockKey, challenge: bytes) -> BlockKey:
    """The session key that a challenge of 8 bytes makes: single DES under 3DES, SM4 under SM4.

    The SM4 rule is profile choice `sm4-session-key`: no source shows it.
    """
    suite = key.suite
    return suite.key(key.encrypt(with_complement(challenge)[: suite.block]))


def authentication(session: BlockKey, data: bytes) -> bytes:
    """8 bytes that prove a session key over `data` (8 bytes): the enciphered block, folded to 8.

    Under SM4 the padding and the fold are profile choice `sm4-cryptogram`.
    """
    if len(data) != FACTOR:
        raise FormatError(f"authentication data: {len(data)} bytes, must be {FACTOR}")
    block = session.encrypt(when_needed(data, session.suite.block))
    left, right = block[:FACTOR], block[FACTOR:] or bytes(FACTOR)
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(FACTOR)


# Many at once


def derive_many(key: BlockKey, blocks: bytes, threads: int = 1) -> bytes:
    """Keys of many cards in one go: 16 bytes each, in the order of `blocks`.

    `blocks` holds 16 bytes a card, factor and complement (see `factors_with_complement`).
    With more than one thread the work is shared out; the ciphers let go of the interpreter.
    Raises FormatError when the bytes are not whole cards, or nobody is to work.
    """
    if len(blocks) % (2 * FACTOR):
        raise FormatError(f"blocks: {len(blocks)} bytes, must be {2 * FACTOR} for each card")
    if threads < 1:
        raise FormatError(f"threads: {threads}, must be at least 1")
    if threads == 1:
        return key.encrypt(blocks)
    # Loaded here, for it costs a card's start more than all of this module.
    from concurrent.futures import ThreadPoolExecutor

    share = -(-len(blocks) // (threads * 2 * FACTOR)) * 2 * FACTOR or 1
    with ThreadPoolExecutor(threads) as pool:
        parts = [blocks[at : at + share] for at in range(0, len(blocks), share)]
        return b"".join(pool.map(key.encrypt, parts))


def factors_with_complement(factors: Iterable[bytes]) -> bytes:
    """What `derive_many` takes, from factors of 8 bytes."""
    return b"".join(map(with_complement, factors))


_DECIMALISE: Final = str.maketrans("abcdef", "012345")


def _digits(name: str, text: str, shortest: int, longest: int) -> None:
    if not (text.isascii() and text.isdecimal() and shortest <= len(text) <= longest):
        rule = f"{shortest} digits" if shortest == longest else f"{shortest} to {longest} digits"
        raise FormatError(f"{name}: must be {rule}")


def _atc(atc: bytes) -> int:
    if len(atc) != 2:
        raise FormatError(f"ATC: {len(atc)} bytes, must be 2")
    return int.from_bytes(atc)

# SPDX-License-Identifier: Apache-2.0
"""Keys at the desk: the card proves itself, the terminal proves itself, and what that opens.

Each of these asks a `KeySource` between two commands to the card. Where a program carries the
question to a key centre by hand, the halves stand here too: what `begin_...` returns is the
request, and `finish_...` takes the answer, while nothing else is sent to the card.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from apdu.command import CommandAPDU
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import RID
from apdu.wire.hrss.commands import (
    CRYPTOGRAM,
    PIN_CHANGE_UNBLOCK,
    PinService,
    PinServiceRef,
)
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.keys import KeySpec, key_named
from apdu.wire.hrss.ssse import IssuerData
from apdu.wire.perso import Algorithm, KeyUsage
from host.card import command_of
from host.clients.hrss import HrssClient
from host.faults import CardMisspoke, CardNotGenuine
from host.keys import Authentication, CardIdentity, KeySource, Protection, chip_number

_IRK, _PUK, _STK = key_named("IRK"), key_named("PUK"), key_named("STK")
_REGION: Final = 3
"""Bytes of the region in the identification code; the RID stands behind them."""
_NATIONAL: Final = "3"
"""The generation whose cards have the national algorithms."""


def identity(client: HrssClient) -> CardIdentity:
    """Region, chip number and suite, as the card says them. SSSE must be current.

    Whether they are true, `prove_card` shows. Cards of the third generation have SM4, earlier
    ones 3DES, as drivers take it from the first digit of the version.
    """
    sfi = SSSE.files[0].sfi
    raw_code, raw_version = client.record_bytes(sfi, 1), client.record_bytes(sfi, 3)
    try:
        code: bytes = IssuerData.parse_field("identification", raw_code)
        version: str = IssuerData.parse_field("version", raw_version)
        return identity_of(code, version, client.card.channel.atr)
    except FormatError as error:
        raise CardMisspoke(str(error)) from None


def identity_of(code: bytes, version: str, atr: bytes) -> CardIdentity:
    """As `identity`, from what was read already: items 01 and 03 of EF05.

    Raises FormatError for a code that is none, CardMisspoke for an ATR without a chip number.
    """
    if code[_REGION : _REGION + len(RID)] != RID:
        raise FormatError("identification code: no RID behind the region")
    suite = SUITES[Algorithm.SM4 if version.startswith(_NATIONAL) else Algorithm.TDES]
    return CardIdentity(code[:_REGION].hex(), chip_number(atr), suite)


# The card proves itself


def prove_card(
    client: HrssClient, source: KeySource, card: CardIdentity, random: Callable[[int], bytes]
) -> None:
    """INTERNAL AUTHENTICATE with IRK: CardNotGenuine unless the card is who it says (LD/T 33: -21).

    `random` gives so many random bytes; they must be new each time.
    """
    request = Authentication(_IRK, card, random(CRYPTOGRAM), random(CRYPTOGRAM))
    shown = client.internal_authenticate(_IRK.kid, request.factor, request.data)
    if not compare_digest(source.authenticate(request), shown):
        raise CardNotGenuine("the card did not prove its key: it is not the one it says it is")


# The terminal proves itself


def authenticate(client: HrssClient, source: KeySource, card: CardIdentity, key: KeySpec) -> None:
    """EXTERNAL AUTHENTICATE with a key of the current DF or of the application.

    Raises PinWrong with the key's tries left, PinBlocked when there are none.
    """
    with client.card.transaction():
        request = begin_authentication(client, card, key)
        finish_authentication(client, request, source.authenticate(request))


def begin_authentication(client: HrssClient, card: CardIdentity, key: KeySpec) -> Authentication:
    """What the terminal has to be able to answer. The data is a challenge of the card's as well.

    CardMisspoke when the two are one: a card that plays back what it was once asked.
    """
    if key.usage is not KeyUsage.EXTERNAL_AUTHENTICATE:
        raise FormatError(f"key {key.name}: does not serve EXTERNAL AUTHENTICATE")
    data, factor = client.challenge(), client.challenge()
    if data == factor:
        raise CardMisspoke("GET CHALLENGE: the card gave the same challenge twice")
    return Authentication(key, card, factor, data)


def finish_authentication(client: HrssClient, request: Authentication, cryptogram: bytes) -> None:
    client.external_authenticate(request.key.kid, cryptogram, request.data)


# The PIN service (PIN 解锁, PIN 重装)


def unblock_pin(client: HrssClient, source: KeySource, card: CardIdentity) -> None:
    """Give the PIN all its tries again. Needs PUK and STK; SSSE must be current."""
    with client.card.transaction():
        authenticate(client, source, card, _PUK)
        request = begin_unblock(client, card)
        finish_pin_service(client, source.protect(request))


def reload_pin(client: HrssClient, source: KeySource, card: CardIdentity, new: str) -> None:
    """Give the PIN a new value, 6 to 8 digits, and all its tries again; as `unblock_pin`."""
    pin_bytes(new)  # a PIN that is none must not cost an authentication
    with client.card.transaction():
        authenticate(client, source, card, _PUK)
        request = begin_reload(client, card, new)
        finish_pin_service(client, source.protect(request))


def begin_unblock(client: HrssClient, card: CardIdentity) -> Protection:
    """The command for the card's next challenge, once PUK has been authenticated."""
    return _protection(client, card, PinService.UNBLOCK, b"")


def begin_reload(client: HrssClient, card: CardIdentity, new: str) -> Protection:
    return _protection(client, card, PinService.RELOAD, pin_bytes(new))


def finish_pin_service(client: HrssClient, command: CommandAPDU) -> None:
    """Send the protected command."""
    client.card.relay(command, PIN_CHANGE_UNBLOCK.name)


def _protection(
    client: HrssClient, card: CardIdentity, service: PinService, new: bytes
) -> Protection:
    command = command_of(PIN_CHANGE_UNBLOCK, PinServiceRef(service), new, 0)
    return Protection(_STK, card, client.challenge(), command, enciphered=True)

# SPDX-License-Identifier: Apache-2.0
"""Whatever holds a key or a PIN shows it in no text form, and cannot be copied or stored.

That no class is forgotten: every dataclass is looked at, and a field that has the name of a secret
must be hidden, or stand in a list of those that are public, with the reason.
"""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pkgutil import walk_packages
from pprint import pformat
from typing import Any

import pytest
from rsakeys import PRIMES, key_of_size
from secretscan import leaks

import apdu
import card_os
import host
from apdu.command import CommandAPDU
from apdu.crypto import sm2
from apdu.crypto.aes import AES
from apdu.crypto.dukpt import FutureKeys, initial_key
from apdu.crypto.rsa import crt_parts
from apdu.crypto.suites import SUITES
from apdu.messaging import challenge_messaging, script_messaging
from apdu.secret import SECRET_INS, Secret
from apdu.trace import Exchange
from apdu.wire import pinblock
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import INITIAL_PIN
from apdu.wire.hrss.commands import PinChange
from apdu.wire.hrss.keys import key_named
from apdu.wire.ksn import Ksn
from apdu.wire.perso import Algorithm, KeyBlock, KeyUsage
from apdu.wire.psam_commands import MacData
from card_os.files.layout import SecretHeader
from card_os.secrets.keys import KeyObject
from host.cli.testcard import issue_test_card, issue_test_psam
from host.hsm import MemoryHsm
from host.keys import TEST_ROOT, CardIdentity, MemoryKeys, Protection

KEY = bytes.fromhex("8E2B90D7354CF1A6691DE04CB87352FA")
OTHER = bytes.fromhex("D3719C05E84A2F6BB0173E92C8651DFA")
PIN, NEW = "739158", "48026713"
KSN = Ksn.parse(bytes.fromhex("FFFF9876543210E00000"))
CARD = CardIdentity("430200", bytes.fromhex("A1C3E5F708192B3D"))
TDES = SUITES[1]


# Objects


def future_keys() -> FutureKeys:
    return FutureKeys(initial_key(KEY, KSN), KSN)


def rsa_parts() -> bytes:
    """The primes of a key, which are all of it."""
    return b"".join(map(bytes.fromhex, PRIMES[512]))


def commands() -> Iterator[CommandAPDU]:
    for ins in sorted(SECRET_INS):
        for data in (pin_bytes(PIN), KEY, pin_bytes(PIN) + b"\xff" + pin_bytes(NEW)):
            yield CommandAPDU(0x80, ins, 0, 1, data)


def exchanges() -> Iterator[Exchange]:
    return (Exchange.of(bytes(each), b"\x90\x00") for each in commands())


def sources() -> Iterator[object]:
    for suite in SUITES.values():
        keys = MemoryKeys(Secret(KEY), suite)
        yield keys
        yield MemoryHsm(keys, CARD)
        yield keys.card_key(key_named("PUK"), CARD.region, CARD.unique)
        yield keys.session(key_named("STK"), CardIdentity("430200", bytes(8), suite), bytes(8))


def chips() -> Iterator[object]:
    """What a chip is made of, with its keys at work."""
    for chip in (issue_test_card(), issue_test_psam()):
        context = chip._ctx
        yield from (chip, context, context.session, context.tree, context.table)
        for directory in context.tree.directories:
            yield directory
            yield from directory.pins.values()
            for found in directory.keys._keys.values():
                for key in found:
                    assert key.cipher is not None
                    yield key


OBJECTS: dict[str, Callable[[], Any]] = {
    "Secret": lambda: [Secret(KEY), Secret(PIN.encode())],
    "BlockKey": lambda: [suite.key(KEY) for suite in (*SUITES.values(), AES)],
    "BlockKey, used": lambda: [key for key in map(TDES.key, (KEY, KEY[:8])) if key.mac(bytes(20))],
    "Messaging": lambda: [
        challenge_messaging(TDES.key(KEY), bytes(8)),
        script_messaging(TDES.key(KEY), TDES.key(OTHER), bytes(2), bytes(8)),
    ],
    "CommandAPDU": lambda: list(commands()),
    "Exchange": lambda: list(exchanges()),
    "KeyBlock": lambda: [
        KeyBlock(KeyUsage.MESSAGING, 1, Algorithm.TDES, 15, KEY),
        KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, 6, pin_bytes(PIN)),
    ],
    "PinChange": lambda: [PinChange(pin_bytes(PIN), pin_bytes(NEW))],
    "SecretHeader": lambda: [
        SecretHeader(0, KeyUsage.PIN, 0, Algorithm.NONE, 6, 0, pin_bytes(PIN))
    ],
    "MacData": lambda: [MacData(KEY[:8], KEY)],
    "PIN blocks": lambda: [
        pinblock.Iso0PinField(PIN),
        pinblock.Iso1PinBlock(PIN),
        pinblock.Iso2PinBlock(PIN),
        pinblock.Iso3PinField(PIN),
        pinblock.Iso4PinField(PIN, KEY[:8]),
    ],
    "FutureKeys": lambda: [future_keys()],
    "RSA": lambda: [crt_parts(*map(bytes.fromhex, PRIMES[512]), b"\x03"), key_of_size(512)],
    "SM2": lambda: [sm2.PrivateKey(KEY + OTHER), sm2.generate(lambda size: KEY + OTHER)],
    "Protection": lambda: [
        Protection(key_named("STK"), CARD, bytes(8), command) for command in commands()
    ],
    "sources": lambda: list(sources()),
    "chips": lambda: list(chips()),
}


def texts(found: Any) -> Iterator[str | bytes]:
    """Every text form, and copies and pickles where they can be had."""
    yield from (repr(found), str(found), f"{found}", f"{found!a}", "%s %r" % (found, found))  # noqa: UP031
    yield from (pformat(found, width=20), repr([found]), repr({"key": found}))
    yield json.dumps(found, default=str)
    yield json.dumps([found], default=repr)
    for way in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, bytes_of_state):
        try:
            made = way(found)
        except (TypeError, ValueError, AttributeError) as refused:
            yield str(refused)
        else:
            yield made if isinstance(made, bytes) else repr(made)


def bytes_of_state(found: Any) -> str:
    return repr(vars(found))


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_with_a_secret_shows_it_in_no_form(name: str) -> None:
    secrets = {KEY, OTHER, KEY + OTHER, rsa_parts(), TEST_ROOT}
    if name == "FutureKeys":
        secrets |= set(filter(None, future_keys()._keys))
    if name == "sources":
        secrets |= {each.reveal() for each in sources() if isinstance(each, Secret)}
    if name == "chips":
        secrets |= {each.cipher._value for each in chips() if isinstance(each, KeyObject)}
    found = OBJECTS[name]()
    assert found
    for each in found:
        shown = list(texts(each))
        assert [] == leaks(shown, secrets, [PIN, NEW, INITIAL_PIN]), type(each)
        if type(each).__hash__:  # that of a number is the number; others have any digits by chance
            assert hash(each) not in {int(pin) for pin in (PIN, NEW, INITIAL_PIN)}
    if name == "chips":
        assert len(secrets) > 65


@pytest.mark.parametrize(
    "name",
    [
        "Secret",
        "BlockKey",
        "BlockKey, used",
        "Messaging",
        "CommandAPDU",
        "KeyBlock",
        "PinChange",
        "SecretHeader",
        "MacData",
        "PIN blocks",
        "FutureKeys",
        "RSA",
        "SM2",
        "Protection",
    ],
)
def test_an_object_with_a_secret_can_be_neither_pickled_nor_deeply_copied(name: str) -> None:
    for each in OBJECTS[name]():
        for way in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="not to be copied or stored"):
                way(each)


@pytest.mark.parametrize("data", [b"", b"\x12"])
def test_a_command_without_a_secret_is_copied_as_any_value(data: bytes) -> None:
    for command in (CommandAPDU(0, 0xA4, 4, 0, data, 256), CommandAPDU(0, 0x20, 0, 0, b"", 256)):
        for way in (copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))):  # noqa: S301
            assert command == way(command)


# Classes

SOUNDS_SECRET = re.compile(
    r"_?(pin|puk|old|new|key|\w+_key|value|initial|master|root|private|secret|password"
    r"|p|q|d|dp|dq|qinv|seed|blocks)"
)
PUBLIC = {
    "CommandForm.secret": "whether its data is one",
    "Curve.p": "the field of a curve",
    "Fixed.value": "P1-P2",
    "Shown.value": "what is shown to people",
    "PublicKey.value": "a public key",
    "Sm2CaKeyData.key": "a public key",
    "Sm2IssuerCertificate.key": "a public key",
    "Sm2IccCertificate.key": "a public key",
    "IssuerCertificate.key": "part of a public key",
    "IccCertificate.key": "part of a public key",
    "CaKeyData.key": "a public key",
    "CaKey.key": "a public key",
    "IssuerKey.key": "a public key",
    "IccKey.key": "a public key",
    "CardReport.pin": "how many tries are left",
    "Authentication.key": "which key it is",
    "Protection.key": "which key it is",
    "Purchase.key": "which key it is",
    "Load.key": "which key it is",
    "Stage.seed": "the seed of a demonstration",
    "Manner.seed": "the seed of faults on purpose",
    "Machine.root": "a folder",
    "Happened.key": "what a masked command is known by when it is compared",
    "User.secret": "how to ask for one",
    "Messaging.mac_key": "a BlockKey, which hides itself",
    "Derived.key": "a BlockKey, which hides itself",
    "Begun.key": "a BlockKey, which hides itself",
    "PkiMessaging.mac_key": "a BlockKey, which hides itself",
    "Desk.pin": "whether there is a PIN pad",
    "Fact.value": "what a card counts",
    "PinKeys.pin": "a BlockKey, which hides itself",
    "Transaction.card_key": "a public key",
    "Proven.secret": "a KeyObject, which hides itself",
    "PkiPinRef.pin": "which PIN it is",
    "Typed.pin": "a Secret, which hides itself",
    "Patience.pin": "how long to wait for one",
    "KeyPair.private": "a file",
    "KeyPairFiles.private": "a file's identifier",
    "DecipherData.private": "a file's identifier",
    "ImportData.key": "which half of a pair it is",
    "ImportData.value": "a public key, or a private one that is enciphered",
}


def dataclasses() -> Iterator[type]:
    for package in (apdu, card_os, host):
        for each in walk_packages(package.__path__, f"{package.__name__}."):
            try:
                module = import_module(each.name)
            except ImportError:  # an optional library
                continue
            for found in vars(module).values():
                if isinstance(found, type) and found.__module__ == each.name:
                    if is_dataclass(found):
                        yield found


class Marker:
    """Stands in a field for its value, and shows which one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


def marked(kind: type) -> Any:
    made = object.__new__(kind)
    for item in fields(kind):
        object.__setattr__(made, item.name, Marker(item.name))
    return made


def shown_fields(kind: type) -> set[str]:
    """The fields that the text form of a class shows. One of its own making is looked at above."""
    try:
        text = repr(marked(kind))
    except (TypeError, AttributeError):
        return set()
    return set(re.findall(r"<(\w+)>", text))


def test_no_class_shows_a_field_that_has_the_name_of_a_secret() -> None:
    found = {
        f"{kind.__name__}.{name}"
        for kind in dataclasses()
        for name in shown_fields(kind)
        if SOUNDS_SECRET.fullmatch(name)
    }
    assert set(PUBLIC) == found
    assert len(list(dataclasses())) > 80
    hidden = {kind.__name__ for kind in dataclasses() if not all(f.repr for f in fields(kind))}
    assert {"KeyBlock", "PinChange", "SecretHeader"} <= hidden

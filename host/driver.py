# SPDX-License-Identifier: Apache-2.0
"""The functions of LD/T 33 (社会保障卡读写终端接口), by the names that hospital programs call.

    driver = Driver(lambda iType: MemoryChannel(chip), psam=MemoryChannel(psam), ask_pin=pad)
    driver.iReadCardBas(1)                      # "430200|4302...|B00000131|..."
    driver.call("iReadCardBas", iType=1)        # Answer(code=0, pOutInfo="430200|...")

Each function powers the card on, does its work and lets go of the card with nothing left proven.
It returns pOutInfo or raises DriverFault; `call` answers with a code for everything that may be
wrong with a card or with what was given. Text may be str, or bytes of GB 18030.

Where the PSAM cannot answer (codes -2201, -2202, -2203, -27272, -24) and a way to the key
centre's HSM was given, a function goes on through that by itself. Without one the program sees
the code and carries the lines itself: `..._HSM_Step1` gives a line, the next step takes the
centre's answer as pKey. Between two steps the card stays under power, for its challenge is in the
line: no reset, and no other function, which would drop what was begun. A step out of order is -14.

What pOutInfo holds: `host.ldt33.basics`, `addresses`, `values`, `account`. Codes: `codes`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self

from host.channel import Channel
from host.hsm import HsmAddresses
from host.ldt33.account import debit, read_record
from host.ldt33.addresses import file_addresses
from host.ldt33.basics import read_basics
from host.ldt33.codes import Code, DriverFault
from host.ldt33.files import Writing, read_files
from host.ldt33.pinpad import AskPin, PinPad, PinPrompt
from host.ldt33.pins import change_pin, reload_pin, unblock_pin, verify_pin
from host.ldt33.running import Running, step_name
from host.ldt33.sources import Ask, Sources
from host.ldt33.syntax import CardInfo, PayInfo, Text

__all__ = ["FUNCTIONS", "Answer", "Code", "Driver", "DriverFault", "PinPrompt"]

BY_PIN, BY_KEY = 1, 2
"""iAuthType, for files that open either way."""
_PLAIN: Final[dict[str, tuple[str, ...]]] = {
    "iReadCardBas": ("iType",),
    "iReadCard": ("iType", "iAuthType", "pCardInfo", "pFileAddr"),
    "iWriteCard": ("iType", "pCardInfo", "pFileAddr", "pWriteData"),
    "iVerifyPIN": ("iType",),
    "iChangePIN": ("iType",),
    "iReloadPIN": ("iType", "pCardInfo"),
    "iUnblockPIN": ("iType", "pCardInfo"),
    "iDoDebit": ("iType", "pCardInfo", "pPayInfo"),
    "iReadDebitRecord": ("iType",),
}
_STEPS: Final = {
    "iReadCardBas": 2,
    "iReadCard": 2,
    "iWriteCard": 2,
    "iReloadPIN": 3,
    "iUnblockPIN": 3,
    "iDoDebit": 2,
}
_NOT_FIRST: Final = frozenset({"iAuthType", "pWriteData"})
"""What the first step does not take: the HSM is the key's way, and values come with the second."""
_LATER: Final = {("iWriteCard", 2): ("pKey", "pWriteData")}


def _parameters(name: str, step: int) -> tuple[str, ...]:
    if step == 1:
        return tuple(each for each in _PLAIN[name] if each not in _NOT_FIRST)
    return _LATER.get((name, step), ("pKey",))


FUNCTIONS: Final = _PLAIN | {
    step_name(name, step): _parameters(name, step)
    for name, steps in _STEPS.items()
    for step in range(1, steps + 1)
}
"""Every function and its parameters, in the order of LD/T 33."""
_NUMBERS: Final = frozenset({"iType", "iAuthType"})


class Answer(NamedTuple):
    """What `call` says: 0 and pOutInfo, or a code below 0 and its sentence."""

    code: int
    pOutInfo: str  # the standard's name


class Driver:
    """A reader with its PSAM slot, PIN pad and way to the key centre. For one thread at a time."""

    def __init__(
        self,
        card: Callable[[int], Channel],
        psam: Channel | None = None,
        hsm: Ask | None = None,
        ask_pin: AskPin | None = None,
        random: Callable[[int], bytes] = os.urandom,
        device: str = "",
        terminal: str = "",
        addresses: HsmAddresses | None = None,
    ) -> None:
        """`card` connects to the card for an iType and raises CardGone when there is none; the
        driver resets what it gives, and closes it when the function is over. `psam` stays open.

        `hsm` carries a line to the key centre and brings its answer; for iReloadPIN the line has
        the new PIN in it, in the clear, so it must never be logged. `terminal` (12 digits) is the
        terminal's number where there is no PSAM to tell it, `device` the device's, `addresses`
        those of keys in this centre's HSM.
        """
        self._sources = Sources(psam, hsm, addresses or HsmAddresses(), random, terminal, device)
        self._running = Running(card, PinPad(ask_pin), self._sources)

    # Reading and writing

    def iReadCardBas(self, iType: int) -> str:
        """Issuer and holder (`host.ldt33.basics`); the card has proven itself where it could."""
        return self._running.run(iType, lambda desk: read_basics(desk, self._sources))

    def iReadCard(self, iType: int, iAuthType: int, pCardInfo: Text, pFileAddr: Text) -> str:
        """The items that pFileAddr names, in its shape. iAuthType 1: the holder has the PIN
        entered, 2: the terminal's key, for files that open either way."""
        if iAuthType not in (BY_PIN, BY_KEY):
            raise DriverFault(Code.PARAMETER, "iAuthType: must be 1 (PIN) or 2 (key)")
        meant, files = CardInfo.parse(pCardInfo), file_addresses(pFileAddr)
        with_pin = iAuthType == BY_PIN
        return self._running.run(
            iType, lambda desk: read_files(desk, meant, files, with_pin=with_pin)
        )

    def iWriteCard(self, iType: int, pCardInfo: Text, pFileAddr: Text, pWriteData: Text) -> str:
        """Write the values of pWriteData to the items that pFileAddr names, in its shape."""
        writing = Writing(CardInfo.parse(pCardInfo), file_addresses(pFileAddr))
        writing.take(pWriteData)
        return self._running.run(iType, writing.run)

    # The PIN

    def iVerifyPIN(self, iType: int) -> str:
        """Have the PIN entered and compared."""
        return self._running.do(iType, verify_pin)

    def iChangePIN(self, iType: int) -> str:
        """Have the old PIN entered, and twice the new one."""
        return self._running.do(iType, change_pin)

    def iReloadPIN(self, iType: int, pCardInfo: Text) -> str:
        """Give the card a new PIN, entered twice, in place of one that was forgotten."""
        meant = CardInfo.parse(pCardInfo)
        return self._running.run(iType, lambda desk: reload_pin(desk, meant), keys=True)

    def iUnblockPIN(self, iType: int, pCardInfo: Text) -> str:
        """Give the PIN all its tries again."""
        meant = CardInfo.parse(pCardInfo)
        return self._running.run(iType, lambda desk: unblock_pin(desk, meant), keys=True)

    # The medical account

    def iDoDebit(self, iType: int, pCardInfo: Text, pPayInfo: Text) -> str:
        """Pay from the medical account (`host.ldt33.account`). The holder has the PIN entered."""
        meant, pay = CardInfo.parse(pCardInfo), PayInfo.parse(pPayInfo)
        return self._running.run(
            iType, lambda desk: debit(desk, self._sources, meant, pay), keys=True
        )

    def iReadDebitRecord(self, iType: int) -> str:
        """What was paid, the newest first. The holder has the PIN entered."""
        return self._running.do(iType, read_record)

    # The same through a key centre, line by line

    def iReadCardBas_HSM_Step1(self, iType: int) -> str:
        """region|ATR|algorithm|identification code|R1|R2|R3|R4|terminal|device|"""
        return self._running.begin(
            "iReadCardBas", iType, lambda desk: read_basics(desk, self._sources)
        )

    def iReadCardBas_HSM_Step2(self, pKey: Text) -> str:
        """`pKey`: RESULT1|RESULT2|. What iReadCardBas gives."""
        return self._running.go_on("iReadCardBas", 2, pKey)

    def iReadCard_HSM_Step1(self, iType: int, pCardInfo: Text, pFileAddr: Text) -> str:
        """algorithm|key address|R|R|, or -2204 when no key is needed. All files under one key."""
        meant, files = CardInfo.parse(pCardInfo), file_addresses(pFileAddr)
        return self._running.begin(
            "iReadCard", iType, lambda desk: read_files(desk, meant, files, with_pin=False)
        )

    def iReadCard_HSM_Step2(self, pKey: Text) -> str:
        """`pKey`: C·D. What iReadCard gives."""
        return self._running.go_on("iReadCard", 2, pKey)

    def iWriteCard_HSM_Step1(self, iType: int, pCardInfo: Text, pFileAddr: Text) -> str:
        """algorithm|key address|R|R|. All files under one key."""
        writing = Writing(CardInfo.parse(pCardInfo), file_addresses(pFileAddr))
        return self._running.begin("iWriteCard", iType, writing.run, writing.take)

    def iWriteCard_HSM_Step2(self, pKey: Text, pWriteData: Text) -> str:
        """`pKey`: C·D. Writes the values, which are all checked before the key is proven."""
        return self._running.go_on("iWriteCard", 2, pKey, pWriteData)

    def iReloadPIN_HSM_Step1(self, iType: int, pCardInfo: Text) -> str:
        """algorithm|key address of PUK|R|R|"""
        meant = CardInfo.parse(pCardInfo)
        return self._running.begin("iReloadPIN", iType, lambda desk: reload_pin(desk, meant))

    def iReloadPIN_HSM_Step2(self, pKey: Text) -> str:
        """`pKey`: C·D. Has the new PIN entered: algorithm|key address|challenge|APDU header|PIN|.

        The new PIN is in this line, in the clear: never log it, and let nobody else read it.
        """
        return self._running.go_on("iReloadPIN", 2, pKey)

    def iReloadPIN_HSM_Step3(self, pKey: Text) -> str:
        """`pKey`: the finished APDU, which the card gets."""
        return self._running.go_on("iReloadPIN", 3, pKey)

    def iUnblockPIN_HSM_Step1(self, iType: int, pCardInfo: Text) -> str:
        """algorithm|key address of PUK|R|R|"""
        meant = CardInfo.parse(pCardInfo)
        return self._running.begin("iUnblockPIN", iType, lambda desk: unblock_pin(desk, meant))

    def iUnblockPIN_HSM_Step2(self, pKey: Text) -> str:
        """`pKey`: C·D. algorithm|key address|challenge|APDU header||"""
        return self._running.go_on("iUnblockPIN", 2, pKey)

    def iUnblockPIN_HSM_Step3(self, pKey: Text) -> str:
        """`pKey`: the finished APDU, which the card gets."""
        return self._running.go_on("iUnblockPIN", 3, pKey)

    def iDoDebit_HSM_Step1(self, iType: int, pCardInfo: Text, pPayInfo: Text) -> str:
        """algorithm|key address|card random|card sequence|amounts|32|terminal|time|"""
        meant, pay = CardInfo.parse(pCardInfo), PayInfo.parse(pPayInfo)
        return self._running.begin(
            "iDoDebit", iType, lambda desk: debit(desk, self._sources, meant, pay)
        )

    def iDoDebit_HSM_Step2(self, pKey: Text) -> str:
        """`pKey`: sequence|time|MAC1|. What iDoDebit gives."""
        return self._running.go_on("iDoDebit", 2, pKey)

    # By name

    def call(self, function: str, **parameters: Any) -> Answer:
        """Call a function by its name: for programs that do not know Python.

        -13 for a name that is none of `FUNCTIONS`, -14 for a parameter that is missing, not the
        function's, or of the wrong kind.
        """
        try:
            if function not in FUNCTIONS:
                raise DriverFault(Code.UNSUPPORTED, "no function has this name")
            _fitting(FUNCTIONS[function], parameters)
            return Answer(0, getattr(self, function)(**parameters))
        except DriverFault as fault:
            return Answer(fault.code, fault.sentence)

    def close(self) -> None:
        """Drop what was begun and let go of its card."""
        self._running.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fitting(wanted: tuple[str, ...], given: dict[str, Any]) -> None:
    """-14 unless these are the parameters of a function, and numbers and text where they belong."""
    for name in wanted:
        if name not in given:
            raise DriverFault(Code.PARAMETER, f"{name}: is missing")
        value = given[name]
        if name in _NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
            raise DriverFault(Code.PARAMETER, f"{name}: must be a number")
        if name not in _NUMBERS and not isinstance(value, str | bytes):
            raise DriverFault(Code.PARAMETER, f"{name}: must be text")
    if len(given) > len(wanted):
        raise DriverFault(Code.PARAMETER, f"there are no parameters but {', '.join(wanted)}")

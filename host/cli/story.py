# SPDX-License-Identifier: Apache-2.0
"""The story that `sscard demo` plays: what happens, and what each step has to come to.

Nothing here writes anything; `render` shows what was played. Titles name no PIN, since the whole
story may go to a file.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from apdu.sw import SW
from apdu.wire.hrss.application import INITIAL_PIN, PIN_TRIES
from apdu.wire.hrss.generations import SSSE
from apdu.wire.iso7816 import READ_RECORD, RecordRef
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import ACTIVATE_FILE
from host.cli.payment_story import PAYMENT, bank_personalises
from host.cli.purchase_story import PURCHASE
from host.cli.stage import Script, Stage, refused, require
from host.cli.text import spaced
from host.clients.hrss import HrssClient
from host.faults import InitialPinInForce, NotAllowed, NotFound, PinBlocked, PinWrong
from host.keys import MemoryKeys
from host.terminal.hrss import activate, begin_transaction, log_in
from host.terminal.personalise import personalise

STORY: Final = Script()
"""The steps, in the order in which they stand below; where they buy or pay, those of other
files."""

MISTYPED_PIN: Final = "654312"
CHOSEN_PIN: Final = "318274"
_BANK_SFI: Final = 1


@STORY.step(
    "A card is issued",
    "制卡",
    "A blank chip gets its files, keys, PIN and data, and is sealed: 6985 from then on.",
    long=True,
)
def issue(stage: Stage) -> str:
    return _issue(stage, stage.seed)


STORY.extend(PAYMENT)


@STORY.step(
    "The bank's application is looked at",
    "银行应用",
    "It stands beside the social security application; what it says now is kept.",
)
def bank_before(stage: Stage) -> str:
    stage.power_up()
    stage.bank = _ask_bank(stage)
    return f"an FCI of {len(stage.bank[0])} bytes, an account record of {len(stage.bank[1])}"


@STORY.step(
    "A hospital terminal reads the card",
    "医院读卡",
    "EF05 and EF06 are free to read and say what the holder file says.",
)
def read(stage: Stage) -> str:
    stage.power_up()
    with stage.card.transaction():
        stage.hrss = HrssClient(stage.card)
        issuer, found = stage.hrss.issuer(), stage.hrss.holder()
    holder = stage.holder
    _agree(found.number, holder.number, "identity number")
    _agree(found.full_name, holder.name, "name")
    _agree(found.sex, holder.sex, "sex")
    _agree(found.ethnic_group, holder.ethnic_group, "ethnic group")
    _agree(found.birthplace, holder.birthplace, "birthplace")
    _agree(found.born, holder.birth_date, "birth date")
    _agree(issuer.issued, holder.issue_date, "issue date")
    _agree(issuer.expires, holder.expiry_date, "expiry date")
    _agree(issuer.card_number, holder.card_number or issuer.card_number, "card number")
    return f"card {issuer.card_number} of {found.full_name}, valid until {issuer.expires}"


@STORY.step(
    "The household data is asked for without a PIN",
    "未验证密码",
    "DF01 EF05 is guarded by the PIN or a key: 6982.",
)
def read_refused(stage: Stage) -> str:
    refused(NotAllowed, stage.hrss.household, SW.SECURITY_NOT_SATISFIED)
    return "refused, not a byte came out"


@STORY.step("The holder mistypes the PIN", "密码错误", "63C5: one try of six is gone.")
def mistype(stage: Stage) -> str:
    stage.remark("a wrong one")
    fault = refused(PinWrong, lambda: log_in(stage.hrss, MISTYPED_PIN), 0x63C5)
    return f"{fault.tries_left} tries are left"


@STORY.step(
    "The holder logs in with the initial PIN",
    "验证密码",
    "9000: the PIN is proven, and all tries are back.",
)
def login(stage: Stage) -> str:
    stage.remark("the initial one")
    log_in(stage.hrss, INITIAL_PIN)
    return "logged in: enough to read and to query"


@STORY.step(
    "A transaction is begun with the initial PIN",
    "初始密码",
    "The card takes the PIN, but the terminal must not transact with it (LD/T 33, error -35).",
)
def initial_pin(stage: Stage) -> str:
    stage.remark("the initial one")
    fault = refused(InitialPinInForce, lambda: begin_transaction(stage.hrss, INITIAL_PIN))
    return f"the terminal stops: {fault}"


@STORY.step(
    "The holder chooses a PIN, which activates the account",
    "启用",
    "CHANGE PIN and VERIFY, both 9000; after that a transaction may begin.",
)
def activation(stage: Stage) -> str:
    activate(stage.hrss, INITIAL_PIN, CHOSEN_PIN)
    stage.remark("the chosen one, to transact")
    begin_transaction(stage.hrss, CHOSEN_PIN)
    stage.pin = CHOSEN_PIN
    return "activated, and the terminal may transact"


@STORY.step("The household data is read", "读户籍信息", "What was refused before is answered now.")
def household(stage: Stage) -> str:
    found = stage.hrss.household()
    require(not found.address, "there is an address on a card that was just made")
    return "readable; on a new card all of it is still empty"


STORY.extend(PURCHASE)


@STORY.step(
    "The bank's application is untouched",
    "应用隔离",
    "The same FCI and record as before; seen from there, EF06 of SSSE does not exist: 6A82.",
)
def bank_after(stage: Stage) -> str:
    _same_bank(stage)
    stage.remark("EF06 of SSSE has this number")
    hidden = RecordRef(1, SSSE.files[1].sfi)
    refused(NotFound, lambda: stage.card.send(READ_RECORD, hidden, None), SW.FILE_NOT_FOUND)
    return "byte for byte as it was, and a room of its own"


@STORY.step(
    "Back in the social security application",
    "重新验证",
    "Selecting another application has undone the login: 63C6 when asked, and 6982 again.",
)
def forgotten(stage: Stage) -> str:
    stage.hrss.select()
    left = stage.hrss.tries_left()
    require(left == PIN_TRIES, "the PIN still counts as proven" if left is None else f"{left} left")
    refused(NotAllowed, stage.hrss.household, SW.SECURITY_NOT_SATISFIED)
    return f"nothing is proven any more, and all {left} tries are there"


@STORY.step("A second card is issued", "再制一卡", "The same holder, another chip.", long=True)
def issue_second(stage: Stage) -> str:
    made = _issue(stage, stage.seed + 1)
    bank_personalises(stage)
    return made


@STORY.step(
    "Its PIN is mistyped until it is blocked",
    "密码锁定",
    "63C5 down to 63C0, and then 6983 even to the right PIN.",
)
def block(stage: Stage) -> str:
    stage.power_up()
    stage.bank = _ask_bank(stage)
    stage.hrss = HrssClient(stage.card)
    for left in reversed(range(PIN_TRIES)):
        stage.remark("a wrong one")
        refused(PinWrong, lambda: log_in(stage.hrss, MISTYPED_PIN), 0x63C0 | left)
    stage.remark("the right one")
    refused(PinBlocked, lambda: log_in(stage.hrss, INITIAL_PIN), SW.AUTH_BLOCKED)
    return "blocked; only a service window can help now"


@STORY.step(
    "The rest of the second card lives on",
    "其余正常",
    "Free data stays readable, and the bank's application has not noticed.",
)
def lives_on(stage: Stage) -> str:
    stage.hrss.select()
    _agree(stage.hrss.holder().number, stage.holder.number, "identity number")
    _same_bank(stage)
    return "one PIN is blocked, nothing else"


def _issue(stage: Stage, seed: int) -> str:
    atr = stage.take_blank_card(seed)
    personalise(stage.card, stage.holder, MemoryKeys())
    count = len(stage.log)
    stage.remark("tried once more, on the sealed chip")
    seal_again = partial(stage.card.send, ACTIVATE_FILE, None, None)
    refused(NotAllowed, seal_again, SW.CONDITIONS_NOT_SATISFIED)
    return f"made and sealed with {count} commands; ATR {spaced(atr)}"


def _ask_bank(stage: Stage) -> tuple[bytes, bytes]:
    """Select the bank's application: its FCI and its account record."""
    fci = stage.card.select(DEBIT_AID)
    return fci, stage.card.send(READ_RECORD, RecordRef(1, _BANK_SFI), None)


def _same_bank(stage: Stage) -> None:
    require(_ask_bank(stage) == stage.bank, "the bank's application answers otherwise than before")


def _agree(on_card: object, in_file: object, what: str) -> None:
    require(on_card == in_file, f"{what}: the card does not say what the holder file says")

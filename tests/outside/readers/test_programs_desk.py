# SPDX-License-Identifier: Apache-2.0
"""A desk with two readers: the card in the first, the terminal's PSAM in the second, and our own
programs on both through PC/SC."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from commandline import in_a_process
from conftest import Serve
from hermetic import READERS, Pcscd, until
from serving import PLAIN_READS, answers, issue, snapshot

from apdu.atr import Interface, interface_of
from card_os.image import ImageFlash
from host.channel.pcsc import PcscChannel

pytestmark = pytest.mark.outside
pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
AT_THE_DESK = ("--reader", READERS[0], "--psam-reader", READERS[1])
PIN = "864209"
PPSE = "00A404000E325041592E5359532E444446303100"


def driver(function: str, *words: object, typed: str = "") -> str:
    done = in_a_process("driver", function, *words, input=typed.encode(), timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().removesuffix("\n")


def test_a_medical_purchase_with_card_and_psam_in_readers(
    serve: Serve, pcscd: Pcscd, image: Path, tmp_path: Path
) -> None:
    psam = issue(tmp_path / "psam.img", "--psam", "430200", "--seed", "7")
    driver("iChangePIN", "--card", image, typed=f"123456\n{PIN}\n{PIN}\n")
    twins = [shutil.copy(each, f"{each}.copy") for each in (image, psam)]
    in_memory = ("--card", twins[0], "--psam", twins[1])
    card = serve(image, "--psam", str(psam))
    until("the PSAM is in the other reader", lambda: pcscd.atr(1))
    leave = ("--allow", card.seen().hex(), "--allow", pcscd.atr(1).hex())

    basics = driver("iReadCardBas", *AT_THE_DESK)
    assert driver("iReadCardBas", *in_memory) == basics
    region, _, number, identification, *_ = basics.split("|")
    assert region == "430200"
    about = ("--card-info", f"{identification}|{number}|")
    expected = driver("iVerifyPIN", *in_memory, typed=PIN)
    assert expected == driver("iVerifyPIN", *AT_THE_DESK, *leave, typed=PIN)
    pay = ("--pay-info", "0|1.50|20260105093000|")
    assert driver("iDoDebit", *AT_THE_DESK, *leave, "--yes", *about, *pay, typed=PIN).startswith(
        "0001|"
    )
    booked = driver("iReadDebitRecord", *AT_THE_DESK, *leave, typed=PIN)
    assert booked.startswith("0001|") and "20260105093000" in booked


def test_two_cards_do_not_hear_each_other(serve: Serve, image: Path, tmp_path: Path) -> None:
    other = issue(
        tmp_path / "other.img", "examples/long-name.json", "--seed", "8", "--generation", "3.0"
    )
    first, second = (answers(each, PLAIN_READS) for each in (image, other))
    assert first != second
    serve(image)
    serve(other, slot=1)
    with PcscChannel.open(READERS[0]) as here, PcscChannel.open(READERS[1]) as there:
        for at, command in enumerate(PLAIN_READS):
            assert (first[at], second[at]) == (here.transmit(command), there.transmit(command))


def test_a_card_on_a_contactless_reader_is_seen_as_one(serve: Serve, image: Path) -> None:
    card = serve(image, "--contactless")
    assert Interface.CONTACTLESS is interface_of(card.seen())
    with PcscChannel.open(READERS[0]) as channel:
        assert (card.seen(), Interface.CONTACTLESS) == (channel.atr, channel.interface)
        assert 0x9000 == int.from_bytes(channel.transmit(bytes.fromhex(PPSE))[-2:])


def test_ending_serve_leaves_a_whole_image_and_a_service_that_lives(
    serve: Serve, pcscd: Pcscd, image: Path
) -> None:
    card = serve(image)
    before = snapshot(image)
    for number in signal.SIGTERM, signal.SIGINT:
        card.asked = True
        card.process.send_signal(number)
        assert 0 == card.process.wait(10), card.told.read_text()
        assert before == snapshot(image)
        done = in_a_process("info", "--card", image)
        assert (0, b"") == (done.returncode, done.stderr)
        card.stop()
        assert pcscd.process.poll() is None, pcscd.log()
        card.start()


def test_what_the_card_answered_is_kept_when_serve_is_killed(
    serve: Serve, pcscd: Pcscd, image: Path
) -> None:
    card = serve(image)
    there = ("--reader", READERS[0], "--allow", card.seen().hex())
    driver("iChangePIN", *there, typed=f"123456\n{PIN}\n{PIN}\n")
    card.process.kill()
    card.process.wait(10)
    assert pcscd.process.poll() is None, pcscd.log()
    card.stop()
    card.start()
    driver("iVerifyPIN", *there, typed=f"{PIN}\n")


def test_cards_come_and_go_while_serve_runs(
    serve: Serve, pcscd: Pcscd, image: Path, tmp_path: Path
) -> None:
    other = issue(tmp_path / "other.img", "examples/long-name.json", "--seed", "8")
    place = str(tmp_path / "control")
    served = serve(image, "--control", place)

    def control(*words: str) -> None:
        done = in_a_process("control", place, *words, timeout=30)
        assert done.returncode == 0, done.stderr.decode()

    first = served.seen()
    control("remove", "1")
    until("it is gone", lambda: not served.seen())
    with ImageFlash(image):
        pass  # nobody has it
    control("insert", "2", str(image))
    until("it is in the other reader", lambda: pcscd.atr(1) == first)
    control("insert", "1", str(other))
    until("another is in the first", served.seen)
    with PcscChannel.open(READERS[0]) as here, PcscChannel.open(READERS[1]) as there:
        assert first != here.atr
        assert answers(image, PLAIN_READS) == [there.transmit(each) for each in PLAIN_READS]
        assert answers(other, PLAIN_READS) == [here.transmit(each) for each in PLAIN_READS]
    control("remove", "2")
    until("it is gone", lambda: not pcscd.atr(1))
    control("swap", "1", str(image))
    until("the first is back", lambda: served.seen() == first)

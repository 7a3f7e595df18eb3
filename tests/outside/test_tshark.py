# SPDX-License-Identifier: Apache-2.0
"""tshark decodes our captures: what it says of each packet is what was recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from books import VECTORS
from commandline import SELECT, issued, sscard
from recordings import VERIFY

from apdu.recording import Event, Exchanged, Fault, Reset
from host.channel.recorder import reading

pytestmark = pytest.mark.outside

TSHARK = shutil.which("tshark")
JOURNEYS = sorted((VECTORS / "journeys").glob("*.apdu"))
LIKE_AN_ATR = (b"\x3b", b"\x3f")
"""How an answer begins that tshark takes for an ATR, whatever dissector it was told to use."""


@pytest.fixture(autouse=True)
def _with_tshark() -> None:
    if TSHARK is None:
        pytest.skip("tshark is not here: apt-get install tshark")


def decoded(capture: Path) -> list[dict[str, Any]]:
    """What tshark says of each packet: layer by layer, fields flat, values as lists."""
    assert TSHARK is not None
    ran = subprocess.run(
        [TSHARK, "-n", "-r", str(capture), "-T", "ek"],
        env=os.environ | {"HOME": str(capture.parent), "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        text=True,
    )
    return [
        found["layers"]
        for line in ran.stdout.splitlines()
        if "layers" in (found := json.loads(line))
    ]


def captured(recording: Path, directory: Path, *more: str) -> list[dict[str, Any]]:
    out = directory / "out.pcap"
    found = sscard("trace", "pcap", recording, "-o", out, *more)
    assert 0 == found.exit_code, found.output
    return decoded(out)


def field(layer: dict[str, Any], name: str) -> int | None:
    found = layer.get(name)
    return None if found is None else int(found, 0)


def sent_and_got(events: Iterator[Event]) -> Iterator[tuple[str, bytes]]:
    for event in events:
        if isinstance(event, Reset):
            yield "atr", event.atr
        elif isinstance(event, Exchanged | Fault) and event.exchange is not None:
            yield "sent", event.exchange.command
            if isinstance(event, Exchanged):
                yield "got", event.exchange.answer


@pytest.mark.parametrize("slot", ["card", "psam"])
@pytest.mark.parametrize("path", JOURNEYS, ids=lambda path: path.stem)
def test_every_packet_of_a_journey_is_what_was_said(path: Path, slot: str, tmp_path: Path) -> None:
    with reading(path) as recording:
        of_slot = (each for each in recording if getattr(each, "slot", None) == slot)
        expected = list(sent_and_got(of_slot))
    packets = captured(path, tmp_path, "--slot", slot)
    assert len(expected) == len(packets)
    last_sent = 0
    for number, ((kind, raw), packet) in enumerate(zip(expected, packets, strict=True), start=1):
        exported = packet["exported_pdu"]
        assert raw.hex() == exported["exported_pdu_exported_pdu_exported_pdu"].replace(":", "")
        if kind == "atr":
            assert "iso7816.atr" == exported["exported_pdu_exported_pdu_prot_name"]
            atr = packet["iso7816_atr"]
            assert raw[0] == field(atr, "iso7816_iso7816_atr_init_char")
            assert raw[1] == field(atr, "iso7816_iso7816_atr_t0")
            continue
        assert "iso7816" == exported["exported_pdu_exported_pdu_prot_name"]
        layer = packet["iso7816"]
        if kind == "sent":
            last_sent = number
            assert "0" == exported["exported_pdu_exported_pdu_p2p_dir"]
            names = ("cla", "ins", "p1", "p2")
            cla, *found = [field(layer, f"iso7816_iso7816_apdu_{name}") for name in names]
            assert raw[0] == cla
            # Of classes that it holds for proprietary it shows some commands no further.
            assert found in (list(raw[1:4]), [None] * 3)
            assert found[0] is not None or raw[0] & 0x80
        elif not raw.startswith(LIKE_AN_ATR):
            assert "1" == exported["exported_pdu_exported_pdu_p2p_dir"]
            sw = [field(layer, f"iso7816_iso7816_apdu_{name}") for name in ("sw1", "sw2")]
            assert list(raw[-2:]) == sw
            assert last_sent == field(layer, "iso7816_iso7816_resp_to")
            assert "_ws_malformed" not in str(packet)


def test_what_was_recorded_with_a_card_is_decoded_with_its_lengths_and_times(
    tmp_path: Path,
) -> None:
    card = issued(tmp_path)
    path = tmp_path / "r.jsonl"
    sscard("apdu", "--card", card, "--record", path, SELECT, VERIFY.hex(), "00B2013500")
    atr, select, fci, verify, _, read_record, _ = captured(path, tmp_path)
    assert "0081545357" in atr["iso7816_atr"]["iso7816_iso7816_atr_historical_bytes"].replace(
        ":", ""
    )
    lengths = [
        field(each["iso7816"], "iso7816_iso7816_apdu_lc") for each in (select, verify, read_record)
    ]
    assert [0x0F, 3, None] == lengths
    assert "0x00" == read_record["iso7816"]["iso7816_iso7816_apdu_le"]
    assert 0x9000 == 256 * (field(fci["iso7816"], "iso7816_iso7816_apdu_sw1") or 0)
    # Masked, so zeros.
    assert "00:00:00" == verify["iso7816"]["iso7816_iso7816_apdu_body"]
    times = [float(each["frame"]["frame_frame_time_epoch"]) for each in (atr, select, fci)]
    with reading(path) as recording:
        first = next(each for each in recording if isinstance(each, Exchanged))
    assert first.took is not None
    assert [0.0, first.at, round(first.at + first.took, 6)] == times

# SPDX-License-Identifier: Apache-2.0
"""iWriteCard: what was written reads back, and nothing is written before all of it is right."""

from __future__ import annotations

from random import Random

import pytest
from driverbench import Pulled, Reader, activated, changing, code_of, every_generation
from ldt33values import sample, sample_bytes, sample_record

from apdu.wire.access import Never
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.hrss.spec import EfSpec, items
from apdu.wire.hrss.ssse import ISSUER
from apdu.wire.perso import FileKind
from host.driver import Code
from host.ldt33.syntax import grouped

KEPT = {0x01, 0x03}
"""Items of the issuer's file that say what a card is: with others in them it is another card."""


def writable(generation: str) -> list[tuple[str, EfSpec]]:
    return [
        (f"{directory.label}EF{file.fid & 0xFF:02X}", file)
        for directory in GENERATIONS[generation].directories
        for file in directory.files
        if not isinstance(file.update, Never) and not isinstance(file.read, Never)
    ]


def filled(file: EfSpec, random: Random) -> dict[str, str]:
    """Something for every item of a file, for a record, or for all its bytes, by its tag."""
    if file.kind is FileKind.CYCLIC and file.content is not None:
        return {"01": sample_record(file.content, random)}
    if file.content is None:
        size = file.size if file.kind is FileKind.TRANSPARENT else 32
        return {"01": sample_bytes(size, random)}
    kept = KEPT if file == ISSUER else set()
    return {
        f"{item.tag:02X}": sample(item, random)
        for item in items(file.content)
        if item.tag is not None and item.tag not in kept
    }


@every_generation
@pytest.mark.parametrize("seed", range(3))
def test_everything_that_can_be_written_reads_back(generation: str, seed: int) -> None:
    reader, random = Reader(generation), Random(seed)  # noqa: S311 - test data
    driver = reader.driver()
    addresses, written = "", ""
    for name, file in writable(generation):
        values = filled(file, random)
        addresses += grouped([[name, *values]])
        written += grouped([[name, *values.values()]])
    assert "" == driver.iWriteCard(1, reader.info, addresses, written)
    for way in (1, 2):
        assert written == driver.iReadCard(1, way, reader.info, addresses)


def test_several_files_are_written_in_one_call() -> None:
    reader = Reader()
    address = "SSSEEF06|09|4E|$DF01EF06|23|28|$DF02EF07|$DF01EF16|$DF01EF06|2C|$"
    data = (
        "SSSEEF06|张三||$DF01EF06|某路1号|1234567|$DF02EF07|07^20200101^^Works|$"
        "DF01EF16|CAFE|$DF01EF06|李四|$"
    )
    driver = reader.driver()
    driver.iWriteCard(3, reader.info.encode(), address.encode(), data.encode("gb18030"))
    found = driver.iReadCard(3, 1, reader.info, address)
    assert data.replace("CAFE", "CAFE" + "00" * (0x128 - 2)) == found
    assert "张三" == driver.iReadCardBas(1).split("|")[4]


def test_a_record_goes_in_front_of_the_others() -> None:
    reader = Reader()
    driver = reader.driver()
    for number in range(1, 7):
        driver.iWriteCard(1, reader.info, "DF02EF07|01|$", f"DF02EF07|{number}^^^|$")
    assert "DF02EF07|6^^^|5^^^|4^^^|3^^^|$" == driver.iReadCard(1, 2, reader.info, "DF02EF07|$")
    found = driver.iReadCard(1, 2, reader.info, "DF02EF07|04|01|$")
    assert "DF02EF07|3^^^|6^^^|$" == found
    assert "DF04EF15|||$" == driver.iReadCard(1, 2, reader.info, "DF04EF15|01|08|$")
    for address in ("DF02EF07|02|$", "DF02EF07|01|02|$"):
        data = "|".join(["DF02EF07", *["1^^^"] * address.count("0")])[:13] + "|$"
        assert Code.PARAMETER == code_of(driver.iWriteCard, 1, reader.info, address, data)


def test_a_file_of_unknown_records_grows_one_by_one() -> None:
    reader = Reader()
    driver = reader.driver()
    assert "SSSEEF0C|$" == driver.iReadCard(1, 2, reader.info, "SSSEEF0C|$")
    driver.iWriteCard(1, reader.info, "SSSEEF0C|01|02|$", "SSSEEF0C|A1A2|B1|$")
    driver.iWriteCard(1, reader.info, "SSSEEF0C|02|$", "SSSEEF0C|C1|$")
    assert "SSSEEF0C|A1A2|C1|$" == driver.iReadCard(1, 2, reader.info, "SSSEEF0C|$")
    assert "SSSEEF0C||C1|$" == driver.iReadCard(1, 2, reader.info, "SSSEEF0C|08|02|$")
    assert -0x6A83 == code_of(driver.iWriteCard, 1, reader.info, "SSSEEF0C|08|$", "SSSEEF0C|D1|$")
    for value in ("", "00" * 33, "1", "XX"):
        data = f"SSSEEF0C|{value}|$"
        assert code_of(driver.iWriteCard, 1, reader.info, "SSSEEF0C|01|$", data) in (-41, -42)


@pytest.mark.parametrize(
    ("address", "data", "code"),
    [
        ("SSSEEF06|09|$", "SSSEEF06|" + "张" * 15 + "x|$", Code.LENGTH),
        ("SSSEEF06|09|$", b"SSSEEF06|\xd5\xc5\xc8|$", Code.CHARACTER),
        ("SSSEEF06|09|4E|$", b"SSSEEF06|\xc8|x|$", Code.CHARACTER),
        ("SSSEEF06|09|$", "SSSEEF06|a\tb|$", Code.CHARACTER),
        ("SSSEEF06|09|$", "SSSEEF06|a|b|$", Code.PARAMETER),
        ("SSSEEF06|09|$", "SSSEEF06|a$", Code.PARAMETER),
        ("SSSEEF06|09|$", "SSSEEF06|a|", Code.PARAMETER),
        ("SSSEEF06|09|$", "SSSEEF05|a|$", Code.PARAMETER),
        ("SSSEEF06|09|$", "SSSEEF06|$", Code.PARAMETER),
        ("SSSEEF06|99|$", "SSSEEF06|a|$", Code.PARAMETER),
        ("SSSEEF0B|99|$", "SSSEEF0B|a|$", Code.PARAMETER),
        ("SSSEEF06|09|0D|$", "SSSEEF06|a|19901301|$", Code.PARAMETER),
        ("DF04EF08|01|$", "DF04EF08|0001^32^1^20260105000000^1^1^1|$", Code.PARAMETER),
        ("DF04EF1B|01|$", "DF04EF1B|00|$", Code.PARAMETER),
        ("DF01EF15|40|$", "DF01EF15|1^2^3|$", Code.PARAMETER),
        ("DF01EF16|$", "DF01EF16|" + "00" * 0x129 + "|$", Code.LENGTH),
        ("SSSEEF0C|$", "SSSEEF0C|$", Code.PARAMETER),
    ],
)
def test_bad_data_changes_nothing_even_in_the_files_before(
    address: str, data: str | bytes, code: Code
) -> None:
    reader = Reader()
    before = reader.chip.snapshot()
    whole = b"DF01EF07|1|$" + (data if isinstance(data, bytes) else data.encode("gb18030"))
    given_ = (1, reader.info, "DF01EF07|29|$" + address, whole)
    assert code == code_of(reader.driver().iWriteCard, *given_)
    assert before == reader.chip.snapshot()


def test_another_card_is_not_written() -> None:
    reader = Reader()
    before = reader.chip.snapshot()
    other = Reader(chip=activated(seed=9)).info
    found = code_of(reader.driver().iWriteCard, 1, other, "SSSEEF06|09|$", "SSSEEF06|x|$")
    assert (Code.OTHER_CARD, before) == (found, reader.chip.snapshot())


def test_without_a_psam_nothing_is_written() -> None:
    reader = Reader()
    driver = reader.driver(psam=False)
    given_ = (1, reader.info, "SSSEEF06|09|$", "SSSEEF06|x|$")
    assert Code.NO_PSAM == code_of(driver.iWriteCard, *given_)


def test_a_value_is_sent_once() -> None:
    channel = Pulled(activated(), at=10_000)
    reader = Reader(chip=channel._chip)  # type: ignore[arg-type]
    driver = reader.driver(card=channel)
    driver.iWriteCard(1, reader.info, "DF01EF15|2A|40|$", "DF01EF15|21|1^^^^^^^^|$")
    assert [0xDC] * 4 == [command[1] for command in changing(channel.sent)]

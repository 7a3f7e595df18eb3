# SPDX-License-Identifier: Apache-2.0
"""The code lists, against the words of their standards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.codelists import EthnicGroup, Sex
from host.regions import PROVINCES, check_region

# Table 3 of GB 3304-91, in the order of its codes 01 to 56.
CHINESE = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 "
    "佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 "
    "锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 "
    "赫哲 门巴 珞巴 基诺"
).split()
ROMANISED = (
    "Han Mongol Hui Zang Uygur Miao Yi Zhuang Buyei Chosen Man Dong Yao Bai Tujia Hani Kazak Dai "
    "Li Lisu Va She Gaoshan Lahu Sui Dongxiang Naxi Jingpo Kirgiz Tu Daur Mulao Qiang Blang Salar "
    "Maonan Gelao Xibe Achang Pumi Tajik Nu Uzbek Russ Ewenki Deang Bonan Yugur Gin Tatar Derung "
    "Oroqen Hezhen Monba Lhoba Jino"
).split()


@given(st.sampled_from(EthnicGroup), st.data())
def test_a_group_is_found_by_each_of_its_names(group: EthnicGroup, data: st.DataObject) -> None:
    text = data.draw(
        st.sampled_from(
            [
                group.code,
                group.chinese,
                f"{group.chinese}族",
                group.english,
                group.english.upper(),
                group.english.lower(),
            ]
        )
    )
    assert group is EthnicGroup.from_text(text)


@given(st.sampled_from(Sex), st.data())
def test_a_sex_is_found_by_each_of_its_names(sex: Sex, data: st.DataObject) -> None:
    names = [sex.code, sex.chinese, sex.english, sex.english.upper(), sex.english.title()]
    assert sex is Sex.from_text(data.draw(st.sampled_from(names)))


@given(st.text())
def test_any_text_is_a_known_code_or_refused(text: str) -> None:
    for codes in (Sex, EthnicGroup):
        try:
            assert codes.from_text(text) in codes
        except ValueError as refusal:
            assert "GB/T" in str(refusal)
    try:
        check_region(text)
        assert text[:2] in PROVINCES
    except ValueError as refusal:
        assert "GB/T 2260" in str(refusal)


def test_the_56_groups_have_the_codes_and_names_of_the_standard() -> None:
    expected = [
        (f"{code:02d}", chinese, english)
        for code, (chinese, english) in enumerate(zip(CHINESE, ROMANISED, strict=True), 1)
    ]
    assert expected == [(g.code, g.chinese, g.english) for g in list(EthnicGroup)[:56]]
    assert ["97", "98"] == [group.code for group in list(EthnicGroup)[56:]]


def test_no_two_groups_share_a_code_or_a_name() -> None:
    names = [n.lower() for g in EthnicGroup for n in (g.code, g.chinese, g.english)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("Korean", EthnicGroup.CHOSEN),
        ("tibetan", EthnicGroup.ZANG),
        ("Uyghur", EthnicGroup.UYGUR),
        ("Kazakh", EthnicGroup.KAZAK),
        ("Kyrgyz", EthnicGroup.KIRGIZ),
        ("Manchu", EthnicGroup.MAN),
        ("Mongolian", EthnicGroup.MONGOL),
        ("RUSSIAN", EthnicGroup.RUSS),
    ],
)
def test_everyday_english_names_are_understood(text: str, group: EthnicGroup) -> None:
    assert group is EthnicGroup.from_text(text)


@pytest.mark.parametrize("text", ["", "族", "1", "00", "57", "99", "001", "０１", " 汉", "汉族族"])
def test_what_is_no_group_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GB/T 3304"):
        EthnicGroup.from_text(text)


def test_the_codes_of_sex_are_those_of_the_standard() -> None:
    assert {"0": "未知", "1": "男", "2": "女", "9": "未说明"} == {s.code: s.chinese for s in Sex}


@pytest.mark.parametrize("text", ["", "3", "01", "m", "男性", "１"])
def test_what_is_no_sex_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GB/T 2261\.1"):
        Sex.from_text(text)


@pytest.mark.parametrize("code", ["110000", "430200", "659999", "710000", "820000"])
def test_a_region_in_a_known_province_is_accepted(code: str) -> None:
    check_region(code)


@pytest.mark.parametrize("code", ["", "43020", "4302000", "43020X", "４30200", "160000", "990000"])
def test_a_region_outside_the_list_of_provinces_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="GB/T 2260"):
        check_region(code)

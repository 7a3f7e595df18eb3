# SPDX-License-Identifier: Apache-2.0
"""The code lists behind items of a holder's data: sex and ethnic group.

The chip stores what these lists give and judges none of it. A code that a list does not know is
read as the text it is (`apdu.wire.fields.coded`).
"""

from __future__ import annotations

from enum import Enum


class Sex(Enum):
    """Sex (性别) by GB/T 2261.1: code, Chinese and English name."""

    UNKNOWN = "0", "未知", "unknown"
    MALE = "1", "男", "male"
    FEMALE = "2", "女", "female"
    UNSPECIFIED = "9", "未说明", "unspecified"

    def __init__(self, code: str, chinese: str, english: str) -> None:
        self.code = code
        self.chinese = chinese
        self.english = english

    @classmethod
    def from_text(cls, text: str) -> Sex:
        """The sex that a code, a Chinese name or an English name in any case stands for."""
        for sex in cls:
            if text in (sex.code, sex.chinese) or text.lower() == sex.english:
                return sex
        raise ValueError("must be male, female, 男, 女 or a code of GB/T 2261.1 (0, 1, 2, 9)")


class EthnicGroup(Enum):
    """Ethnic group (民族) by GB/T 3304-1991, with the standard's own romanised names."""

    HAN = "01", "汉", "Han"
    MONGOL = "02", "蒙古", "Mongol"
    HUI = "03", "回", "Hui"
    ZANG = "04", "藏", "Zang"
    UYGUR = "05", "维吾尔", "Uygur"
    MIAO = "06", "苗", "Miao"
    YI = "07", "彝", "Yi"
    ZHUANG = "08", "壮", "Zhuang"
    BUYEI = "09", "布依", "Buyei"
    CHOSEN = "10", "朝鲜", "Chosen"
    MAN = "11", "满", "Man"
    DONG = "12", "侗", "Dong"
    YAO = "13", "瑶", "Yao"
    BAI = "14", "白", "Bai"
    TUJIA = "15", "土家", "Tujia"
    HANI = "16", "哈尼", "Hani"
    KAZAK = "17", "哈萨克", "Kazak"
    DAI = "18", "傣", "Dai"
    LI = "19", "黎", "Li"
    LISU = "20", "傈僳", "Lisu"
    VA = "21", "佤", "Va"
    SHE = "22", "畲", "She"
    GAOSHAN = "23", "高山", "Gaoshan"
    LAHU = "24", "拉祜", "Lahu"
    SUI = "25", "水", "Sui"
    DONGXIANG = "26", "东乡", "Dongxiang"
    NAXI = "27", "纳西", "Naxi"
    JINGPO = "28", "景颇", "Jingpo"
    KIRGIZ = "29", "柯尔克孜", "Kirgiz"
    TU = "30", "土", "Tu"
    DAUR = "31", "达斡尔", "Daur"
    MULAO = "32", "仫佬", "Mulao"
    QIANG = "33", "羌", "Qiang"
    BLANG = "34", "布朗", "Blang"
    SALAR = "35", "撒拉", "Salar"
    MAONAN = "36", "毛南", "Maonan"
    GELAO = "37", "仡佬", "Gelao"
    XIBE = "38", "锡伯", "Xibe"
    ACHANG = "39", "阿昌", "Achang"
    PUMI = "40", "普米", "Pumi"
    TAJIK = "41", "塔吉克", "Tajik"
    NU = "42", "怒", "Nu"
    UZBEK = "43", "乌孜别克", "Uzbek"
    RUSS = "44", "俄罗斯", "Russ"
    EWENKI = "45", "鄂温克", "Ewenki"
    DEANG = "46", "德昂", "Deang"
    BONAN = "47", "保安", "Bonan"
    YUGUR = "48", "裕固", "Yugur"
    GIN = "49", "京", "Gin"
    TATAR = "50", "塔塔尔", "Tatar"
    DERUNG = "51", "独龙", "Derung"
    OROQEN = "52", "鄂伦春", "Oroqen"
    HEZHEN = "53", "赫哲", "Hezhen"
    MONBA = "54", "门巴", "Monba"
    LHOBA = "55", "珞巴", "Lhoba"
    JINO = "56", "基诺", "Jino"
    # The standard stops at 56; these two are what registers write beside it.
    OTHER = "97", "其他", "Other"
    NATURALISED = "98", "外国血统中国籍人士", "Foreign naturalised"

    def __init__(self, code: str, chinese: str, english: str) -> None:
        self.code = code
        self.chinese = chinese
        self.english = english

    @classmethod
    def from_text(cls, text: str) -> EthnicGroup:
        """The group that a code, a Chinese name (族 or not) or an English name stands for."""
        name = text.removesuffix("族")
        romanised = _STANDARD_ENGLISH.get(text.lower(), text.lower())
        for group in cls:
            if text == group.code or name == group.chinese or romanised == group.english.lower():
                return group
        raise ValueError("must be a two-digit code, a Chinese or an English name of GB/T 3304")


# Everyday English beside the standard's spelling. Its note prescribes Korean and Tibetan abroad;
# the others are what people type.
_STANDARD_ENGLISH = {
    "korean": "chosen",
    "tibetan": "zang",
    "kazakh": "kazak",
    "kyrgyz": "kirgiz",
    "manchu": "man",
    "mongolian": "mongol",
    "russian": "russ",
    "uyghur": "uygur",
}

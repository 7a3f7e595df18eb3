# SPDX-License-Identifier: Apache-2.0
"""The two numbers that carry a check character: the holder's (GB 11643) and the card's (GB 11714).

A refusal names the rule and the position, never the number: it identifies a person.
"""

from __future__ import annotations

import string
from datetime import date

from apdu.wire.codelists import Sex
from host.regions import PROVINCES

_DIGITS = frozenset(string.digits)

# GB 11643: the weights are 2^17 .. 2^1 mod 11; the check character makes the whole sum 1 mod 11
# (ISO 7064 MOD 11-2).
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_CHECKS = "10X98765432"

# A number need not begin with a province: Taiwan residents' permits begin with 83, and those of
# foreigners with permanent residence (外国人永久居留身份证, from 2023) with 9. Both are otherwise
# built and checked like a citizen's. The shorter numbers of other foreigners are not modelled:
# no source gives their rule, and an unchecked number would let every typing mistake through.
_TAIWAN_RESIDENT = "83"
_FOREIGN_RESIDENT = "9"

_CARD_CHARACTERS = string.digits + string.ascii_uppercase  # a character's value is its place
_CARD_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CARD_CHECKS = "0X987654321"  # GB 11714: 11 - sum mod 11, where 10 is written X and 11 is 0


def identity_check_character(first17: str) -> str:
    """The 18th character that belongs to the first 17 digits of an identity number."""
    if len(first17) != 17:
        raise ValueError("the check character is made from 17 digits")
    _only(first17, _DIGITS, "a digit")
    total = sum(w * int(digit) for w, digit in zip(_IDENTITY_WEIGHTS, first17, strict=True))
    return _IDENTITY_CHECKS[total % 11]


def check_identity_number(number: str) -> None:
    """Refuse what is not a citizen identity number (公民身份号码, on the card 社会保障号码)."""
    if len(number) != 18:
        raise ValueError("must have 18 characters, 17 digits and a check character (GB 11643)")
    expected = identity_check_character(number[:17])
    if number[17] == "x":
        raise ValueError("the check character, position 18, must be a capital X (GB 11643)")
    _only(number[17], _DIGITS | {"X"}, "a digit or a capital X", first=18)
    if not (number[:2] in PROVINCES | {_TAIWAN_RESIDENT} or number[0] == _FOREIGN_RESIDENT):
        raise ValueError("positions 1-2 are not a province of GB/T 2260 (GB 11643)")
    birth_date_of(number)
    if number[17] != expected:
        raise ValueError(f"the check character, position 18, must be {expected} (GB 11643)")


def birth_date_of(number: str) -> date:
    """The birth date inside an identity number that was checked, positions 7-14."""
    born = number[6:14]
    try:
        return date(int(born[:4]), int(born[4:6]), int(born[6:]))
    except ValueError:
        raise ValueError("positions 7-14 are not a date YYYYMMDD (GB 11643)") from None


def sex_of(number: str) -> Sex:
    """The sex inside an identity number that was checked: position 17 is odd for a male."""
    return Sex.MALE if int(number[16]) % 2 else Sex.FEMALE


def card_number_check_character(first8: str) -> str:
    """The 9th character that belongs to the first 8 of a card number."""
    if len(first8) != 8:
        raise ValueError("the check character is made from 8 characters")
    _only(first8, frozenset(_CARD_CHARACTERS), "a digit or a capital letter")
    values = map(_CARD_CHARACTERS.index, first8)
    return _CARD_CHECKS[sum(w * v for w, v in zip(_CARD_WEIGHTS, values, strict=True)) % 11]


def check_card_number(number: str) -> None:
    """Refuse what is not a card number (卡号)."""
    if len(number) != 9:
        raise ValueError("must have 9 characters, 8 and a check character (GB 11714)")
    expected = card_number_check_character(number[:8])
    if number[8] != expected:
        raise ValueError(f"the check character, position 9, must be {expected} (GB 11714)")


def _only(text: str, allowed: frozenset[str], wanted: str, first: int = 1) -> None:
    for position, character in enumerate(text, first):
        if character not in allowed:
            raise ValueError(f"position {position} must be {wanted}")

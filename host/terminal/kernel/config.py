# SPDX-License-Identifier: Apache-2.0
"""What a terminal is: its identity, what it can do, its limits, and whom it trusts.

`load_config` reads it from TOML (`config_file` has the rules); the one that is shipped,
`terminal.toml`, has the values of UnionPay. Which data elements it makes, `terminal_data` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from apdu.wire.pboc.flags import TerminalCapabilities
from host.terminal.kernel.capks import AuthorityKeys

_CASH, _ONLINE, _UNATTENDED = 0x80, frozenset("1245"), frozenset("456")
_INSTITUTION: Final = "1"
"""First digit of the terminal type where a bank operates it (EMV Book 4 annex A1)."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Terminal risk management (EMV Book 3 10.6). Amounts in fen, shares in percent, 0 to 99."""

    floor_limit: int
    random_threshold: int
    random_target: int
    random_maximum: int


@dataclass(frozen=True, slots=True)
class ContactlessLimits:
    """In fen; a limit that is None is not asked. An amount of a limit is within it."""

    floor: int | None = None
    """DF19: above it a transaction is to be online."""
    transaction: int | None = None
    """DF20: above it no transaction is made over contactless."""
    cvm: int | None = None
    """DF21: above it the holder must be verified."""


@dataclass(frozen=True, slots=True)
class ApplicationParameters:
    """What a terminal does with the applications that an AID stands for."""

    aid: bytes
    """5 to 16 bytes."""
    partial: bool
    """Whether longer names that begin with `aid` are meant too (部分匹配)."""
    version: bytes
    """9F09."""
    tac_denial: bytes
    tac_online: bytes
    tac_default: bytes
    risk: Risk
    default_ddol: bytes
    cash_limit: int | None
    """9F7B: the largest amount for electronic cash, in fen; None: the terminal does none. On that
    way it stands for the floor limit, and nothing is selected at random (`cash-risk`)."""
    ttq: int
    """9F66 as bits of `Ttq`, before what a transaction adds to it."""
    contactless: ContactlessLimits

    def covers(self, name: bytes) -> bool:
        """Whether an application of this name is meant."""
        return name.startswith(self.aid) if self.partial else name == self.aid


@dataclass(frozen=True, slots=True)
class TerminalConfig:
    """A terminal as it was set up; nothing of it changes while it works."""

    id: str
    """9F1C, 8 characters."""
    serial: str
    """9F1E, 8 characters."""
    type: str
    """9F35, two digits: who operates it, whether it is attended and can go online."""
    capabilities: int
    """9F33 as bits of `TerminalCapabilities`."""
    additional_capabilities: bytes
    """9F40, 5 bytes."""
    country: str
    """9F1A, 3 digits of ISO 3166."""
    currency: str
    currency_exponent: int
    sm: bool
    """Whether it can do SM2, SM3 and SM4 (DF69)."""
    pse: bool
    """Whether it asks for the directory 1PAY.SYS.DDF01 before it tries its list of AIDs."""
    merchant_id: str
    """9F16, 15 characters."""
    merchant_name: bytes
    """9F4E, in GBK, 20 bytes at most."""
    merchant_category: str
    acquirer: str
    """9F01, 6 to 11 digits."""
    applications: tuple[ApplicationParameters, ...]
    keys: AuthorityKeys = field(default=AuthorityKeys(), repr=False)
    exceptions: frozenset[str] = field(default=frozenset(), repr=False)
    """终端异常文件: PANs that were reported lost."""

    @property
    def online_capable(self) -> bool:
        return self.type[1] in _ONLINE

    @property
    def attended(self) -> bool:
        return self.type[1] not in _UNATTENDED

    @property
    def dispenses_cash(self) -> bool:
        """Whether it is a bank's machine that gives out notes: an ATM (EMV Book 4 annex A1)."""
        unattended = self.type[0] == _INSTITUTION and not self.attended
        return unattended and bool(self.additional_capabilities[0] & _CASH)

    def can(self, capability: TerminalCapabilities) -> bool:
        """Whether 9F33 has this bit."""
        return bool(self.capabilities & capability)

    def parameters(self, name: bytes) -> ApplicationParameters | None:
        """Those for an application of this name: of several the longest AID; None: not known."""
        found = [each for each in self.applications if each.covers(name)]
        return max(found, key=lambda each: len(each.aid), default=None)

# SPDX-License-Identifier: Apache-2.0
"""Why a payment was not approved, in one sentence."""

from __future__ import annotations

from typing import Final

from host.cli.payment_names import code_words
from host.network.authorisation import APPROVED
from host.terminal.kernel.trail import Decision, Step
from host.terminal.result import Result

_AFTERWARDS: Final = frozenset({Step.REVERSAL, Step.SCRIPTS, Step.ISSUER_AUTHENTICATION})
"""Steps that do not decide."""


def reason(result: Result) -> str:
    """Why it ended so, in a sentence; empty for an approval."""
    if result.approved:
        return ""
    if result.fault is not None:
        return str(result.fault)
    code = result.response_code
    if result.trail and code[:1] not in ("", "Y", "Z") and code != APPROVED:
        english, chinese = code_words(code)
        return f"the issuer says {code}: {english} {chinese}".rstrip(": ")
    decisive = [each for each in result.trail if each.step not in _AFTERWARDS]
    for each in reversed(decisive):
        if each.step is Step.ONLINE and each.outcome.startswith("no answer"):
            return _sentence(each)
    while decisive and decisive[-1].why.startswith("AAC was asked for"):
        decisive.pop()
    return _sentence(decisive[-1]) if decisive else ""


def _sentence(decision: Decision) -> str:
    why = f": {decision.why}" if decision.why else ""
    return f"{decision.step.value}, {decision.outcome}{why}"

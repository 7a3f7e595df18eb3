# SPDX-License-Identifier: Apache-2.0
"""`sscard doctor`: what is wrong with PC/SC here, and what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from host.cli.refusals import DONE, REFUSED
from host.cli.text import say_json

if TYPE_CHECKING:
    from host.doctor.finding import Finding


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def doctor(as_json: bool) -> int:
    """Say what is wrong with PC/SC on this machine, and what to type.

    Looks at pyscard, the PC/SC service and who may use it, the readers and who holds them, the
    USB, and the virtual reader (vpcd) with its ports. Only looks: nothing is changed, no card is
    connected to or sent anything, and a service that hangs is given up after five seconds. Needs
    no root; what only root can see it says.

    Exit status 1 if something keeps PC/SC from working. With --json an object: ok, first (the
    name of the finding to mend first, or null), findings; each of these has name, looked_at,
    verdict (ok, warning, problem, unknown, not applicable), sentence and fix, lines to type of
    which those that begin with # are remarks.
    """
    from host.doctor.checks import examine, first_to_do
    from host.doctor.machine import Machine

    findings = examine(Machine())
    first = first_to_do(findings)
    if as_json:
        say_json(
            {
                "ok": first is None,
                "first": first.name if first else None,
                "findings": [_as_json(each) for each in findings],
            }
        )
    else:
        from host.cli.doctor_view import show

        show(findings, first)
    return DONE if first is None else REFUSED


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "looked_at": finding.looked_at,
        "verdict": str(finding.verdict),
        "sentence": finding.sentence,
        "fix": list(finding.fix),
    }

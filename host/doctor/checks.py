# SPDX-License-Identifier: Apache-2.0
"""The checks in the order in which their problems are best mended, and what they judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from host.doctor.configuration import configuration
from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service, Word, meet
from host.doctor.pyscard import Namesakes, library, load_library, look_for_pyscard, pyscard
from host.doctor.readers import cards, holders, readers
from host.doctor.service import access, service
from host.doctor.survey import Survey, ask
from host.doctor.usb import usb
from host.doctor.vpcd import port, vpcd


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was looked at beforehand; what is only read is read by the check."""

    machine: Machine
    module: Namesakes
    library_error: str
    service: Service
    survey: Survey


CHECKS: Final[tuple[Callable[[Seen], Finding], ...]] = (
    lambda seen: pyscard(seen.machine, seen.module, seen.survey.import_error),
    lambda seen: library(seen.machine, seen.library_error),
    lambda seen: configuration(seen.machine),
    lambda seen: service(seen.machine, seen.service),
    lambda seen: access(seen.machine, seen.service, seen.survey.denied),
    lambda seen: readers(seen.machine, seen.survey),
    lambda seen: usb(seen.machine, seen.survey),
    lambda seen: vpcd(seen.machine, seen.service, seen.survey),
    lambda seen: port(seen.machine, seen.survey),
    lambda seen: holders(seen.machine, seen.survey, seen.service),
    lambda seen: cards(seen.machine, seen.survey),
)
"""An earlier problem is often the cause of a later one."""


def look(machine: Machine) -> Seen:
    """Look at the machine: a few seconds at most, whatever hangs."""
    module, error, met = look_for_pyscard(machine), load_library(machine), meet(machine)
    if not module.usable:
        survey = Survey.left_to("pyscard")
    elif error:
        survey = Survey.left_to("libpcsclite")
    elif met.word is Word.REFUSED:
        survey = Survey.left_to("access")
    elif met.word not in (Word.ANSWERED, Word.NOT_ASKED):
        survey = Survey.left_to("service")
    else:
        survey = ask(machine)
    return Seen(machine, module, error, met, survey)


def examine(machine: Machine) -> tuple[Finding, ...]:
    """What each check finds, in their order."""
    seen = look(machine)
    return tuple(check(seen) for check in CHECKS)


def first_to_do(findings: tuple[Finding, ...]) -> Finding | None:
    """The problem to mend first, None if there is none."""
    return next((each for each in findings if each.verdict is Verdict.PROBLEM), None)

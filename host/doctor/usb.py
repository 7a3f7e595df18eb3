# SPDX-License-Identifier: Apache-2.0
"""Readers on the USB that PC/SC does not have: no driver, or the kernel holds them."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.survey import Survey

_DEVICES: Final = "/sys/bus/usb/devices"
_CCID: Final = "0b"
"""bInterfaceClass of smart card readers."""
_CCID_DRIVER: Final = "ifd-ccid.bundle"
_DRIVER_FOLDERS: Final = (
    "/usr/lib/pcsc/drivers",
    "/usr/lib64/pcsc/drivers",
    "/usr/lib/readers/usb",
    "/usr/local/lib/pcsc/drivers",
)
_KERNEL: Final = {
    "pn533_usb": "pn533_usb pn533 nfc",
    "port100": "port100 nfc_digital nfc",
}
"""Kernel drivers of contactless readers that take them before pcscd can, with what to unload."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """A USB device that is a reader: it has a CCID interface, or one that a NFC driver holds."""

    name: str
    kernel_driver: str = ""
    """Of _KERNEL, if one holds it."""


def plugged_readers(machine: Machine) -> tuple[Plugged, ...]:
    """The readers on the USB, by what the kernel says of their interfaces."""
    found: dict[str, Plugged] = {}
    with suppress(OSError):
        for each in sorted(os.listdir(machine.path(_DEVICES))):
            device, colon, _ = each.partition(":")
            if not colon:
                continue
            driver = ""
            with suppress(OSError):
                driver = os.path.basename(os.readlink(machine.path(f"{_DEVICES}/{each}/driver")))
            driver = driver if driver in _KERNEL else ""
            ccid = machine.text(f"{_DEVICES}/{each}/bInterfaceClass").strip() == _CCID
            if ccid or driver:
                name = machine.text(f"{_DEVICES}/{device}/product").strip() or f"device {device}"
                found[device] = Plugged(name, driver or _already(found, device))
    return tuple(found.values())


def _already(found: dict[str, Plugged], device: str) -> str:
    return found[device].kernel_driver if device in found else ""


def usb(machine: Machine, survey: Survey) -> Finding:
    """Whether PC/SC has as many readers as are plugged in."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("usb", "readers on the USB", verdict, sentence, fix)

    there = plugged_readers(machine)
    names = ", ".join(each.name for each in there)
    held = [each for each in there if each.kernel_driver]
    if held:
        driver = held[0].kernel_driver
        modules = _KERNEL[driver]
        return finding(
            Verdict.PROBLEM,
            f"the kernel's driver {driver} holds the reader {held[0].name}: pcscd cannot have it",
            machine.as_root(f"modprobe -r {modules}"),
            "# and so that it stays so:",
            f"echo 'blacklist {driver}' | {machine.as_root('tee /etc/modprobe.d/pcsc.conf')}",
        )
    if not there:
        return finding(Verdict.NOT_APPLICABLE, "no reader on the USB, as far as this user sees")
    driver_there = any(machine.exists(f"{each}/{_CCID_DRIVER}") for each in _DRIVER_FOLDERS)
    if not driver_there and not survey.physical:
        return finding(
            Verdict.PROBLEM,
            f"plugged in ({names}), but the driver of USB readers (libccid) is not installed",
            *machine.installing("ccid"),
        )
    if not survey.answered:
        return finding(Verdict.UNKNOWN, f"plugged in ({names}); {survey.trouble}")
    if not survey.physical:
        outside = ("docker run --device /dev/bus/usb ...",) if machine.container else ()
        return finding(
            Verdict.PROBLEM,
            f"plugged in ({names}), but pcscd has no reader for it: it may not open the device,"
            " or its driver does not know it",
            *outside,
            "# what pcscd says when it starts:",
            machine.as_root("pcscd --foreground --debug"),
        )
    return finding(Verdict.OK, names)

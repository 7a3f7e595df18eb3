# SPDX-License-Identifier: Apache-2.0
"""The doctor names set-ups that were really broken, each in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hermetic import missing

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[3]
ALONE = ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc"]
BEGIN = """
set -e
ip link set lo up
mkdir -p /run/pcscd && mount -t tmpfs none /run/pcscd
cp -r /etc/reader.conf.d "$HOME/conf" && mount --bind "$HOME/conf" /etc/reader.conf.d
daemon() { pcscd --foreground $(pcscd --help | grep -o -e --disable-polkit) >"$HOME/log" 2>&1 & }
until_so() { for n in $(seq 400); do "$@" >"$HOME/last" 2>&1 && return; sleep 0.02; done; exit 99; }
running() { daemon; until_so test -S /run/pcscd/pcscd.comm; until_so listening; }
listening() { ss -ltn "sport = :35963" | grep -q LISTEN; }
doctor() { "$@" "$PYTHON" $OPTION -m host.cli.main doctor --json && code=0 || code=$?; }
"""
"""The shell's words for the set-ups below. The pid namespace ends whatever they start."""

Broken = Callable[..., dict[str, Any]]


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    if why := missing():
        pytest.skip(why)
    for program in "ss", "setpriv":
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install iproute2 util-linux")

    def run(script: str, **environment: str) -> dict[str, Any]:
        given = {"HOME": str(tmp_path), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        ran = subprocess.run(
            [*ALONE, "--propagation", "private", "sh", "-c", BEGIN + script + "\nexit $code"],
            cwd=ROOT,
            env=kept | given | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
        assert ran.stdout, f"{ran.returncode} {ran.stderr} {log}"
        said: dict[str, Any] = json.loads(ran.stdout)
        assert (0 if said["ok"] else 1) == ran.returncode
        found = {each.pop("name"): each for each in said["findings"]}
        return {"first": said["first"], **found}

    return run


def part(name: str, *words: str) -> str:
    """The shell's lines that have a part played and wait until it is."""
    line = f'"$PYTHON" tests/outside/readers/doctor_scenes.py {name} {" ".join(words)}'
    return f'{line} >"$HOME/{name}.log" 2>&1 &\nuntil_so test -e "$HOME/{name}"\n'


def typed(finding: dict[str, Any]) -> str:
    return "\n".join(finding["fix"])


def test_a_good_set_up_is_called_good(broken: Broken) -> None:
    said = broken("running\n" + part("card", "35963") + part("keep", "shared") + "doctor")
    verdicts = {name: each["verdict"] for name, each in said.items() if name != "first"}
    assert said["first"] is None, said
    assert "warning" == verdicts.pop("port")  # vpcd listens everywhere
    assert "not applicable" == verdicts.pop("usb")
    assert {"ok"} == set(verdicts.values()), said
    assert "in use, shared; connected to pcscd: python" in said["holders"]["sentence"]
    assert "Virtual PCD 00 00: 3B 00" in said["cards"]["sentence"]
    assert "port 35963 has python" in said["port"]["sentence"]
    assert "--dport 35963:35964 -j DROP" in typed(said["port"])


def test_a_service_that_is_not_installed_is_named(broken: Broken) -> None:
    said = broken('mount --bind /dev/null "$(command -v pcscd)"\ndoctor')
    assert "service" == said["first"]
    assert "pcscd is not installed" in said["service"]["sentence"]
    assert "see service" in said["readers"]["sentence"]


def test_a_service_that_does_not_run_is_named(broken: Broken) -> None:
    said = broken("doctor")
    assert "service" == said["first"]
    assert "pcscd is installed but does not run" in said["service"]["sentence"]
    assert "pcscd" in said["service"]["fix"][-1]


def test_a_socket_that_a_dead_service_left_is_named(broken: Broken) -> None:
    said = broken(part("deserted") + "doctor")
    assert "service" == said["first"]
    assert "nobody listens" in said["service"]["sentence"]
    assert "rm -f /run/pcscd/pcscd.comm" in said["service"]["fix"][0]


def test_a_service_that_hangs_is_named_and_does_not_hang_the_doctor(broken: Broken) -> None:
    said = broken("running\nkill -STOP $!\ndoctor")
    assert "service" == said["first"]
    assert "hangs" in said["service"]["sentence"]


def test_a_service_that_turns_the_user_away_is_named(broken: Broken) -> None:
    said = broken(part("daemon", "refusing") + "doctor")
    assert "access" == said["first"]
    assert "polkit" in said["access"]["sentence"]
    assert "polkit.addRule" in typed(said["access"])


def test_a_service_of_another_release_is_named(broken: Broken) -> None:
    said = broken(part("daemon", "another") + "doctor")
    assert "service" == said["first"]
    assert "version 4.9 of its protocol" in said["service"]["sentence"]


def test_a_library_that_is_not_there_is_named(broken: Broken) -> None:
    hidden = 'for so in $(ldconfig -p | grep -o "/.*libpcsclite.so.1.*"); do'
    said = broken(f'running\n{hidden} mount --bind /dev/null "$so"; done\ndoctor')
    assert "libpcsclite" == said["first"]
    assert "libpcsclite.so.1" in said["libpcsclite"]["sentence"]
    assert "libpcsclite" in typed(said["libpcsclite"])


SITE = f"""
mkdir "$HOME/site" && ln -s {site.getsitepackages()[0]}/* "$HOME/site"
rm -f "$HOME"/site/smartcard "$HOME"/site/pyscard*
"""
"""Everything that this Python has, without pyscard."""


def test_a_python_without_pyscard_is_told_how_to_get_it(broken: Broken, tmp_path: Path) -> None:
    said = broken(f"{SITE}running\ndoctor", PYTHONPATH=f"{ROOT}:{tmp_path / 'site'}", OPTION="-S")
    assert "pyscard" == said["first"]
    assert "pyscard is not installed" in said["pyscard"]["sentence"]
    assert "-m pip install" in typed(said["pyscard"])
    assert "see pyscard" in said["readers"]["sentence"]


NAMESAKE = """
mkdir "$HOME/site/smartcard" "$HOME/site/smartcard-0.3.dist-info"
touch "$HOME/site/smartcard/__init__.py"
told="$HOME/site/smartcard-0.3.dist-info"
printf 'Metadata-Version: 2.1\nName: smartcard\nVersion: 0.3\n' >"$told/METADATA"
echo smartcard/__init__.py,, >"$told/RECORD"
"""


def test_the_package_that_has_taken_the_name_is_named(broken: Broken, tmp_path: Path) -> None:
    path = f"{ROOT}:{tmp_path / 'site'}"
    said = broken(f"{SITE}{NAMESAKE}running\ndoctor", PYTHONPATH=path, OPTION="-S")
    assert "pyscard" == said["first"]
    assert (
        f"{tmp_path}/site/smartcard/__init__.py belongs to smartcard 0.3"
        in (said["pyscard"]["sentence"])
    )
    assert "pip uninstall -y smartcard" in said["pyscard"]["fix"][0]
    assert "pip install --force-reinstall" in said["pyscard"]["fix"][-1]


def test_a_pyscard_that_does_not_load_is_named_with_what_it_said(broken: Broken) -> None:
    parts = f"{site.getsitepackages()[0]}/smartcard/scard/*.so"
    spoilt = (
        f'cp /etc/os-release "$HOME/so"; for so in {parts}; do mount --bind "$HOME/so" $so; done'
    )
    said = broken(f"running\n{spoilt}\ndoctor")
    assert "pyscard" == said["first"]
    assert "does not load" in said["pyscard"]["sentence"]
    assert "invalid ELF header" in said["pyscard"]["sentence"]


def test_a_driver_that_the_service_has_not_loaded_is_named(broken: Broken) -> None:
    late = "mv /etc/reader.conf.d/vpcd $HOME && daemon && until_so test -S /run/pcscd/pcscd.comm"
    said = broken(f"{late}\nmv $HOME/vpcd /etc/reader.conf.d\ndoctor")
    assert "readers" == said["first"]
    assert "has no reader 'Virtual PCD'" in said["vpcd"]["sentence"]
    assert "pkill -x pcscd" in typed(said["vpcd"]) or "restart" in typed(said["vpcd"])


def test_a_driver_that_is_not_there_is_named(broken: Broken) -> None:
    hidden = "mount -t tmpfs none /usr/lib/pcsc/drivers/serial"
    said = broken(f"{hidden}\ndaemon\nwait $! || true\ndoctor")
    assert "configuration" == said["first"]
    assert "libifdvpcd.so" in said["configuration"]["sentence"]
    assert "--reinstall vsmartcard-vpcd" in typed(said["configuration"])
    assert (
        "service" in said["service"]["looked_at"] or "does not run" in said["service"]["sentence"]
    )


def test_a_driver_that_is_not_configured_is_named(broken: Broken) -> None:
    said = broken(
        "rm /etc/reader.conf.d/vpcd\ndaemon\nuntil_so test -S /run/pcscd/pcscd.comm\ndoctor"
    )
    assert "is there, but pcscd is not told of it" in said["vpcd"]["sentence"]
    assert "LIBPATH" in typed(said["vpcd"])


def test_a_reversed_driver_is_named(broken: Broken) -> None:
    reverse = "sed -i 's|/dev/null:|127.0.0.1:|' /etc/reader.conf.d/vpcd"
    said = broken(f"{reverse}\ndaemon\nwait $! || true\ndoctor")
    assert "configuration" == said["first"]
    assert "is reversed" in said["configuration"]["sentence"]
    mend = typed(said["configuration"])
    assert "ok" == broken(f"{mend}\nrunning\ndoctor")["configuration"]["verdict"]


def test_a_port_that_another_program_has_is_named_with_the_program(broken: Broken) -> None:
    said = broken(part("squat", "35963") + "daemon\nuntil_so test -S /run/pcscd/pcscd.comm\ndoctor")
    assert "problem" == said["port"]["verdict"]
    assert "port 35963 is taken by python" in said["port"]["sentence"]


def test_a_second_card_at_one_port_is_named(broken: Broken) -> None:
    said = broken(
        "running\n"
        + part("card", "35963")
        + part("keep", "shared")
        + 'rm "$HOME/card"\n'
        + part("card", "35963")
        + "doctor"
    )
    assert "port" == said["first"], said
    assert "a card waits at port 35963, which has one already" in said["port"]["sentence"]


def test_a_program_that_has_the_card_to_itself_is_named(broken: Broken) -> None:
    said = broken("running\n" + part("card", "35963") + part("keep", "alone") + "doctor")
    assert "holders" == said["first"]
    assert "Virtual PCD 00 00 to itself" in said["holders"]["sentence"]
    assert "connected to pcscd: python" in said["holders"]["sentence"]


def test_the_card_daemon_of_gnupg_is_named_and_how_it_shares(broken: Broken) -> None:
    if not shutil.which("gpg-connect-agent") or not Path("/usr/lib/gnupg/scdaemon").exists():
        pytest.skip("needs gpg-connect-agent and scdaemon: apt-get install gnupg scdaemon")
    gpg = """
mkdir -m 700 "$HOME/.gnupg" && echo disable-ccid >"$HOME/.gnupg/scdaemon.conf"
until_so "$PYTHON" tests/outside/readers/doctor_scenes.py seen
gpg-connect-agent "SCD SERIALNO undefined" /bye >"$HOME/gpg" 2>&1
"""
    said = broken("running\n" + part("card", "35963") + gpg + "doctor")
    assert "holders" == said["first"], said
    assert "scdaemon (pid " in said["holders"]["sentence"]
    assert "pcsc-shared" in typed(said["holders"])


def test_without_root_the_doctor_says_what_it_cannot_see(broken: Broken) -> None:
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    look = [*nobody.split(), sys.executable, "-c", "import host.cli.main"]
    if subprocess.run(look, cwd=ROOT, capture_output=True).returncode:
        pytest.skip("needs a source tree and an environment that other users may read")
    said = broken("running\n" + part("card", "35963") + part("keep", "alone") + f"doctor {nobody}")
    assert "that this user may not see" in said["holders"]["sentence"]
    assert "sudo sscard doctor" in typed(said["holders"])


def test_an_answer_to_reset_that_is_none_is_named(broken: Broken) -> None:
    there = 'until_so "$PYTHON" tests/outside/readers/doctor_scenes.py seen'
    said = broken(f"running\n{part('card', '35963', '0000')}{there}\ndoctor")
    assert "warning" == said["cards"]["verdict"]
    assert "not well formed" in said["cards"]["sentence"]

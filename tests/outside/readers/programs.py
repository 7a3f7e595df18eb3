# SPDX-License-Identifier: Apache-2.0
"""Other people's PC/SC programs, and the bytes in what they print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import pytest
from hermetic import READERS, lacking

LIMIT = 30
"""Seconds after which a program is ended, whatever it waits for."""


def needs(*programs: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(lacking(*programs)), reason=lacking(*programs))


class Ran(NamedTuple):
    """What a program has done."""

    code: int
    out: str
    error: str


def run(*words: str | Path, given: str = "", **environment: str) -> Ran:
    done = subprocess.run(
        words, input=given, capture_output=True, timeout=LIMIT, env=os.environ | environment,
        encoding="ascii", errors="backslashreplace",
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def hex_in(text: str) -> bytes:
    """The pairs of hex digits that each line begins with; what follows two blanks is a remark."""
    pairs = re.findall(r"^((?:[0-9A-F]{2} ){1,16})", text, re.MULTILINE)
    return bytes.fromhex("".join(pairs))


def opensc_tool(*commands: bytes, reader: str = READERS[0]) -> list[bytes]:
    """The answers as OpenSC takes them: it follows 61xx and 6Cxx by itself."""
    words = [word for each in commands for word in ("-s", each.hex(":"))]
    ran = run("opensc-tool", "-r", reader, *words)
    assert ran.code == 0, ran
    found = []
    for answer in ran.out.split("Received (")[1:]:
        sw = re.match(r"SW1=0x(..), SW2=0x(..)\)", answer)
        assert sw, answer
        data = hex_in(answer.partition("\n")[2].partition("Sending")[0])
        found.append(data + bytes.fromhex(sw[1] + sw[2]))
    return found


def scriptor(script: Path, commands: Sequence[bytes | None]) -> list[bytes]:
    """The answers to a script of commands and resets (None): R-APDUs and ATRs."""
    lines = ["reset" if each is None else each.hex(" ") for each in commands]
    script.write_text("\n".join(lines) + "\n")
    ran = run("scriptor", "-r", READERS[0], script)
    assert ran.code == 0, ran
    told = re.findall(r"^< (?:OK: ([0-9A-F ]+)|([0-9A-F\s]+?) : )", ran.out, re.MULTILINE)
    return [bytes.fromhex(atr or answer) for atr, answer in told]


def agent_data(text: str) -> bytes:
    """The bytes of a dump by gpg-connect-agent, which writes %0A for 0A."""
    dump = "".join(re.findall(r"^D\[....\]\s+((?:[0-9A-F]{2} {1,2}){1,16})", text, re.MULTILINE))
    return re.sub(
        rb"%([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), bytes.fromhex(dump)
    )


class Agent:
    """gpg-agent with a home of its own, and the smart card daemon below it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        (home / "scdaemon.conf").write_text("disable-ccid\nreader-port Virtual PCD 00 00\n")

    def run(self, *words: str) -> Ran:
        return run(*words, GNUPGHOME=str(self.home))

    def say(self, *lines: str) -> list[Ran]:
        """What is said to each line."""
        ran = self.run("gpg-connect-agent", "--hex", *lines, "/bye")
        parts = re.findall(r"(.*?)^((?:OK|ERR).*?)$", ran.out, re.MULTILINE | re.DOTALL)
        assert len(parts) == len(lines), ran
        return [Ran(0 if end.startswith("OK") else 1, data, end) for data, end in parts]

    def kill(self) -> None:
        self.run("gpgconf", "--kill", "all")


class Talk:
    """Our terminal in Java, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.protocol, atr = self.heard().split()
        self.atr = bytes.fromhex(atr)

    def heard(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "Java has nothing to say"
        return line.strip()

    def say(self, line: str) -> str:
        self.begin(line)
        return self.heard()

    def begin(self, line: str) -> None:
        """Without waiting for what is heard."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def send(self, command: bytes) -> bytes:
        return bytes.fromhex(self.say(command.hex()))


@contextmanager
def java(*options: str) -> Iterator[Talk]:
    library = "-Dsun.security.smartcardio.library=libpcsclite.so.1"
    source = Path(__file__).with_name("Talk.java")
    with subprocess.Popen(
        ["java", "-XX:TieredStopAtLevel=1", library, *options, str(source), READERS[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        limit = Timer(LIMIT, process.kill)
        limit.start()
        try:
            yield Talk(process)
            assert process.stdin
            process.stdin.close()
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            limit.cancel()

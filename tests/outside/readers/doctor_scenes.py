# SPDX-License-Identifier: Apache-2.0
"""The parts that stand around the doctor: `python doctor_scenes.py PART ...` plays one until it is
ended, and makes the file PART in the home directory as soon as it does."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from pathlib import Path

from apdu.vpcd import Frames, Signal, frame

COMM = "/run/pcscd/pcscd.comm"
TOY_ATR = bytes.fromhex("3B00")


def ready(part: str) -> None:
    Path.home().joinpath(part).touch()


def card(port: str, atr: str = TOY_ATR.hex()) -> None:
    """A card that says 9000 to everything."""
    line = socket.create_connection(("127.0.0.1", int(port)))
    ready("card")
    frames = Frames()
    while piece := line.recv(4096):
        for body in frames.feed(piece):
            if body == bytes((Signal.ATR,)):
                line.sendall(frame(bytes.fromhex(atr)))
            elif len(body) > 1:
                line.sendall(frame(b"\x90\x00"))


def keep(share: str) -> None:
    """A program that has the card."""
    from host.channel.pcsc import PcscChannel
    from host.faults import CardGone

    while True:
        try:
            channel = PcscChannel.open("00 00", shared=share == "shared")
            break
        except CardGone as gone:
            assert "no card" in str(gone), gone
    ready("keep")
    signal.pause()
    channel.close()


def seen() -> None:
    """Ends well when PC/SC has noticed a card."""
    from host.channel.pcsc.watch import Presence, states

    sys.exit(all(each.presence is Presence.EMPTY for each in states()))


def deserted() -> None:
    """A daemon that died and left its socket."""
    socket.socket(socket.AF_UNIX).bind(COMM)
    ready("deserted")


def daemon(mood: str) -> None:
    """A daemon that closes every connection, or speaks another version of the protocol."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(COMM)
    listener.listen()
    ready("daemon")
    while True:
        line, _ = listener.accept()
        if mood == "another":
            line.recv(20, socket.MSG_WAITALL)
            line.sendall(struct.pack("=iiI", 4, 9, 0x8010_001E))
        line.close()


def squat(port: str) -> None:
    """A program that has the port."""
    listener = socket.create_server(("127.0.0.1", int(port)))
    ready("squat")
    signal.pause()
    listener.close()


if __name__ == "__main__":
    part, *words = sys.argv[1:]
    os.umask(0)
    {each.__name__: each for each in (card, keep, seen, deserted, daemon, squat)}[part](*words)

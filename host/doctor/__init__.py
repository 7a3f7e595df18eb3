# SPDX-License-Identifier: Apache-2.0
"""What is wrong with PC/SC on this machine, and what to type.

First everything is looked at (`look`), then each check judges what was seen and gives a Finding;
nothing is printed here. Looking only reads, is bounded in time whatever hangs, connects nowhere but
to the socket of pcscd, and sends nothing to a card: its ATR is what pcscd already knows.
"""

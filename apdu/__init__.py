# SPDX-License-Identifier: Apache-2.0
"""What a card and a terminal must agree on: APDUs, TLV, status words, byte formats. No I/O."""

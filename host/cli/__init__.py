# SPDX-License-Identifier: Apache-2.0
"""The `sscard` command, and the chips made for it: where card and host meet."""

# SPDX-License-Identifier: Apache-2.0
"""The terminal's side: channels, clients, desks and the `sscard` command."""

# SPDX-License-Identifier: Apache-2.0
"""`sscard serve` and `sscard control`: cards in virtual readers, and how they come and go."""

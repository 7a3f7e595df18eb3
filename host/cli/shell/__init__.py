# SPDX-License-Identifier: Apache-2.0
"""`sscard shell`: a card at the keyboard, and scripts of what is typed there."""

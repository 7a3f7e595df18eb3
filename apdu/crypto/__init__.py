# SPDX-License-Identifier: Apache-2.0
"""The algorithms that card and partners compute with. `cryptography` is imported only here."""

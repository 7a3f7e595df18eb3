# SPDX-License-Identifier: Apache-2.0
"""PINs, keys and their try counters."""

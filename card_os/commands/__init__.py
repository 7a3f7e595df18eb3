# SPDX-License-Identifier: Apache-2.0
"""Command handlers that any application may include in its table."""

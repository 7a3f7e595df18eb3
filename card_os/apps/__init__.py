# SPDX-License-Identifier: Apache-2.0
"""The applications: each is a value made of a name and a command table."""

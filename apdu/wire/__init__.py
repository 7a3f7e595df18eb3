# SPDX-License-Identifier: Apache-2.0
"""Every byte format of the project, declared once.

A declaration names its fields with `fields`; construct is made from them when a format is first
used, so importing a declaration costs next to nothing. What runs per APDU is derived from the
declaration (`derive`), and the declaration stays the judge of what is right.
"""

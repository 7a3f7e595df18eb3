# SPDX-License-Identifier: Apache-2.0
"""The rooms behind `host.driver`: syntax, values, codes and procedures of the LD/T 33 functions."""

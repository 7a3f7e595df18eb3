# SPDX-License-Identifier: Apache-2.0
"""The payment kernel: each step of a PBOC transaction is a function on the transaction.

`transaction` is what is known so far, `trail` why it came so. `host.terminal.pboc` puts the steps
in their order.
"""

# SPDX-License-Identifier: Apache-2.0
"""The bank's application on the chip (借记应用, JR/T 0025), and the two directories that list it.

`groups` are what it was personalised with, `profile` is what the chip makes of them, `state` what
changes from transaction to transaction and survives, `transaction` what is known of the one that
is going on. The handlers are in files named after what they do.
"""

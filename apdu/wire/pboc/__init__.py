# SPDX-License-Identifier: Apache-2.0
"""The bank's application (借记应用, JR/T 0025): names, tags, bits, commands, personalisation."""

# SPDX-License-Identifier: Apache-2.0
"""Between terminal and issuer: what is asked and answered, ISO 8583 messages, and the way there."""

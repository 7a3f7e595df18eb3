# SPDX-License-Identifier: Apache-2.0
"""The chip: memory, files, secrets, applications. It knows `apdu` and itself."""

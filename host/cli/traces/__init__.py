# SPDX-License-Identifier: Apache-2.0
"""`sscard trace`: recordings shown, played again, compared, and turned into captures."""

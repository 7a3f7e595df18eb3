# SPDX-License-Identifier: Apache-2.0
"""What one can ask of an application, in plain verbs: one class an application."""

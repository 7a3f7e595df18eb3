# SPDX-License-Identifier: Apache-2.0
"""What a desk does with cards: flows over clients, with the reasons for what was decided."""

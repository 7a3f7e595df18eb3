# SPDX-License-Identifier: Apache-2.0
"""The file system: what stands where (`layout`), the tree, records, and finding files."""

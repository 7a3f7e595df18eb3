# SPDX-License-Identifier: Apache-2.0
"""The bank's side of the debit account: card data, cryptograms, scripts, accounts, the ledger."""

"""The ledger: every run of a workspace, counted."""

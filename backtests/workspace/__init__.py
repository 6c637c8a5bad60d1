"""Whatever runs and writes: run folders, their sheets, the ledger and the index."""

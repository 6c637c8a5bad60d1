"""Commands on a workspace: they run, and write run folders, tear sheets, the ledger and the index."""

"""Load on a stack while a drill runs, and the ledger of what the service acknowledged."""

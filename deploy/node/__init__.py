"""One node over SSH: log in, run scripts, read its state, lock it, keep its journal of changes."""

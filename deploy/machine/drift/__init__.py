"""Compare a node with its machine spec and its release; bring it back in line."""

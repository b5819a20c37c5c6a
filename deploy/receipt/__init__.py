"""Receipts: what was made to serve, signed by who did it, in a chain for each app and node."""

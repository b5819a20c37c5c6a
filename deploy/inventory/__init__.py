"""Verbs: what certificates, keys and credentials there are, how old, and what is wrong."""

"""Metrics as text: parsing what a node says, and joining several nodes."""

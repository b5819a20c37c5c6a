"""Decide what a status page says, and whether it may be believed."""

"""Notifications: what changed, told to a receiver once."""

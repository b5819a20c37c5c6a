"""Decide how an image is tried, and which settings it needs."""

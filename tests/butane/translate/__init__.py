"""Butane to Ignition in Python."""

"""Decide what differs on a node, and which acts remove the differences."""

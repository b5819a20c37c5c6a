"""Decide what a deploy does: pure functions of the desired state and the node's state."""

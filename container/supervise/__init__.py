"""Keep an app's processes running and healthy, and tell systemd the truth about it.

Reading order: `command_line` and `specification` (what the operator wants), `launch` (before the
first child), then `core` (the loop that stays in memory; it imports as little as it can).
"""

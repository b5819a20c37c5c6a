"""Keep an app's processes running and healthy, and report their state to systemd.

Reading order: `command_line` and `specification` (the configuration), `launch` (before the first
child), then `core` (the loop that stays in memory; it imports as little as it can).
"""

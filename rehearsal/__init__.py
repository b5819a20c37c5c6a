"""Throwaway nodes on this machine, provisioned by the real Ignition and booted by systemd.

Read in this order: `node` (what a node is), `lifecycle` (the verbs), then what they use:
`stock` (the shared read-only system), `provision` (Ignition), `network`, `machine` (the
processes), `ready` (when a node counts as up), `state` (what is kept on disk,
and whose a node is).
"""

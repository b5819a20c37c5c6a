"""From the workstation to a running node.

Read in this order: `settings` (what the operator wants), `plan` (what to do about it),
`remote` (doing it), then the verbs, one a file.
"""

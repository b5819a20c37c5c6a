"""From the workstation to a running node.

Read `settings` (what the operator wants), `console` and `workstation` (this machine), `node` and
`fleet` (one node, many nodes). The nouns stand on these: `spec`, `image`, `app`, `certificate`,
`credential`, `access`, `machine`, `inventory`, `rehearse`. A noun decides in `plan/`, has the
scripts that run on a node in `scripts/`, one command a file, and the options in `commands.py`.
"""

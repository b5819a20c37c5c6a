"""Deploy containerised web apps to Fedora CoreOS machines.

The ground: `settings` (what the operator wants), `console` (output and prompts), `workstation`
(files and programs here), `node` (one machine over SSH), `page` (one without a login), `fleet`
(several machines).
On it one folder a noun: `spec`, `image`, `app`, `access`, `certificate`, `credential`, `machine`,
`inventory`, `rehearse`. In a noun, `plan/` decides and does no I/O, `act.py` and `scripts/` run on
the node, and each other file is a verb or a part of one.
"""

"""The supervisor's loop, which stays in memory: its modules import nothing large.

`launch` replaces itself with this part, so that what reading options and TOML cost is given back.
That is also why plain classes stand here where the rest of the project has dataclasses.
"""

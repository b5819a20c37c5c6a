"""The part that stays in memory: no module here imports anything large.

`launch` replaces itself with this part, so that what reading options and TOML cost is given back.
That is also why plain classes stand here where the rest of the project has dataclasses.
"""

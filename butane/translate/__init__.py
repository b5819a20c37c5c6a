"""Translate Butane to Ignition, with the results and messages of the `butane` program."""

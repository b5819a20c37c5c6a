"""Verbs: credentials of an app, from their sources to the node that they are sealed to."""

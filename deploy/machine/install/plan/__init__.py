"""Decide whether and how to install: options, facts of the live system, refusals."""

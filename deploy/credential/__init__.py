"""Credentials of an app: list, seal, change and set the values that its node keeps encrypted."""

"""Decide what the page of the fleet says, and write it as HTML."""

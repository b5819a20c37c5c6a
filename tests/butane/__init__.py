"""Machines: rendering, and Butane to Ignition."""

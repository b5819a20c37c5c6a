"""Render templates, and translate Butane configs to Ignition."""

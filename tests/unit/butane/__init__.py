"""butane."""

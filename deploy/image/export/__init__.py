"""Read the layers of a local image once, for all concurrent transfers."""

"""File trees of images: read from layers and from a node, and compared."""

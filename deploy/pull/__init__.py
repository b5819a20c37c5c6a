"""Apps that follow a tag of a registry: the updater on the node, and how to ask it."""

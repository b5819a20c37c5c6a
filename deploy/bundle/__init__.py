"""A node's bundle in a registry: its configuration, for a node without SSH."""

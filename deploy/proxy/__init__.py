"""The proxy of a node, in front of its apps."""

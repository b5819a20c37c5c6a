"""What is written to a registry: references, manifests, signed statements."""

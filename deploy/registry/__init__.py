"""Images in a registry: publish, sign, promote to another tag, withdraw."""

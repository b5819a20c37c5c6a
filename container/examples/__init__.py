"""Images of ordinary web apps, made from Debian packages and our own sources without a registry."""

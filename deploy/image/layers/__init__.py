"""Layers and image metadata: the OCI format, the cache on disk, and which layers are similar."""

"""The sample app: a small HTTPS service, and how its image is built."""

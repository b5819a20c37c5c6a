"""Send images to nodes, verify and prune them there: only missing layers are transferred."""

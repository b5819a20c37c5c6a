"""corefab: containerised web apps on Fedora CoreOS machines over SSH."""

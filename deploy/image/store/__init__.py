"""Where local images are stored: podman, Docker, OCI layouts and archives."""

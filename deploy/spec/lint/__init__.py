"""Find settings in units that make systemd or podman fail later: the rules of docs/check.md."""

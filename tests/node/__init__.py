"""Tests on the rehearsal node: a real systemd, sshd, podman and Ignition."""

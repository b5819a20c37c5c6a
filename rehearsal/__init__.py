"""Throwaway nodes on this machine, provisioned by the real Ignition and booted by systemd."""

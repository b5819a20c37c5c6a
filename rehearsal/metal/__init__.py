"""Rehearsal machines with a disk: booted from a medium, installed, booted from the disk."""

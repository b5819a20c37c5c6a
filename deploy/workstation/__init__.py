"""workstation."""

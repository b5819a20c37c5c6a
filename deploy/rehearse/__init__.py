"""Rehearsal nodes on this machine: start and remove them, make the sample app fail on one."""

"""Run Fedora CoreOS in a virtual machine on the workstation."""

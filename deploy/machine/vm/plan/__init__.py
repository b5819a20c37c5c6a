"""The options of a virtual machine and its QEMU command."""

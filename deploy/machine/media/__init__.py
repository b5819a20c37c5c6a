"""Make ISO and PXE media to install from, and download Fedora CoreOS images."""

"""Install Fedora CoreOS and the machine spec from a live system, over SSH."""

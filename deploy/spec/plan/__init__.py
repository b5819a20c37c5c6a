"""Template values, addresses, and what an Ignition config puts on a machine."""

"""The machine: templates, rendering, and Butane to Ignition."""

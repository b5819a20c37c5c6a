"""Facts of nodes as metrics: `fab metrics`, and what a machine with METRICS=on writes itself."""

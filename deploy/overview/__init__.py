"""The fleet on one HTML page: `fab page`."""

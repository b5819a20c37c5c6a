"""DECIDE: values in, values out, no I/O."""

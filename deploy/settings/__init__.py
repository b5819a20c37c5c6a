"""What the operator wants: read once, checked whole."""

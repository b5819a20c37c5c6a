"""What a machine does by itself after an update of its operating system: keep it, or go back."""

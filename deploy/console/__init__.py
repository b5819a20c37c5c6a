"""The terminal: output, progress and prompts."""

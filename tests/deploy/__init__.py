"""The rooms of deploy."""

"""Settings: kinds, files, environment."""

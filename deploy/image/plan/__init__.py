"""Pure decisions: missing layers, base layers for patches, compression levels, disk space."""

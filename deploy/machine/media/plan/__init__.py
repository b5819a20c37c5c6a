"""The options of media and images, and the metadata of a Fedora CoreOS stream."""

"""What a node lacks of an image, and getting it there."""

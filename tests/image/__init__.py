"""What a node lacks of an image, without a node."""

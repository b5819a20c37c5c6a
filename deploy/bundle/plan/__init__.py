"""What a bundle is made of, and what it cannot bring."""

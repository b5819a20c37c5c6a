"""What runs in the sample's image: one page and a health check over HTTPS."""

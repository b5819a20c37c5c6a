"""TLS certificates: get one, serve it without a failed request, renew it, go back."""

"""What there is of certificates, keys and credentials, judged by values."""

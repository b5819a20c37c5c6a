"""Certificates and keys: issuing, checking, the encrypted key file, storing."""

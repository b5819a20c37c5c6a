"""Certificates from any ACME authority (RFC 8555): the only room that talks to one."""

"""Get certificates from an ACME authority (RFC 8555). Only this package talks to one."""

"""Tests of `deploy/receipt`."""

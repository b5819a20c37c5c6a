"""Tests of `deploy/bundle`."""

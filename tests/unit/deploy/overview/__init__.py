"""Tests of `deploy/overview`."""

"""Tests of `deploy/pull`."""

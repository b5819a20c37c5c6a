"""Tests of `deploy/page`."""

"""Tests of `deploy/receipt/plan`."""

"""Tests of what is told, when, and in which form."""

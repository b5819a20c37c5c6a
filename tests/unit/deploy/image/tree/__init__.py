"""Tests of deploy.image.tree."""

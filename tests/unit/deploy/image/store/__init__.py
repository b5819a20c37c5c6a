"""Tests of deploy.image.store."""

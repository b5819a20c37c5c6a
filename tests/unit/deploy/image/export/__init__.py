"""Tests of deploy.image.export."""

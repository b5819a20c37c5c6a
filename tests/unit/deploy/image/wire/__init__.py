"""Tests of deploy.image.wire."""

"""Tests of deploy.image.layers."""

"""Tests of deploy.image.plan."""

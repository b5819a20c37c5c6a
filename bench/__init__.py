"""Benchmarks of corefab beside other tools."""

"""Chunks of layers, compressed at a level that fits the measured link and processor."""

"""Partition: cut a network into stages, shallow to deep."""

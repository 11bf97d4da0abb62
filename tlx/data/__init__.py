"""Data: sources, splits, pre-flight, transforms, and the order in which examples are seen."""

"""Composition: from what was asked to one checked configuration, or to the many of a sweep."""

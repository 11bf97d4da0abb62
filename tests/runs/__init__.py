"""Tests of :mod:`tlx.runs`."""

"""Tests of :mod:`tlx.planning`."""

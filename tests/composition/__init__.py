"""Tests of :mod:`tlx.composition`."""

"""Provenance: compare runs, repeat them, and judge whether a repetition is the same."""

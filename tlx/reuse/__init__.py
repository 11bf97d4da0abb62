"""Reuse: what is frozen is computed once, kept on disk, and read by every later epoch, phase, trial and process."""

"""Backends: where the trials of a sweep run: in processes here, on Slurm, on Ray."""

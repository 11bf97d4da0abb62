"""Sweeps: many trials, each in a clean warm process, and studies made of them."""

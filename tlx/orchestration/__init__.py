"""Orchestration: sweeps, studies and searches; many trials, each in a process of its own."""

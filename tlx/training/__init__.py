"""Training: build a trial, run its phases, test what came of it."""

"""Runs: the folder of a trial, who holds it, what it was made with, and how it is recovered."""

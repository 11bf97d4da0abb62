"""Families: one file for each kind of backbone."""

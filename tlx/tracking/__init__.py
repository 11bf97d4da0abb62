"""Tracking: the event log of a trial, and MLflow as a view of it."""

"""Tracking: the journal of a trial, and MLflow as a view of it."""

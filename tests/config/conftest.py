"""Fixtures of the configuration's tests."""

from tests.config.told import machine

__all__ = ["machine"]

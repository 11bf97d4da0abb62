"""Fixtures of the configuration's tests."""

from tests.composition.told import machine

__all__ = ["machine"]

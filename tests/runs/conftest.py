"""The small trials of the training tests."""

from tests.training.conftest import families, small

__all__ = ["families", "small"]

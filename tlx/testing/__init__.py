"""Checks of other people's parts: what tlx takes for granted of a component, tried on small trials.

Example:
    >>> from tlx.testing import check_callback
    >>> check_callback("gradient_norm", {"every": 2})
"""

from tlx.testing.callback_checks import check_callback

__all__ = ["check_callback"]

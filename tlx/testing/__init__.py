"""Checks of other people's parts: what tlx takes for granted of a component, tried on small trials.

Example:
    >>> from tlx.testing import check_callback
    >>> check_callback("gradient_norm", {"every": 2})
"""

from tlx.testing.backbone_checks import check_backbone
from tlx.testing.callback_checks import check_callback
from tlx.testing.dataset_checks import check_dataset
from tlx.testing.task_checks import check_task

__all__ = ["check_backbone", "check_callback", "check_dataset", "check_task"]

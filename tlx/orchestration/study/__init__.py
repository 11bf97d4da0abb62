"""A study: arms x points x seeds, each arm tuned on validation, every trial an ordinary one.

:mod:`~tlx.orchestration.study.conduct` runs one; :mod:`~tlx.orchestration.study.scheduler` knows which trials follow
from which results.
"""

"""Where rows of metrics go besides MLflow: one file for each.

:mod:`~tlx.tracking.logger` is the contract, :mod:`~tlx.tracking.logger_feed` tells them of the event log.
"""

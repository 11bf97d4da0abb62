"""What looks on while a trial trains, and may ask it to stop, skip, freeze or slow down: one file for each.

:mod:`~tlx.training.callbacks.callback` is the contract, :mod:`~tlx.training.callbacks.dispatch` puts them in order.
"""

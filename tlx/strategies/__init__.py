"""Strategies: selectors, phases, parameter groups, freezing and its audit."""

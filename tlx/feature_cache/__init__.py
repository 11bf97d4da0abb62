"""Feature cache: outputs of the frozen prefix, computed once and read by every trial that would compute the same."""

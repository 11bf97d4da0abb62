"""Search: a sweep whose next trial follows from the results so far."""

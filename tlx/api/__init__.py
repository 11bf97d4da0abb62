"""tlx from Python: the verbs as functions, for scripts and notebooks. Each is found in :mod:`tlx` by its name."""

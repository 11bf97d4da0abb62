"""Statistics: what a few repetitions of an experiment say, each by a published formula; numpy and scipy alone."""

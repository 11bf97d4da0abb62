"""Sources: one file for each kind of data set, and the readers of their files."""

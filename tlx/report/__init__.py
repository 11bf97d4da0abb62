"""Reports: what a study found, with intervals, as one page."""

"""Running a recorded trial again, and judging whether it came out the same."""

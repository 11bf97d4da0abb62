"""Files: written durably, removed only where tlx made them, and read with limits where others did."""

"""What tlx computed before: numbers, bits and settings that may not change by accident."""

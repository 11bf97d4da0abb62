"""What a trial ran with: code, libraries, machine, flags, data; written beside its result."""

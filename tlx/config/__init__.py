"""Configuration: the options of every part, their help, choices and ranges, and what makes two trials the same."""

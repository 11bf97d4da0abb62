"""Configuration: the schema, its composition, its checks, and what makes two trials the same."""

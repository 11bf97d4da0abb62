"""The release of tlx."""

VERSION = "0.1.0"

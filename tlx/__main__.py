"""``python -m tlx`` is ``tlx``."""

from tlx.cli import command

if __name__ == "__main__":
    command()

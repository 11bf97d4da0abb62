"""``python -m tlx.training <config.yaml>``: a trial from its resolved configuration, for several devices or by hand."""

from __future__ import annotations

import sys
from pathlib import Path

from tlx.config.errors import RequestError
from tlx.runs.folder import read_config
from tlx.training.runner import train


def main(arguments: list[str]) -> int:
    """Exit code 0 finished, 2 refused; anything else raises."""
    if len(arguments) != 1:
        print("usage: python -m tlx.training <config.yaml>", file=sys.stderr)
        return 2
    try:
        train(read_config(Path(arguments[0]).parent), lambda line: print(line, flush=True))
    except RequestError as error:
        print(error.block())
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line: one small file per verb.

Exit codes: 0 done, 1 the trial or some trials failed, 2 the request is wrong and nothing was started.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from importlib import import_module
from typing import NoReturn

from tlx._compat.interpreter import collect_less_often, exit_now

VERBS = {
    "train": "run one trial; -m or a comma runs a sweep",
    "sweep": "run many trials, or the study of an experiment",
    "plan": "show what would run: stages, phases, steps, cost; nothing is loaded or trained",
    "help": "what a verb does, or what a setting is for: tlx help strategy.budget",
    "list": "the options of every group, or of one",
    "status": "how far sweeps are: done, running, queued, failed and why, time left",
    "results": "the trials of a sweep: what varies, metrics, cost, folders; --csv FILE",
    "reuse": "what is kept of frozen prefixes (ls), and making room (prune)",
    "reproduce": "run a finished trial again, and say whether it came out the same",
    "diff": "how two runs differ: settings, code, libraries, data, machine, metrics",
    "why": "would a trial run again, and what makes it another one",
    "predict": "what a finished trial's model says of images, texts or tables",
    "evaluate": "a finished trial's model on other data, or on another split",
    "export": "a trained model for other programs: servable by MLflow, ONNX, torch.export",
    "serve": "answer requests with a trained model over HTTP, on this machine",
    "report": "write the report of a finished study again",
    "ui": "open MLflow's pages on the runs made here",
    "sync": "send to MLflow what could not be sent during training",
    "runs": "rm: remove runs that are not needed any more; gc: close those that nobody runs",
    "plugins": "parts of your own: ls, check, trust (those of the project you are in)",
    "schema": "JSON Schema of experiments and options, for editors",
    "init": "copy a shipped experiment to ./experiments to start from",
}


PLAIN = ("init", "plugins", "reuse", "runs", "status", "sync", "ui")  # verbs that look no part up
READING = ("help", "list", "status", "results", "diff", "why", "schema")  # verbs whose output is all they do


def command() -> NoReturn:
    """Be the program ``tlx``."""
    collect_less_often()
    exit_now(main())


def main(arguments: list[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    from tlx.cli import output
    from tlx.reports.console import Closed

    words = sys.argv[1:] if arguments is None else arguments
    reads = not words or words[0] not in VERBS or words[0] in READING or not {"-h", "--help"}.isdisjoint(words)
    reads = reads or (words[0] == "predict" and not any(word.startswith("--out") for word in words))
    try:
        with output.steady(works=not reads):
            return _main(words)
    except Closed as closed:
        if str(closed):
            print(f"tlx: standard output cannot be written: {closed}", file=sys.stderr)
        return 1 if str(closed) else 0  # `tlx list | head` has what it wants


def _main(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help") or words == ["help"]:
        print(_usage())
        return 0
    if words[0] == "--version":
        from tlx.version import VERSION

        print(f"tlx {VERSION}")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        from tlx.config.errors import suggest

        print(f"tlx: no verb {verb!r:.200}{suggest(verb, VERBS)}\n\n{_usage()}", file=sys.stderr)
        return 2
    if fault := _fault(rest):
        print(f"tlx: {fault}", file=sys.stderr)
        return 2
    module = import_module(f"tlx.cli.{verb}")
    if "-h" in rest or "--help" in rest:
        print((module.__doc__ or "").strip())
        return 0
    return _run(module.run, verb, rest, looks_up=verb not in PLAIN)


def _run(verb: object, name: str, rest: list[str], *, looks_up: bool) -> int:
    from tlx.cli import arguments
    from tlx.components import plugins
    from tlx.config.errors import RequestError
    from tlx.files.looking import shown_by
    from tlx.reports.console import Terminal
    from tlx.reports.look import Look
    from tlx.runs.lock import Busy
    from tlx.runs.test_ledger import COMMAND

    assert callable(verb)
    signal.signal(signal.SIGTERM, _terminated)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ[COMMAND] = shlex.join(["tlx", name, *rest])
    try:
        if looks_up:
            plugins.load()
        with shown_by(Look(Terminal(stderr=True))):
            return int(verb(arguments.with_config_dirs(rest)))
    except RequestError as error:
        print(error.block(), file=sys.stderr)
        return 2
    except Busy as busy:
        print(f"tlx: {busy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tlx: stopped", file=sys.stderr)
        return 130


def _fault(words: list[str]) -> str:
    """What no verb can begin with; empty where there is nothing."""
    from tlx.composition.values import text_fault

    try:
        os.getcwd()
    except OSError as error:
        return f"the working directory is not there any more ({error.strerror}); change to one that is"
    for place, word in enumerate(words, start=2):
        if fault := text_fault(word):
            return f"word {place} of the command {fault}"
    return ""


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _usage() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {text}" for name, text in VERBS.items())
    return (
        "usage: tlx <verb> [overrides]\n\n"
        f"{verbs}\n\n"
        "Overrides are Hydra's: tlx train backbone=resnet18 strategy=fine_tune dataset=digits strategy.lr=1e-3\n"
        "--config-dir FOLDER, of any verb: more groups and experiments, as in ./conf.\n"
        "tlx <verb> --help says more."
    )

"""tlx export RUN [--to mlflow|onnx|torch] [--register NAME] [--whole] [--out FILE]: the trained model, for others.

tlx export runs/resnet18-fine_tune-...                      log it to its MLflow run, servable
tlx export runs/resnet18-fine_tune-... --register birds     and register it under a name
tlx export runs/resnet18-fine_tune-... --to onnx            runs/.../model.onnx, compared with the network
tlx export runs/resnet18-fine_tune-... --whole          its folder holds all of its tensors from now on
tlx export runs/resnet18-fine_tune-... --whole --out theirs     a copy that does, in a new folder
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.components.parts import parts_without
from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files.printable import printable
from tlx.runs.folder import read_config

KINDS = ("mlflow", "onnx", "torch")


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--to", ", ".join(KINDS))
    arguments.value("--register", "a name for the model")
    arguments.value("--out", "a file, or with --whole a new folder")
    arguments.flag("--whole")
    asked = arguments.take(words)
    words, kind, register, out = asked.words, asked.to or "mlflow", asked.register, asked.out
    problems = []
    if len(words) != 1:
        problems.append(ConfigIssue("run", "expected one run folder, or one MLflow run", " ".join(words) or "nothing"))
    if kind not in KINDS:
        problems.append(ConfigIssue("--to", f"expected {', '.join(KINDS)}", kind))
    if register is not None and kind != "mlflow":
        problems.append(ConfigIssue("--register", "goes with --to mlflow", register))
    if asked.whole and (asked.to or register is not None):
        problems.append(ConfigIssue("--whole", "is for tlx itself; leave out --to and --register"))
    if out is not None and kind == "mlflow" and not asked.whole:
        problems.append(ConfigIssue("--out", "goes with --to onnx, --to torch and --whole", out))
    if out is not None and (fault := path_fault(out)):
        problems.append(ConfigIssue("--out", fault, out))
    if problems:
        raise ConfigError(problems)
    from tlx.orchestration.find import runs

    places = runs(words[0])
    if len(places) != 1:
        raise ConfigError([ConfigIssue("run", f"stands for {len(places)} trials; name one of them", words[0])])
    return _pack(places[0], out) if asked.whole else _export(places[0], kind, register, out)


def _pack(run: Path, out: str | None) -> int:
    from tlx.training import packing
    from tlx.training.quiet import quiet

    with quiet():
        found = packing.copy(run, Path(out).expanduser()) if out is not None else packing.pack(run)
    added = f"{found.added} tensors that never trained ({found.bytes / 1e6:.1f} MB) were put in"
    print(f"whole:  {found.place}, {found.size / 1e6:.1f} MB in all")
    print(added if found.added else "nothing had to be put in: every tensor of its network was there")
    return 0


def _export(run: Path, kind: str, register: str | None, out: str | None) -> int:
    if left := parts_without(read_config(run), "exportable"):
        message = "does not say that a model with it can be used without tlx; nothing is exported"
        raise ConfigError([ConfigIssue(f"{key}.kind", message, part.kind) for key, part in left])
    from tlx.serving import bundle, graphs, preprocessing, registry
    from tlx.tracking import store
    from tlx.training.network import trained
    from tlx.training.quiet import quiet

    path = Path(out).expanduser() if out is not None else run / f"model{graphs.SUFFIXES.get(kind, '')}"
    if kind != "mlflow":
        graphs.check_place(path)
    with quiet():
        found = trained(run)
        if kind == "mlflow":
            uri, address = registry.log(found, run, register)
            print(f"logged: {address}" + (f", registered as {register}" if register else ""))
            where = f"MLFLOW_TRACKING_URI={store.without_password(uri)}"
            print(f"serve:  {where} tlx serve {address}")
            where += " UVICORN_APP_DIR=/dev/null"  # else uvicorn imports from the working directory first
            if shutil.which("uvicorn") is None:  # MLflow looks for it there
                where = f"PATH={Path(sys.executable).parent}:$PATH {where}"
            print(f"or:     {where} mlflow models serve --env-manager local -p 5001 -m {address}")
            return 0
        model = bundle.model_of(found)
        worst = graphs.export(model, kind, path)
    print(f"written: {path}\nits outputs are within {worst:.2g} of the network's, on inputs of another size")
    told = preprocessing.of(model)
    print("\n".join(["it contains the network alone, and reads:", *map(printable, preprocessing.lines(told))]))
    if kind == "onnx":
        print("its metadata say the same as JSON, under tlx, with the classes in order")
    return 0

"""tlx plan [overrides]: show what would run; no weights are loaded, nothing is downloaded or trained.

tlx plan backbone=vit_small strategy=gradual_unfreezing dataset=imagefolder dataset.root=photos
tlx plan experiment=quickstart                       (a study: its trials, and which are done)
tlx plan experiment=quickstart --json                (each trial as data: [{"identity", "name", "config"}, ...])
tlx plan -m backbone=resnet18,vit_tiny seed=0,1,2 dataset=digits
tlx plan backbone=resnet18 strategy=chain_thaw dataset=digits --figure [schedule.svg]
                                                     (also draws which stage trains when, at what learning rate)
tlx plan backbone=resnet18 strategy=fine_tune dataset=imagefolder dataset.root=photos --figure examples
                                                     (draws images of each class, as they are and augmented, as a PNG)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tlx.cli.arguments import Arguments
from tlx.composition.compose import compose
from tlx.composition.multirun import outline
from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.planning.tables import WIDTH, show_choices, show_costs
from tlx.reports.console import Terminal

_FIGURE = "--figure"
_SHEET = ".png"
_EXAMPLES = "tlx examples"


def run(words: list[str]) -> int:
    """The verb."""
    console = Terminal(soft_wrap=False)
    console.width = max(console.width, WIDTH)  # columns cut short would say nothing
    words, figure = _figure(words)
    arguments = Arguments()
    arguments.flag("-m", "--multirun")
    arguments.flag("--json")
    asked = arguments.take(words)
    words = asked.words
    if asked.json:
        return _as_json(words, figure)
    if asked.multirun:
        if figure is not None:
            raise ConfigError(
                [ConfigIssue(_FIGURE, "draws one trial, not a sweep; leave out -m and choose one", figure)]
            )
        from tlx.orchestration import sweep as sweeps
        from tlx.orchestration import trial_list

        trial_list.show(sweeps.with_sources([sweeps.job(trial) for trial in sweeps.plan(words)]), 0, console)
        return 0
    trial = compose(words)
    if trial.study is not None:
        if figure is not None:
            message = "draws one trial, and this is a study; write tlx plan backbone=... strategy=... --figure"
            raise ConfigError([ConfigIssue(_FIGURE, message, figure)])
        from tlx.orchestration import trial_list
        from tlx.orchestration.study.conduct import plan

        jobs, later = plan(words)
        trial_list.show(jobs, later, console)
        return 0
    if figure is not None:
        _check(figure)
    from tlx.planning import trial_plan
    from tlx.training.machine import choose_machine

    machine = choose_machine(trial.hardware)
    show_choices(trial, str(machine), console)
    made = trial_plan.outline(trial)
    found = trial_plan.plan_trial(trial, made)
    show_costs(found, console)
    if figure is not None:
        from tlx.planning import example_sheet, schedule

        if figure.suffix == _SHEET:
            durable.write(figure, example_sheet.draw(trial, made, _EXAMPLES))
        else:
            svg = schedule.of_plan(found, trial.strategy, f"{trial.backbone.name} on {trial.dataset.name}")
            durable.write(figure, svg)
        console.print(f"\nfigure    {figure}", markup=False, soft_wrap=True)
    return 0


def _as_json(words: list[str], figure: Path | None) -> int:
    """Print what would run as data, a study's opening trials and a sweep's alike; one trial is a list of one."""
    from tlx.orchestration import sweep as sweeps
    from tlx.orchestration.study.scheduler import StudyScheduler

    if figure is not None:
        raise ConfigError([ConfigIssue(_FIGURE, "draws, and --json prints; give one of the two", figure)])
    about = outline(words)
    jobs = StudyScheduler(about.name, words).initial_jobs() if about.kind == "study" else []
    jobs = jobs or [sweeps.job(trial) for trial in sweeps.plan(words)]
    rows = [
        {"identity": one.place.identity, "name": one.label, "config": asdict(one.trial)}
        for one in sweeps.with_sources(jobs)
    ]
    print(json.dumps(rows, indent=2, allow_nan=False))
    return 0


def _figure(words: list[str]) -> tuple[list[str], Path | None]:
    """The overrides, and where a figure goes if one is asked for."""
    at = next((i for i, word in enumerate(words) if word.partition("=")[0] == _FIGURE), None)
    if at is None:
        return words, None
    name, rest = words[at].partition("=")[2], words[at + 1 :]
    if not name and rest and "=" not in rest[0] and not rest[0].startswith(("-", "~")):  # else it is an override
        name, rest = rest[0], rest[1:]
    return words[:at] + rest, Path({"": "schedule.svg", "examples": f"examples{_SHEET}"}.get(name, name))


def _check(figure: Path) -> None:
    """Refuse before any work to write over what was not made here."""
    from tlx.reports.timeline import MARK

    mark = _EXAMPLES if figure.suffix == _SHEET else MARK
    message = ""
    if fault := path_fault(str(figure)):
        message = fault
    elif figure.suffix not in (".svg", _SHEET):
        svg, sheet = figure.with_suffix(".svg"), figure.with_suffix(_SHEET)
        message = f"a schedule is an SVG, examples are a PNG; write {_FIGURE} {svg} or {_FIGURE} {sheet}"
    elif not figure.parent.is_dir():
        message = f"there is no such folder; first: mkdir -p {figure.parent}"
    elif figure.exists() and not _begins(figure, mark):
        kind = "examples" if figure.suffix == _SHEET else "schedule"
        other = figure.with_name(f"{figure.stem}-{kind}{figure.suffix}")
        message = f"is there already and is no figure of tlx plan; it was left as it is: write {_FIGURE} {other}"
    if message:
        raise ConfigError([ConfigIssue(_FIGURE, message, figure)])


def _begins(figure: Path, mark: str) -> bool:
    try:
        with foreign.reading(figure) as stream:
            return mark.encode() in stream.read(2000)
    except (FileNotFoundError, foreign.Unreadable):
        return False

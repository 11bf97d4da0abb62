"""What a search found: the best setting as an experiment ready to run, the history, what mattered, and a page."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from omegaconf import OmegaConf

from tlx.composition import request
from tlx.config.schema import EXPERIMENT, GROUPS
from tlx.files import durable
from tlx.orchestration.search import space as spaces
from tlx.orchestration.search.scheduler import SearchScheduler
from tlx.orchestration.search.study import Study
from tlx.version import VERSION

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FILE, BEST = "report.html", "best.yaml"
_SHOWN = 10  # trials in the table


def write(scheduler: SearchScheduler) -> str:
    """Write ``report.html``, figures and ``best.yaml`` into the search's folder; the table as Markdown."""
    study, folder = scheduler.study, scheduler.folder
    ranked = best(study)
    pictures = figures(study)
    for name, svg in pictures.items():
        durable.write(folder / f"{name}.svg", svg)
    if ranked:
        durable.write(folder / BEST, experiment(scheduler, ranked[0]))
    counts = study.counts()
    environment = Environment(
        loader=PackageLoader("tlx.orchestration.search", ""), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("search.html.j2").render(
        name=scheduler.name,
        question=study.options.question,
        head=head(study),
        rows=rows(study, ranked),
        records=[scheduler.folders.get(one.number, "") for one in ranked],
        counts=counts,
        figures=pictures,
        best=experiment(scheduler, ranked[0]) if ranked else "",
        command=f"tlx sweep {' '.join(scheduler.words)}",
        several=len(study.options.objectives) > 1,
        version=VERSION,
    )
    durable.write(folder / FILE, page)
    return markdown(study)


def best(study: Study) -> list[FrozenTrial]:
    """Finished trials, the best first; of several objectives those that no other beats in all."""
    if len(study.options.objectives) > 1:
        return list(study.study.best_trials)
    done = [one for one in study.trials if one.state.name == "COMPLETE"]
    sign = 1 if study.options.objectives[0].goal == "minimize" else -1
    return sorted(done, key=lambda one: sign * float(one.values[0]))[:_SHOWN]


def markdown(study: Study) -> str:
    """The table for MLflow's note and for terminals."""
    lines = [head(study), ["---"] * len(head(study)), *rows(study, best(study))]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    counts = ", ".join(f"{count} {state}" for state, count in study.counts().items())
    return f"**{study.options.question}**\n\n{table}\n\n{counts}"


def head(study: Study) -> list[str]:
    """The table's titles."""
    return ["trial", *study.space, *(f"{one.metric} ({one.goal})" for one in study.options.objectives)]


def rows(study: Study, trials: list[FrozenTrial]) -> list[list[str]]:
    """The table's rows: number, settings, objectives."""
    return [
        [
            str(one.number),
            *(_word(value) for value in spaces.values(one.params, study.space).values()),
            *(f"{value:.4g}" for value in one.values),
        ]
        for one in trials
    ]


def _word(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def experiment(scheduler: SearchScheduler, trial: FrozenTrial) -> str:
    """The file of an experiment that is this trial: its choices and settings, without the search."""
    asked = request.with_files(request.read(scheduler.words))
    chosen = {group: asked.chosen(group) for group in GROUPS if asked.chosen(group)}
    settings = OmegaConf.create()
    for setting in asked.settings:
        if not setting.key.startswith(("search", "study")):
            OmegaConf.update(settings, setting.key, setting.value, force_add=True)
    for key, value in spaces.values(trial.params, scheduler.study.space).items():
        if key in GROUPS:
            chosen[key] = str(value)
        else:
            OmegaConf.update(settings, key, value, force_add=True)
    found = ", ".join(
        f"{one.metric} {value:.4g}" for one, value in zip(scheduler.options.objectives, trial.values, strict=True)
    )
    lines = [
        "# @package _global_",
        f"# The best of a search ({scheduler.name}): trial {trial.number} of {len(scheduler.study.trials)}, {found}.",
        "defaults:",
        *(f"  - override /{group}: {option}" for group, option in chosen.items() if group != EXPERIMENT),
        "",
        OmegaConf.to_yaml(settings),
    ]
    return "\n".join(lines)


def figures(study: Study) -> dict[str, str]:
    """SVG texts: the history, and what mattered where that can be told; of several objectives the front."""
    import matplotlib as mpl

    mpl.use("agg")  # Optuna asks it for sizes
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as draw

    done = [one for one in study.trials if one.state.name == "COMPLETE"]
    if len(done) < 2:
        return {}
    several = len(study.options.objectives) > 1
    wanted: dict[str, Any] = (
        {"pareto": draw.plot_pareto_front} if several else {"history": draw.plot_optimization_history}
    )
    if len(study.space) > 1 and not several and len({one.values[0] for one in done}) > 1:
        wanted["importance"] = draw.plot_param_importances
    names = [one.metric for one in study.options.objectives]
    pictures = {}
    for name, plot in wanted.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna marks these as experimental, each time
            axes = plot(study.study, **({"target_names": names} if name == "pareto" else {}))
        if name == "history":
            axes.set_ylabel(names[0])
        axes.set_title("", loc="left")  # where Optuna puts some of its own
        axes.set_title({"history": "Trial by trial", "importance": "What mattered", "pareto": "The front"}[name])
        figure: Any = axes.figure
        figure.set_size_inches(7, 4)
        figure.tight_layout()
        text = io.StringIO()
        figure.savefig(text, format="svg")
        plt.close(figure)
        pictures[name] = text.getvalue()[text.getvalue().index("<svg") :]
    return pictures

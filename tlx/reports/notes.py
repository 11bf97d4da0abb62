"""What a reader has to know to judge a study: what went otherwise than it should, and how it was done."""

from __future__ import annotations

from collections.abc import Iterator

from tlx.config.study import SOURCES
from tlx.reports.correct_examples import MOST
from tlx.reports.study_record import Registration
from tlx.reports.study_results import StudyResults
from tlx.reports.when import moment
from tlx.runs.made_with import ALTERED, MISSING, SEALED, MadeWith, differences

_SHOWN = 8


def warnings(found: StudyResults) -> Iterator[tuple[str, list[str]]]:
    """What weakens the study, each as a title and its lines."""
    if found.failures:
        count = f"{len(found.failures)} trials have no result"
        yield f"{count} and are missing below", [f"{name}: {reason}" for name, reason in found.failures]
    short = [
        f"{cell.arm}, {found.axis} = {cell.point}: {cell.score.n} of {len(found.study.seeds)}"
        for cell in found.cells.values()
        if cell.score.n < len(found.study.seeds)
    ]
    if short:
        yield "Cells with fewer seeds than were asked for", short
    if unlike := machines(found):
        yield "Not all trials were made alike", unlike
    registration = found.record.registration
    if registration is not None and (registration.changes or registration.altered or not registration.time):
        yield "It is not the study that was registered", registered(registration)
    if edges := list(tuning_edges(found)):
        yield "The best value lies at the edge of what was tried", edges
    if budgets := unequal_tuning(found):
        yield "Arms were tuned with unequal budgets", budgets


def machines(found: StudyResults) -> list[str]:
    """What differs between the records of the trials that are reported: versions, machine, threads, commit."""
    made = [run.made for cell in found.cells.values() for run in cell.runs]
    lines = [str(one) for one in differences(made)]
    if made and all(one.record == ALTERED for one in made):
        lines.append(f"record: {ALTERED} in all {len(made)}")
    return lines


def made(found: StudyResults) -> str:
    """The line "made with" of a study whose trials were made alike; of others, the first trial's."""
    first = next((run.made for cell in found.cells.values() for run in cell.runs), MadeWith(MISSING))
    if first.record != SEALED:
        return f"what no record says (repro.json: {first.record})"
    gpus = "" if first.gpus in (None, "none") else f", {first.gpus}"
    commit = f" ({first.tlx_commit})" if first.tlx_commit else ""
    return (
        f"tlx {first.tlx}{commit}, torch {first.torch}, Python {first.python}, {first.cpu} ({first.cpu_capability})"
        f"{gpus}, threads: {first.threads}"
    )


def registered(found: Registration) -> list[str]:
    """When a study was registered, and what was changed since, with how many results were known by then."""
    if found.altered:
        return [f"{found.altered} lines of its registration are not what was written"]
    if not found.time:
        return [f"It was not registered; as it is now, its plan has sha256 {found.digest}"]
    known = "before its first trial" if not found.known else f"when {found.known} of its results were known"
    lines = [f"Registered {moment(found.time)}, {known}; sha256 {found.digest}"]
    for change in found.changes:
        when = f"{moment(change.time)}, when {change.known} results were known" if change.time else "in this report"
        lines += [f"changed {when}: {what}" for what in change.what[:_SHOWN]]
        if len(change.what) > _SHOWN:
            lines.append(f"and {len(change.what) - _SHOWN} more")
    return lines if found.changes else [f"{lines[0]}; kept"]


def tuning_edges(found: StudyResults) -> Iterator[str]:
    """Which cells chose the least or the largest of what was tried, and what to try as well."""
    for cell in found.cells.values():
        for line in cell.tuning.edges if cell.tuning is not None else ():
            yield f"{cell.arm}, {found.axis} = {cell.point}: {line}"


def unequal_tuning(found: StudyResults) -> list[str]:
    """How many candidates each tuned arm tried, where that is not the same for all, and the control was not tuned."""
    counts = dict.fromkeys(found.arms, 0)
    for cell in found.cells.values():
        if cell.tuning is not None:
            counts[cell.arm] = max(counts[cell.arm], cell.tuning.candidates)
    tuned = {count for count in counts.values() if count}
    if len(tuned) < 2 and (not tuned or counts.get(found.study.control)):
        return []
    return [f"{arm}: {count or 'nothing tuned'}" for arm, count in counts.items()]


def labels(found: StudyResults) -> list[tuple[str, str]]:
    """Labelled examples used at each point: those that train, and those that validate."""
    lines = []
    for point in found.study.points:
        used = [cell.runs[0].labels for cell in found.cells.values() if cell.point == point]
        told = dict.fromkeys(
            f"{one.counts['train']:,} train + {one.counts['val']:,} validate = {one.before_test:,}; "
            f"{one.counts.get('test', 0):,} test"
            for one in used
            if one.before_test is not None
        )
        if told:
            lines.append((f"{found.axis} = {point}", " or ".join(told)))
    return lines


def methods(found: StudyResults) -> Iterator[str]:
    """How it was done, a sentence each."""
    study = found.study
    tuned = [arm for arm in found.arms if study.arms[arm].tune]
    if tuned:
        by = f"the best validation {'loss' if study.tune_on == 'loss' else found.metric.title}"
        if study.tune_seeds is None:
            yield f"Each seed tried every candidate, and {by} chose for that seed."
        else:
            seeds = ", ".join(map(str, study.tune_seeds))
            yield f"Candidates were tried with seed {seeds}, not reported; {by} (mean) served the reported seeds."
        if others := [arm for arm in found.arms if arm not in tuned]:
            yield f"Nothing was tuned for {', '.join(others)}."
    kept = sorted({f"the {word} weights" for word in found.record.keeps.values()})
    if tuned and study.tune_on == "loss" and "best" in found.record.keeps.values():
        yield (
            f"Within a trial the best validation {found.metric.title} chose the weights, between candidates the "
            f"validation loss: two criteria (study.tune_on=score makes them one)."
        )
    elif kept:
        yield f"Tested are {' or '.join(kept)} of a trial."
    yield "The test set chose nothing."
    fixed = [source for source in SOURCES if source not in (*study.vary, "fold")]
    same = f"; {', '.join(fixed)} {'is' if len(fixed) == 1 else 'are'} the same for all" if fixed else ""
    yield f"From seed to seed differ {', '.join(study.vary)}{same}. Arms are compared within a seed."
    yield (
        f"Intervals are Student's, each for one comparison. The words follow from paired t tests adjusted by Holm over "
        f"all {len(found.gains)} comparisons with {study.control}; a best arm is marked only where it is shown to beat "
        f"every other one, by Holm over all {len(found.pairs)} pairs as well."
    )
    if found.metric.name == "acc" and not any(pair.crossed for pair in found.gains):
        yield (
            f"No interval over new test examples as well: there are more than {MOST:,}, or seeds were not tested on "
            "the same ones, or which were right is not recorded."
        )
    yield (
        "Trials without a result count as missing, not as losses; "
        f"{len(found.failures)} failed, {found.record.pruned} of them were ended early."
    )


def looks(found: StudyResults) -> list[str]:
    """How often the test splits of this study were scored in this project, and by which commands."""
    ledger = found.ledger
    lines = [f"{ledger.looks:,} times, {ledger.runs:,} different runs"]
    if ledger.altered:
        lines.append(f"and {ledger.altered:,} lines of the ledger are not what was written: they may be more")
    lines += [f"{count:,} by {command}" for command, count in ledger.commands[:_SHOWN]]
    if len(ledger.commands) > _SHOWN:
        lines.append(f"and {len(ledger.commands) - _SHOWN} more commands")
    return lines

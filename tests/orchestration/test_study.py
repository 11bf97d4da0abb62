"""What a study runs, in which order, and what it refuses; nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import Said
from tests.orchestration.studies import STUDY, outcome, study_of
from tlx.config.select import select
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.study import conduct
from tlx.orchestration.study.scheduler import StudyScheduler
from tlx.tracking.event_log import EventLog


@pytest.fixture
def words(folder: Path) -> list[str]:
    return study_of(folder)


def tuned(scheduler: StudyScheduler, shots: int = 5) -> list[Job]:
    """The opening jobs of the arm that is tuned, at one point."""
    jobs = scheduler.initial_jobs()
    return [job for job in jobs if job.trial.strategy.name == "scratch" and job.trial.dataset.shots == shots]


def test_opening_is_every_candidate_apart_and_all_seeds_of_the_rest(words: list[str]) -> None:
    trials = [job.trial for job in conduct.plan(words)[0]]
    found = {
        (t.strategy.name, t.dataset.shots, t.seed, t.strategy.lr if t.strategy.name == "scratch" else 0) for t in trials
    }
    candidates = {("scratch", k, 1000, lr) for k in (1, 5) for lr in (1e-3, 1e-2)}
    assert found == candidates | {("feature_extraction", k, s, 0) for k in (1, 5) for s in (0, 1, 2)}


def test_the_best_candidate_goes_on_to_the_reported_seeds(words: list[str]) -> None:
    scheduler = StudyScheduler("mine", [*words, "study.tune_seeds=[1000,1001]"])
    jobs = tuned(scheduler)
    assert scheduler.num_pending == 6
    losses = {(1e-3, 1000): 0.1, (1e-3, 1001): 0.9, (1e-2, 1000): 0.4, (1e-2, 1001): 0.4}  # the mean counts
    further = [
        one
        for job in jobs
        for one in scheduler.on_result(outcome(job, losses[job.trial.strategy.lr or 0, job.trial.seed]))
    ]
    assert {(job.trial.seed, job.trial.strategy.lr) for job in further} == {(0, 1e-2), (1, 1e-2), (2, 1e-2)}
    assert scheduler.num_pending == 3  # those of the other point
    assert not scheduler.cells  # what tuned is not reported
    for job in further:
        assert list(scheduler.on_result(outcome(job, 1.0))) == []
    assert [sorted(runs) for runs in scheduler.cells.values()] == [[0, 1, 2]]


def test_each_seed_may_choose_for_itself(words: list[str]) -> None:
    scheduler = StudyScheduler("mine", [*words, "study.tune_seeds=null"])
    jobs = tuned(scheduler)
    assert {(job.trial.seed, job.trial.strategy.lr) for job in jobs} == {
        (s, lr) for s in (0, 1, 2) for lr in (1e-3, 1e-2)
    }
    assert scheduler.num_pending == 0
    for job in jobs:
        is_best = (job.trial.strategy.lr == 1e-2) == (job.trial.seed == 1)
        assert list(scheduler.on_result(outcome(job, 0.1 if is_best else 1.0))) == []
    (chosen,) = scheduler.chosen.values()
    assert chosen == {0: {"strategy.lr": 1e-3}, 1: {"strategy.lr": 1e-2}, 2: {"strategy.lr": 1e-3}}
    (runs,) = scheduler.cells.values()
    assert {run.metrics["val/loss"] for run in runs.values()} == {0.1}


@pytest.mark.parametrize("bad", ["failed", "undefined"])
def test_a_candidate_without_the_metric_is_no_candidate(words: list[str], bad: str) -> None:
    def ruined(job: Job) -> Outcome:
        return Outcome(job, None, "NaN") if bad == "failed" else outcome(job, None)

    scheduler = StudyScheduler("mine", words)
    jobs = tuned(scheduler)
    assert list(scheduler.on_result(ruined(jobs[1]))) == []
    further = list(scheduler.on_result(outcome(jobs[0], loss=2.0)))
    assert {(job.trial.seed, job.trial.strategy.lr) for job in further} == {(s, 1e-3) for s in (0, 1, 2)}
    others = tuned(StudyScheduler("mine", words), shots=1)
    assert [list(scheduler.on_result(ruined(job))) for job in others] == [[], []]
    assert "nothing was chosen" in next(iter(scheduler.undecided.values()))
    assert scheduler.num_pending == 0


def test_sources_of_variation_are_apart(words: list[str]) -> None:
    more = ["study.vary=[shots,order]", "study.variance={seeds: [7,8], arms: [fixed]}"]
    trials = [job.trial for job in conduct.plan([*words, *more])[0] if job.trial.strategy.name == "feature_extraction"]
    plain = [t for t in trials if t.dataset.shots_seed is None and t.order_seed is None and t.dataset.shots == 5]
    assert {(t.seed, t.init_seed) for t in plain} == {(0, 0), (1, 0), (2, 0)}
    alone = {
        (t.seed, t.init_seed, t.dataset.shots_seed, t.order_seed)
        for t in trials
        if t not in plain and t.dataset.shots == 5
    }
    assert alone == {(0, None, 7, None), (0, None, 8, None), (0, None, None, 7), (0, None, None, 8)}
    split = [
        job.trial
        for job in conduct.plan([*words, "study.vary=[split]", "study.validation=within", "study.points=[5]"])[0]
    ]
    seeds = {(t.seed, t.dataset.split_seed, t.dataset.shots_seed, t.init_seed, t.order_seed) for t in split}
    assert seeds == {(s, s, 0, 0, 0) for s in (0, 1, 2, 1000)}
    assert {t.dataset.validation for t in split} == {"within"}


def test_folds_are_a_source_of_variation(words: list[str]) -> None:
    """Each seed is a fold, the same for every arm."""
    asked = [*words, "study.vary=[fold]", "dataset.folds=3", "study.tune_seeds=null", "study.points=[5]"]
    trials = [job.trial for job in conduct.plan(asked)[0]]
    assert {(t.seed, t.dataset.fold, t.dataset.split_seed, t.init_seed) for t in trials} == {
        (s, s, 0, 0) for s in range(3)
    }
    assert {t.strategy.name: 0 for t in trials if t.dataset.fold == 2}.keys() == {t.strategy.name for t in trials}


def test_a_failed_candidate_hides_no_finished_trial(words: list[str]) -> None:
    """The report of a study in which one candidate diverged has every seed of the candidate that went on."""
    scheduler = StudyScheduler("mine", words)
    initial_jobs = scheduler.initial_jobs()
    for job in initial_jobs:
        if job.trial.strategy.lr == 1e-2 and job.trial.strategy.name == "scratch":
            _write_failure(job)
            continue
        for one in [job, *scheduler.on_result(_finished(job))]:
            _finished(one)
    for job in initial_jobs:
        if job.place.result() is None:
            for one in scheduler.on_result(Outcome(job, None, "NaN")):
                _finished(one)
    conducted = conduct.collect("mine", words)
    assert [len(cell.runs) for cell in conducted.found.cells.values()] == [3, 3, 3, 3]
    assert [reason for _, reason in conducted.found.failures] == ["NaN", "NaN"]
    page = (conducted.sweep.folder / "report.html").read_text()
    assert "was not registered" in page


def _finished(job: Job) -> Outcome:
    made = outcome(job, loss=1.0)
    job.place.path.mkdir(parents=True, exist_ok=True)
    assert made.result is not None
    job.place.finish(made.result)
    return made


def _write_failure(job: Job) -> None:
    job.place.path.mkdir(parents=True, exist_ok=True)
    book = EventLog(job.place.path)
    book.begin(name=job.place.name)
    book.write("end", status="FAILED", reason="NaN")


def test_the_command_line_wins_over_the_arms(words: list[str]) -> None:
    trials = [job.trial for job in conduct.plan([*words, "strategy.budget=3 steps", "study.seeds=[7]"])[0]]
    assert {t.strategy.budget for t in trials} == {"3 steps"}
    assert {t.seed for t in trials} == {7, 1000}


@pytest.mark.parametrize(
    ("axis", "points", "tune"),
    [
        ("strategy", "[feature_extraction, lp_ft]", "{strategy.lr: [0.1, 0.01]}"),
        ("backbone", "[narrow_resnet, pixels]", "{strategy.optimizer.weight_decay: [0.0, 0.1]}"),
        ("strategy.lr", "[0.1, 0.01]", "{strategy.budget: [3 steps, 5 steps]}"),
        ("strategy.lr", "[0.1, 0.01]", "{strategy: [feature_extraction, fine_tune]}"),
        ("dataset.shots", "[2, 5]", "{dataset.augment: [none, shift]}"),
    ],
)
def test_what_is_tuned_beside_the_axis_leaves_each_point_its_own(
    words: list[str], folder: Path, axis: str, points: str, tune: str
) -> None:
    """A key above or below the axis is no conflict: a point has the axis's value, whichever candidate."""
    text = STUDY[: STUDY.index("  axis:")] + (
        f"  axis: {axis}\n  points: {points}\n  seeds: [0, 1]\n  control: one\n"
        f"  arms:\n    one: {{tune: {tune}}}\n    other: {{overrides: [strategy.batch_size=8]}}\n"
    )
    (folder / "experiments" / "mine.yaml").write_text(text)
    trials = [job.trial for job in conduct.plan(words)[0]]
    assert len(trials) == 2 * 2 + 2 * 2
    where = {"strategy": "strategy.name", "backbone": "backbone.alias"}.get(axis, axis)
    found = [select(trial, where) or trial.backbone.name for trial in trials]
    assert sorted(map(str, found)) == sorted(str(point) for point in yaml.safe_load(points) for _ in range(4))


def test_a_study_is_registered_before_its_first_trial(words: list[str], folder: Path, said: Said) -> None:
    from tlx.orchestration.study import registration

    scheduler = StudyScheduler("mine", words)
    jobs = scheduler.initial_jobs()
    first = registration.register(scheduler, jobs)
    assert (first.known, first.changes, first.altered) == (0, (), 0)
    assert registration.register(scheduler, jobs) == first
    assert registration.told(first).endswith("before its first trial; kept")
    other = StudyScheduler("mine", [*words, "study.margin=0.02"])  # it was refused, say: nothing was begun
    again = registration.register(other, other.initial_jobs())
    assert (again.changes, again.digest == first.digest) == ((), False)
    assert registration.register(scheduler, jobs).digest == first.digest
    begun = folder / "runs" / "mine-01234567"
    begun.mkdir()
    EventLog(begun).begin(name="mine")
    for job in jobs[:3]:
        _finished(job)
    longer = StudyScheduler("mine", [*words, "study.seeds=[0,1,2,3]", "study.margin=0.01"])
    found = registration.register(longer, longer.initial_jobs())
    assert found.digest == first.digest
    (change,) = found.changes
    assert change.known == 3
    assert change.what == ("study.seeds: [0, 1, 2] -> [0, 1, 2, 3]", "study.margin: null -> 0.01")
    back = registration.compared(scheduler, jobs)  # a report of less than was run
    assert len(back.changes) == 2
    file = folder / "runs" / "mine.registration.jsonl"
    file.write_text(file.read_text().replace('"Which?"', '"What?"', 1))
    assert registration.compared(longer, longer.initial_jobs()).altered == 1

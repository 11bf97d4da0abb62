"""What this package brings: the options of each part, and where its code is.

Every command of tlx imports this file, so it imports nothing that takes long: the code is named as ``module:function``
and imported by the trials that use it.
"""

from dataclasses import dataclass

import tlx
from tlx.config import backbone, dataset, task
from tlx.config.fields import option

EVERY_STEP = {"cacheable", "resumable", "exportable", "compilable"}  # what is not said is not done


@dataclass
class Patients(dataset.Dataset):
    """442 diabetes patients: ten measurements, and how far the disease went in a year, in grades (Efron 2004)."""

    kind: str = "patients"
    modality: str = "table"
    name: str = option("patients", "what runs are called by")
    file: str = option("patients.sqlite", "made by: python -m progression.make FILE", runtime_only=True)
    grades: int = option(5, "of as many patients each; 1 is the mildest", least=2)
    cohort: str = option(
        help="patients of one sex, which the data number and do not name, or all; sex itself is read only of all",
        choices=("all", "first", "second"),
    )


tlx.register.dataset(
    "patients",
    config=Patients,
    load="progression.patients:load",
    fingerprint="progression.patients:fingerprint",
    capabilities={"batchable_head", *EVERY_STEP},
)


@dataclass
class Waves(backbone.Backbone):
    """Sines and cosines of each column, then residual blocks (PLR: Gorishniy et al. 2022, arXiv:2203.05556)."""

    kind: str = "waves"
    modality: str = "table"
    name: str = option("waves", "what runs are called by")
    weights: str = option("none", "none | <file> | trial:<experiment>")
    width: int = option(32, "features", above=0)
    blocks: int = option(3, "residual blocks, each a stage that can be frozen", above=0)
    frequencies: int = option(8, "of each column, learned", above=0)


tlx.register.backbone(
    "waves",
    config=Waves,
    load="progression.waves:load",
    capabilities={"trainable", "batchable_head", *EVERY_STEP},
)


@dataclass
class Ordinal(task.Task):
    """Classes in an order: at each grade, is it this one or a higher one? (CORN: Shi et al. 2021, arXiv:2111.08851)"""

    kind: str = "ordinal"
    decide: str = option(
        help="the grade that is predicted: the median of the distribution, which errs least in grades, or its mode",
        choices=("median", "mode"),
    )


tlx.register.task(
    "ordinal",
    config=Ordinal,
    load="progression.ordinal:OrdinalTask",
    capabilities={"batchable_head", *EVERY_STEP},
)


@dataclass
class Transport:
    """How far the predicted distribution has to be carried to the true class (squared: Hou et al. 2016)."""

    power: float = option(2.0, "of the difference of the cumulative distributions", least=1)


tlx.register.loss("transport", config=Transport, load="progression.transport:load", capabilities=EVERY_STEP)


@dataclass
class WithinOne:
    """The share of examples whose likeliest class is at most so many away from the true one."""

    far: int = option(1, "classes away", least=0)


tlx.register.metric("within_one", config=WithinOne, load="progression.within_one:load", capabilities=EVERY_STEP)


@dataclass
class Drift:
    """Records how far each stage has moved from where the trial began, relative to where that was."""

    every: int = option(1, "validations between looks", above=0)


tlx.register.callback("drift", config=Drift, load="progression.drift:Drifts", capabilities=EVERY_STEP)

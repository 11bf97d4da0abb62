"""Deferred libraries behave as those that were imported in full, and none runs that a trial does not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tlx._compat.lazy_imports import DEFERRED
from tlx._compat.plain_shapes import PLAIN


def run(code: str, *words: str) -> str:
    """What a fresh interpreter prints that imported tlx first."""
    done = subprocess.run([sys.executable, "-c", f"import tlx\n{code}", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


HAVE_RUN = """
import sys
from tlx._compat.lazy_imports import DEFERRED
have_run = sorted(name for name in DEFERRED if type(sys.modules.get(name)).__name__ == "module")
"""
TRIAL = ["backbone=narrow_resnet", "strategy=fine_tune", "strategy.init=scratch", "dataset=digits", "tracking=none"]
TRIAL += ["strategy.budget=2 steps", "strategy.audit=off"]


@pytest.mark.parametrize("verb", [pytest.param("plan", marks=pytest.mark.long), "train"])
def test_no_verb_runs_what_a_trial_does_not_use(verb: str) -> None:
    heavy = ["matplotlib", "pandas", "scipy", "sklearn", "sympy", "torch._inductor"]
    heavy += ["transformers", "mlflow", "optuna", "tensorboard"]
    code = f"""
from tlx.cli import main
assert main({[verb, *TRIAL]!r}) == 0
{HAVE_RUN}
import json
print(json.dumps([have_run, [name for name in {heavy!r} if name in sys.modules and name not in DEFERRED]]))
"""
    have_run, imported = json.loads(run(code).splitlines()[-1])
    assert not {"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"} & set(have_run)
    assert not {"torchmetrics", "torchmetrics.functional", "torchvision.models", "torchvision.ops"} & set(have_run)
    assert imported == []


@pytest.mark.parametrize("verb", ["status", "list"])
def test_verbs_that_only_look_import_no_torch(verb: str, tmp_path: Path) -> None:
    code = f"from tlx.cli import main\nmain([{verb!r}])\nimport sys\nprint('torch' in sys.modules)"
    assert run(code).splitlines()[-1] == "False"


def test_a_finished_trial_is_shown_without_torch(tmp_path: Path) -> None:
    code = f"from tlx.cli import main\nassert main({['train', *TRIAL]!r}) == 0\n"
    code += "import sys\nprint('torch' in sys.modules)"
    assert run(code).splitlines()[-1] == "True"
    assert run(code).splitlines()[-1] == "False"


@pytest.mark.long
def test_a_deferred_package_has_what_it_always_has() -> None:
    """What stands in for a name stands in for one that is there."""
    code = """
import importlib
from tlx._compat.lazy_imports import DEFERRED
for name, lights in DEFERRED.items():
    module = importlib.import_module(name)
    for light in lights:
        getattr(module, light)
    names = set(dir(module))
    assert type(module).__name__ == "module", name
    assert set(lights) <= names, set(lights) - names
    print(name)
"""
    assert run(code).split() == list(DEFERRED)


def test_a_class_stands_for_itself_before_and_after() -> None:
    code = """
import sympy
asked = sympy.Basic
assert not isinstance(3, asked) and not issubclass(int, asked)
assert "sympy.core" not in __import__("sys").modules
class Mine(asked):
    pass
assert isinstance(Mine(), asked) and isinstance(sympy.Integer(3), asked) and issubclass(sympy.Integer, sympy.Basic)
assert asked.args is sympy.Basic.args
assert (asked | None) == (sympy.Basic | None)
"""
    run(code)


@pytest.mark.long
def test_plots_and_metrics_work() -> None:
    code = """
import torch, torchmetrics
from torchmetrics.functional import accuracy
metric = torchmetrics.Accuracy(task="multiclass", num_classes=3)
metric.update(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]))
assert abs(float(metric.compute()) - 2 / 3) < 1e-6
assert isinstance(metric, torchmetrics.Metric)
import matplotlib
matplotlib.use("agg")
figure, axes = metric.plot()
assert type(figure).__name__ == "Figure"
assert float(accuracy(torch.tensor([1]), torch.tensor([1]), task="multiclass", num_classes=2)) == 1
"""
    run(code)


def test_torchvision_works() -> None:
    code = """
import torch, torchvision
from torchvision.ops import nms, roi_align
boxes = torch.tensor([[0., 0., 10., 10.], [1., 1., 10., 10.], [20., 20., 30., 30.]])
assert nms(boxes, torch.tensor([.9, .8, .7]), .5).tolist() == [0, 2]
assert callable(roi_align) and callable(torchvision.ops.roi_align)
model = torchvision.models.get_model("resnet18", weights=None)
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
assert isinstance(torchvision.datasets.FakeData(size=1), torch.utils.data.Dataset)
"""
    run(code)


@pytest.mark.long
def test_the_compiler_works_once_it_is_asked_for() -> None:
    """What was stepped, disabled and marked before it was imported stays right."""
    code = """
import torch
from lightning_fabric.wrappers import _unwrap_compiled  # has torch.compile remember its arguments
layer = torch.nn.Linear(2, 2)
torch.optim.SGD(layer.parameters(), lr=.1).step()
@torch._dynamo.allow_in_graph
def marked(x):
    return x + 1
assert type(torch._dynamo).__name__ == "_Deferred"
compiled = torch.compile(lambda x: marked(x) * 2, backend="eager", fullgraph=True)
assert compiled(torch.ones(2)).tolist() == [4, 4]
assert type(torch._dynamo).__name__ == "module"
from torch._dynamo.trace_rules import is_callable_allowed
assert is_callable_allowed(marked)
whole = torch.compile(layer, backend="eager")
assert isinstance(whole, torch._dynamo.OptimizedModule)
assert _unwrap_compiled(whole)[0] is layer
torch.optim.SGD(layer.parameters(), lr=.1).step()
"""
    run(code)


@pytest.mark.long
def test_shapes_that_are_symbols_are_answered_by_torch() -> None:
    code = """
import torch
from torch.fx.experimental.symbolic_shapes import guard_or_false, statically_known_true
assert guard_or_false(True) and not statically_known_true(False)
exported = torch.export.export(
    torch.nn.Flatten(), (torch.ones(3, 4),), dynamic_shapes=({0: torch.export.Dim("n")},)
)
from torch.fx.experimental.symbolic_shapes import ShapeEnv
size = exported.graph_module.graph.find_nodes(op="placeholder")[0].meta["val"].shape[0]
assert isinstance(size, torch.SymInt)
assert not statically_known_true(size == 7)  # asked of the function that was taken before
"""
    run(code)


def test_plain_answers_are_torch_s() -> None:
    """Asked about plain numbers, the real functions say the same."""
    from torch.fx.experimental import symbolic_shapes as real

    for name in ("expect_true", "guard_or_false", "guard_or_true", "statically_known_true", "guard_size_oblivious"):
        for value in (True, False):
            assert PLAIN[name](value) is getattr(real, name)(value)
    for name in ("guard_int", "guarding_hint_or_throw", "optimization_hint"):
        assert PLAIN[name](3) == getattr(real, name)(3)
    for name in ("has_free_symbols", "has_free_unbacked_symbols", "has_guarding_hint", "is_nested_int", "is_symbolic"):
        assert PLAIN[name](3) == getattr(real, name)(3)
    for name in ("free_symbols", "free_unbacked_symbols", "_iterate_exprs", "_iterate_nodes"):
        assert list(PLAIN[name]([3, 4])) == list(getattr(real, name)([3, 4]))
    for values in ([True], [True, False], [False, True, True], [True, True]):
        assert PLAIN["sym_and"](*values) is real.sym_and(*values)
        assert PLAIN["sym_or"](*values) is real.sym_or(*values)
    for x, y in (((1, 2), [1, 2]), ((1,), (1, 2)), (3, 3), (3, 4)):
        assert PLAIN["sym_eq"](x, y) == real.sym_eq(x, y)
    assert PLAIN["compute_unbacked_bindings"](None, 3) is real.compute_unbacked_bindings(None, 3)
    assert set(PLAIN) <= set(dir(real))


def test_a_package_that_cannot_be_imported_says_so_each_time(tmp_path: Path) -> None:
    (tmp_path / "sympy.py").write_text("raise ImportError('broken')\n")
    code = """
import sympy
for _ in range(2):
    try:
        sympy.Integer
    except ImportError as error:
        assert str(error) == "broken"
    else:
        raise AssertionError
"""
    run(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{code}")


def test_what_was_imported_before_stays_as_it_is() -> None:
    code = "import sympy, sys\nbefore = sympy\nimport tlx\nassert sys.modules['sympy'] is before\nprint(type(sympy))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "<class 'module'>"


@pytest.mark.parametrize(
    "code",
    [
        "from torchmetrics.classification.auroc import MulticlassAUROC; import torchmetrics; torchmetrics.Accuracy",
        *(
            pytest.param(code, marks=pytest.mark.long)
            for code in (
                "import torchmetrics.utilities.checks; import torchmetrics.regression; dir(torchmetrics)",
                "from torchmetrics import MeanMetric",
                "import torchmetrics.metric; from torchmetrics import MeanMetric",
                "from torchmetrics.classification import *",
                "import torchmetrics.functional as F; F.accuracy",
            )
        ),
    ],
)
def test_metrics_are_imported_in_any_order(code: str) -> None:
    run(code)

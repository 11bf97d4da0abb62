"""The counter that does without Triton counts as torch's own does, and knows Triton's kernels once there are any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COUNTED = """
import torch
from torch import nn
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))
with {counter}.FlopCounterMode(display=False) as counted:
    model(torch.ones(2, 3, 8, 8)).sum().backward()
print(counted.get_total_flops(), len({counter}.flop_registry))
"""
KERNEL = """
import triton
from torch.utils import flop_counter
@triton.jit
def kernel(pointer):
    pass
flop_counter.register_flop_formula(kernel)(lambda *args, **options: 7)
assert flop_counter.flop_registry[kernel]() == 7
try:
    flop_counter.register_flop_formula(len)(lambda *args, **options: 7)
except ValueError:
    print("refused")
"""


def printed(code: str) -> str:
    """By a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_it_counts_the_same() -> None:
    ours = printed("from tlx._compat import flop_counter\n" + COUNTED.format(counter="flop_counter"))
    theirs = printed("from torch.utils import flop_counter\n" + COUNTED.format(counter="flop_counter"))
    assert ours == theirs
    assert int(ours.split()[0]) > 0


@pytest.mark.parametrize("first", ["from tlx._compat import flop_counter", "import torch.utils.flop_counter"])
def test_it_knows_kernels_of_triton(first: str, tmp_path: Path) -> None:
    pytest.importorskip("triton")
    (tmp_path / "kernels.py").write_text(first + KERNEL)  # Triton reads a kernel's source
    assert printed(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport kernels") == "refused\n"


@pytest.mark.long
def test_triton_is_left_alone() -> None:
    """Imported neither at once nor, in part, for good; and the one that was imported before stays."""
    pytest.importorskip("triton")
    assert printed("import tlx._compat.flop_counter, sys\nprint('triton.runtime.jit' in sys.modules)") == "False\n"
    code = "import triton, sys\nkernels = sys.modules['triton.runtime.jit']\nimport tlx._compat.flop_counter\n"
    code += "from torch.utils import flop_counter\nprint(flop_counter._JITFunction is kernels.JITFunction)"
    assert printed(code) == "True\n"

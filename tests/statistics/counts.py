"""Shares of right answers as trials record them, with the same difference on every seed."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


@st.composite
def tied(draw: st.DrawFn) -> tuple[dict[int, float], dict[int, float]]:
    """An arm and its control, by seed: counts out of the same number, in 32 or 64 bits, as shares or in percent."""
    examples = draw(st.integers(2, 50_000))
    gain = draw(st.integers(0, examples - 1))
    counts = draw(st.lists(st.integers(0, examples - gain), min_size=2, max_size=8))
    in_32_bits = draw(st.booleans())
    unit = draw(st.sampled_from([1, 100]))

    def recorded(count: int) -> float:
        value = unit * (count / examples)
        return float(np.float32(value)) if in_32_bits else value

    values = {seed: recorded(count + gain) for seed, count in enumerate(counts)}
    control = {seed: recorded(count) for seed, count in enumerate(counts)}
    return (values, control) if draw(st.booleans()) else (control, values)

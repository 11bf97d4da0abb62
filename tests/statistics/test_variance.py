"""Shares of variance, against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlx.statistics.variance import Share, shares


def test_variances_and_shares_are_numpys() -> None:
    order, head = [0.1, 0.4, 0.3], [0.2, 0.6, 0.1, 0.5]
    found = shares({"order": order, "head": head, "data": [0.7]})
    variances = [np.var(order, ddof=1), np.var(head, ddof=1)]
    assert [found[name].variance for name in ("order", "head")] == pytest.approx(variances)
    assert [found[name].share for name in ("order", "head")] == pytest.approx(variances / np.sum(variances))
    assert found["data"] == Share(None, None, 1)
    assert list(found) == ["order", "head", "data"]


@given(st.dictionaries(st.sampled_from(["order", "head", "data"]), st.lists(st.floats(-10, 10), max_size=5)))
def test_what_is_known_adds_up_to_one(by_source: dict[str, list[float]]) -> None:
    found = shares(by_source)
    known = [one.share for one in found.values() if one.share is not None]
    assert not known or sum(known) == pytest.approx(1)
    for name, one in found.items():
        assert one.n == len(by_source[name])
        assert (one.variance is None) == (one.n < 2)


def test_where_nothing_varies_there_are_no_shares() -> None:
    assert shares({"order": [0.5, 0.5], "head": []}) == {"order": Share(0.0, None, 2), "head": Share(None, None, 0)}

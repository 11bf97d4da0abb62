"""Results of earlier formats, which are told apart from damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tlx
from tests.training.conftest import Compose
from tlx.config.errors import ConfigError
from tlx.files.checksum import with_checksum, without_checksum
from tlx.runs import layout
from tlx.runs.result import read_result, result_in
from tlx.training.locate import locate


def test_a_run_of_tlx_0_1_is_refused_in_one_sentence(small: Compose) -> None:
    trial = small("strategy=feature_extraction")
    tlx.train(trial)
    place = locate(trial).path
    row = without_checksum((place / layout.RESULT).read_text(encoding="utf-8"))
    assert row is not None
    del row["format"], row["numerics"]
    (place / layout.RESULT).write_text(with_checksum(json.dumps(row)), encoding="utf-8")
    assert result_in(place) is None
    for read in (read_result, tlx.load):
        with pytest.raises(ConfigError, match=r"was written by tlx 0\.1"):
            read(place)
    (place / layout.RESULT).write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="torn or was altered"):
        read_result(Path(place))

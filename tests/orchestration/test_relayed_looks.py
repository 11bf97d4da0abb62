"""What another process looks at is shown in this one, step by step, and is over when that process is."""

from __future__ import annotations

from multiprocessing import Pipe

import pytest

from tests.reports.test_look import Heard
from tlx.files.looking import counting, shown_by
from tlx.orchestration.relayed_looks import SentLooks, received


@pytest.mark.parametrize("shown", [True, False])
def test_looks_are_shown_before_what_they_were_for(shown: bool) -> None:
    ours, theirs = Pipe(duplex=False)
    now = [0.0]
    with shown_by(SentLooks(theirs, clock=lambda: now[0])):
        for noun in ("files", "images"):
            with counting("hashing", noun, 40) as step:
                for _ in range(40):
                    step()
                    now[0] += SentLooks.PERIOD / 10
    theirs.send("done")
    theirs.send("more")
    heard = Heard()
    if shown:
        with shown_by(heard):
            assert received(ours) == "done"
        (verb, noun, total, steps), images = heard.looks
        assert (verb, noun, total, images[1]) == ("hashing", "files", 40, "images")
        assert 4 <= len(steps) <= 5  # of forty
        assert steps == sorted(set(steps))
        assert heard.ended == 2
    else:
        assert received(ours) == "done"
    assert received(ours) == "more"


def test_a_look_is_over_when_its_process_is() -> None:
    ours, theirs = Pipe(duplex=False)
    looks, heard = SentLooks(theirs), Heard()
    looks.begin("hashing", "files", 3)
    looks.step(2)
    theirs.close()
    with shown_by(heard), pytest.raises(EOFError):
        received(ours)
    assert (heard.looks, heard.ended) == ([("hashing", "files", 3, [2])], 1)

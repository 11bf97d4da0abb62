"""What a power cut takes: every state that it may leave of a command's files, and the same command run again from each.

The calls of one run that nobody disturbs are traced (``shim.c``), what the disk may hold at every point between two of
them is enumerated (``disk.py`` has the model, ``persisted.py`` the bounds), and each state is put where it was traced.
The command that runs there has to end as the undisturbed one did: weights, predictions, result, metric rows, and every
file of the run folder whole, nothing left over, no traceback.

A sitting ends at its limit, and the next one goes on: what is judged is a line of ``power.jsonl``. A trace is kept, as
states have names only within one; ``--anew`` takes others.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from persisted import State, after, complete, states
from shim import Call, read
from verdict import Bench, judge, latest, show, source

from tlx.training.build import rebuilt

LINES = "power.jsonl"
VERDICTS = ("same", "lost", "gutted", "traceback")


class Proof:
    """One mode: its trace, its states, and their verdicts."""

    def __init__(self, root: Path, mode: str, library: Path, anew: bool = False) -> None:
        self.lines = root / LINES
        self.bench = Bench(root, "power", mode, library)
        self.mode = mode
        self.trace, self.known = self.bench.folder / "trace.bin", self.bench.folder / "known.json"
        if anew or not self.known.is_file():
            self._begin()
        known = json.loads(self.known.read_text())
        self.calm, self.name, self.left_out = known["calm"], known["name"], known["left out"]
        if known["source"] != source():
            print(f"{mode}: tlx has changed since it was traced; --anew traces it again", flush=True)
        self.states = [State(digest, point, _ints(choice), bound) for digest, point, choice, bound in known["states"]]
        self.calls: list[Call] = complete(self.bench.root, read(self.trace))[0]

    def _begin(self) -> None:
        """Trace a run that nobody disturbs, and enumerate what a power cut may leave of it."""
        bench, self.calls = self.bench, []
        bench.clear()
        bench.root.mkdir(parents=True)
        self.trace.unlink(missing_ok=True)
        code, log = bench.run(trace=self.trace)
        calm = bench.look()
        verdict, why = judge(calm, calm, code, bench.said(log))
        if verdict != "same":
            raise SystemExit(f"{self.mode} does not train: {verdict} {why}")
        for place in bench.case.places:
            rebuilt(place)
        calls, unseen = complete(bench.root, read(self.trace))
        for line in unseen:
            print(f"{self.mode}: inferred, as it did not go through libc: {line}", flush=True)
        tree = after(bench.root, calls)
        for line in tree.unknown:
            print(f"{self.mode}: NOT IN THE MODEL: {line}", flush=True)
        if tree.unknown or (missed := tree.differs()):
            raise SystemExit(f"{self.mode}: the trace is not all that happened: {tree.unknown or missed}")
        found, left_out = states(bench.root, calls)
        order = sorted(found.values(), key=lambda state: state.digest)
        random.Random(0).shuffle(order)
        order.sort(key=lambda state: not state.boundary)  # a sitting that is cut short has seen every kind of point
        name = f"{source()}-{order[0].digest[:8]}"
        rows = [(one.digest, one.point, one.choice, one.boundary) for one in order]
        known = {"source": source(), "name": name, "calm": calm, "left out": left_out, "states": rows}
        self.known.write_text(json.dumps(known))

    def rows(self, real: bool = False) -> dict[str, dict[str, Any]]:
        """What was judged of this trace, by the hash of the state."""
        found = latest(self.lines, ["state"], {"mode": self.mode, "trace": self.name, "real": real})
        return {str(state): row for (state,), row in found.items()}

    def sit(self, seconds: float, bad: bool = False) -> None:
        """Judge what is not judged yet, for so long; or once more what was not the same."""
        judged = self.rows()
        wrong = {state for state, row in judged.items() if row["verdict"] != "same"}
        todo = [one for one in self.states if (one.digest in wrong if bad else one.digest not in judged)]
        if todo:
            self.bench.warm()
        deadline = time.monotonic() + seconds
        for state in todo:
            if time.monotonic() >= deadline:
                return
            self._judge(state, real=False)

    def sample(self, count: int, seconds: float) -> None:
        """Judge some states once more, by the command itself."""
        deadline = time.monotonic() + seconds
        done = self.rows(real=True).keys()
        judged = sorted(self.rows().keys() - done)
        for digest in random.Random(len(done)).sample(judged, min(count, len(judged))):
            if time.monotonic() < deadline:
                self._judge(next(state for state in self.states if state.digest == digest), real=True)

    def _judge(self, state: State, real: bool) -> None:
        bench = self.bench
        tree = after(bench.root, self.calls[: state.point])
        bench.clear()
        tree.write(state.choice)
        before = bench.said("")
        began = time.monotonic()
        code, log = bench.real() if real else bench.run()
        verdict, why = judge(self.calm, bench.look(), code, bench.said(log), before)
        row = {"mode": self.mode, "state": state.digest, "trace": self.name, "real": real, "verdict": verdict}
        row |= {"why": why, "seconds": round(time.monotonic() - began, 2), "point": state.point}
        if verdict != "same":
            calls = self.calls[max(0, state.point - 3) : state.point]
            row |= {"after": [self._short(str(call)) for call in calls], "not as last": tree.notes(state.choice)}
        with self.lines.open("a") as stream:
            stream.write(json.dumps(row) + "\n")

    def _short(self, text: str) -> str:
        return text.replace(f"{self.bench.root}/", "")

    def again(self, digest: str) -> None:
        """Put one state on the disk, to be looked at."""
        state = next(one for one in self.states if one.digest.startswith(digest))
        self.bench.clear()
        after(self.bench.root, self.calls[: state.point]).write(state.choice)
        print(f"{self.bench.root} is in state {state.digest}; tlx {' '.join(self.bench.case.command)}")


def _ints(choice: dict[str, Any]) -> dict[int, Any]:
    return {int(number): how for number, how in choice.items()}


def report(proofs: list[Proof]) -> bool:
    """Print a table, every bad state, and each kind of them; is all the same?"""
    head = ["mode", "calls", "states", "judged", *VERDICTS, "real command", "left out"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    total, bad = Counter[str](), list[dict[str, Any]]()
    for proof in proofs:
        rows = [*proof.rows().values(), *proof.rows(real=True).values()]
        count = Counter(row["verdict"] for row in rows if not row["real"])
        real = Counter(row["verdict"] for row in rows if row["real"])
        count |= {"states": len(proof.states), "judged": sum(count.values()), "calls": len(proof.calls)}
        cells = [proof.mode, *(count[name] for name in ("calls", "states", "judged", *VERDICTS))]
        print("| " + " | ".join(map(str, [*cells, f"{real['same']}/{sum(real.values())}", proof.left_out])) + " |")
        total += count
        bad += [row for row in rows if row["verdict"] != "same"]
    print("| all | " + " | ".join(str(total[name]) for name in ("calls", "states", "judged", *VERDICTS)) + " | | |")
    show(bad)
    return not bad


def power(
    root: Path,
    modes: list[str],
    library: Path,
    limit: float,
    real: int = 0,
    anew: bool = False,
    bad: bool = False,
    state: str = "",
) -> bool:
    """One sitting over these modes; is all that was judged so far the same?"""
    proofs, left = list[Proof](), limit  # of judging: to trace and to enumerate takes what it takes
    for number, mode in enumerate(modes):
        proof = Proof(root, mode, library, anew)
        proofs.append(proof)
        if state:
            proof.again(state)
            return True
        began, share = time.monotonic(), left / (len(modes) - number)
        proof.sit(share / 2 if real else share, bad)
        proof.sample(real, share - (time.monotonic() - began))
        left -= time.monotonic() - began
    return report(proofs)

"""The comparison: who runs when, on what, and what is made of the times.

A round is one run of every net at one hidden size. Each run is a process of its own (`fastmlp.comparison.run`), and all
go through the round together, an epoch each in turn, A B C, A B C, ..., so that what slows the machine down for some
seconds slows all nets down. Each hidden size has its first round before any has its second, so that the repeats lie
far apart. A short probe of the machine before and after tells whether a round was disturbed.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.comparison.results import SCHEMA, add_spread, dense_flop, make_row
from fastmlp.comparison.run import ContenderRun, RunFailedError
from fastmlp.contenders import not_installed
from fastmlp.errors import DivergenceError, InvalidValueError
from fastmlp.network import NeuralNetwork

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = ["Comparison", "ComparisonPlan", "Event"]

_DISTURBED = 0.8  # of the probe's best
# For the first estimate only: seconds to start, and to do one update at a tiny size.
_START_SECONDS = {"fastmlp": 2.0, "numpy": 1.0, "keras": 9.0, "keras-tuned": 11.0, "torch": 5.0, "jax": 4.0}
_UPDATE_SECONDS = {"fastmlp": 4e-5, "keras": 8e-4, "keras-tuned": 4e-4, "torch": 4e-4, "sklearn": 4e-4}
_SHARE_OF_PEAK = 0.5  # of the arithmetic with the zeros


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared, and how. `modules` maps the name of a net to its module."""

    modules: Mapping[str, str]
    hidden_sizes: Sequence[int]
    epochs: int
    batch_size: int
    lr: float
    repeats: int
    threads: int
    seed: int
    dataset: str
    timeout: float = 600.0
    repeat_disturbed: bool = True

    @property
    def rounds(self) -> list[tuple[int, int]]:
        """The rounds in order: (hidden size, repeat)."""
        return [(size, repeat) for repeat in range(self.repeats) for size in self.hidden_sizes]


@dataclass(frozen=True)
class Event:
    """What has just happened to a run: it ended an epoch, and is over where there is a result or an error."""

    net: str
    hidden_size: int
    repeat: int
    epoch: int = 0
    result: dict[str, Any] | None = None
    error: str | None = None


@dataclass
class _Round:
    probe: float
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)


class Comparison:
    """Runs a `ComparisonPlan` on `data`; what is finished can be read at any time.

    `run` returns when all is done. After an interrupt, `results` has the runs that were finished.
    """

    def __init__(self, plan: ComparisonPlan, data: Dataset, missing: Sequence[str] = ()) -> None:
        from fastmlp.kernels.probe import Probe

        self.plan, self._data, self._missing = plan, data, missing
        self._probe = Probe(plan.threads)
        self._rates = [self._probe.gflops()]
        self._probes: list[float] = []  # of each round, in the order in which they were run
        self._rounds: dict[tuple[int, int], _Round] = {}
        self._current: tuple[int, int, dict[str, dict[str, Any]]] | None = None
        self._errors: dict[tuple[str, int], str] = {}
        self._parity: dict[int, float] = {}  # our mean loss over the first epoch, at each hidden size
        self._complete = False
        processors = getattr(os, "sched_getaffinity", lambda _: ())(0)
        self._processors = sorted(processors)[: plan.threads]

    def estimate(self) -> float:
        """Return about how many seconds `run` takes, disturbed rounds apart."""
        n, D, C = len(self._data.x_train), self._data.x_train.shape[1], self._data.n_classes
        updates = math.ceil(n / self.plan.batch_size)
        seconds = 0.0
        for size, repeat in self.plan.rounds:
            arithmetic = dense_flop(n, D, size, C) / (_SHARE_OF_PEAK * self._rates[0] * 1e9)
            epochs = self.plan.epochs + (repeat == 0)
            seconds += sum(
                _START_SECONDS.get(net, 3.0) + epochs * (updates * _UPDATE_SECONDS.get(net, 2.5e-4) + arithmetic)
                for net in self.plan.modules
            )
        return seconds

    def run(
        self,
        on_event: Callable[[Event], None] = lambda _: None,
        on_round: Callable[[int, int], None] = lambda _done, _in_all: None,
    ) -> None:
        """Run all rounds, then those again that were disturbed: at most twice as many in all.

        `on_event` hears of every run, `on_round` how many rounds are done and how many there are to be.
        """
        planned = self.plan.rounds
        with tempfile.TemporaryDirectory(prefix="fastmlp-compare-") as folder:
            for name in ("x_train", "y_train", "x_test", "y_test"):
                np.save(Path(folder, f"{name}.npy"), getattr(self._data, name))
            pending = list(planned)
            while pending and len(self._probes) < 2 * len(planned):
                self._run_round(*pending.pop(0), Path(folder), on_event)
                if not pending and self.plan.repeat_disturbed:
                    limit = _DISTURBED * max(self._rates)
                    pending = [key for key in planned if key in self._rounds and self._rounds[key].probe < limit]
                room = 2 * len(planned) - len(self._probes)
                on_round(len(self._probes), len(self._probes) + min(len(pending), room))
        self._complete = True

    def _run_round(self, size: int, repeat: int, folder: Path, on_event: Callable[[Event], None]) -> None:
        nets = {net: module for net, module in self.plan.modules.items() if (net, size) not in self._errors}
        if not nets:
            return
        try:
            self._prepare(size, repeat, folder)
        except (InvalidValueError, MemoryError) as error:  # a size that no memory holds
            for net in nets:
                self._errors[net, size] = " ".join(str(error).split()) or "there is not enough memory"
                on_event(Event(net, size, repeat, error=self._errors[net, size]))
            return
        runs: dict[str, dict[str, Any]] = {}
        if (size, repeat) not in self._rounds:
            self._current = size, repeat, runs  # after an interrupt, what is finished of the round
        before = self._probe.gflops()
        with contextlib.ExitStack() as stack:
            going = {
                name: stack.enter_context(ContenderRun(self._spec(module, size, repeat, folder), self.plan.timeout))
                for name, module in nets.items()
            }
            for epoch in range(1, self.plan.epochs + 1):
                for name, run in list(going.items()):
                    try:
                        result = run.epoch()
                    except RunFailedError as error:
                        self._errors[name, size] = str(error)
                        on_event(Event(name, size, repeat, error=str(error)))
                        del going[name]
                        continue
                    if result is not None:
                        runs[name] = {"repeat": repeat, **result}
                    on_event(Event(name, size, repeat, epoch, runs.get(name)))
        after = self._probe.gflops()
        self._rates += before, after
        probe = min(before, after)
        self._probes.append(probe)
        known = self._rounds.get((size, repeat))
        if known is None or probe > known.probe:
            self._rounds[size, repeat] = _Round(probe, runs)
        self._current = None

    def _prepare(self, size: int, repeat: int, folder: Path) -> None:
        """Write the weights with which all nets of a round begin; measure our first epoch with them, once a size."""
        weights = folder / "weights"
        weights.mkdir(exist_ok=True)
        net = NeuralNetwork(
            size,
            self.plan.lr,
            input_size=self._data.x_train.shape[1],
            output_size=self._data.n_classes,
            seed=self.plan.seed + repeat,
            n_threads=self.plan.threads,
        )
        for name in ("W1", "b1", "W2", "b2"):
            np.save(weights / f"{name}.npy", getattr(net, name))
        if size not in self._parity:
            self._parity[size] = self._first_loss(net)

    def _first_loss(self, net: NeuralNetwork) -> float:
        """Our mean loss over an epoch in order; NaN where it diverges."""
        data = self._data
        try:
            return float(net.fit(data.x_train, data.y_train, self.plan.batch_size, 1, shuffle=False).loss[0])
        except DivergenceError:
            return math.nan

    def _spec(self, module: str, size: int, repeat: int, folder: Path) -> dict[str, Any]:
        """What `fastmlp.comparison.child` is to do."""
        return {
            "module": module,
            "hidden_size": size,
            "lr": self.plan.lr,
            "input_size": self._data.x_train.shape[1],
            "output_size": self._data.n_classes,
            "seed": self.plan.seed + repeat,
            "threads": self.plan.threads,
            "batch_size": self.plan.batch_size,
            "epochs": self.plan.epochs,
            "parity": repeat == 0,
            "processors": self._processors,
            "data": str(folder),
            "weights": str(folder / "weights"),
        }

    def results(self) -> dict[str, Any]:
        """Return what is finished: parameters, environment, rounds, and a row for each net at each hidden size."""
        from fastmlp.environment import environment

        plan, data = self.plan, self._data
        limit = _DISTURBED * max(self._rates)
        machine = environment()
        del machine["kernel_cache"]  # a path of this machine, in a file that people hand on
        return {
            "schema": SCHEMA,
            "kind": "comparison",
            "parameters": {
                "hidden_sizes": list(plan.hidden_sizes),
                "nets": list(plan.modules),
                "epochs": plan.epochs,
                "batch_size": plan.batch_size,
                "lr": plan.lr,
                "repeats": plan.repeats,
                "threads": plan.threads,
                "dataset": plan.dataset,
                "seed": plan.seed,
            },
            "environment": {**machine, "peak_gflops": max(self._rates)},
            "rounds": {
                "planned": len(plan.rounds),
                "run": len(self._probes),
                "disturbed": sum(probe < limit for probe in self._probes),
                "probe_gflops": list(self._probes),
            },
            "complete": self._complete,
            "data": {
                "name": data.name,
                "n_train": len(data.x_train),
                "n_test": len(data.x_test),
                "input_size": data.x_train.shape[1],
                "output_size": data.n_classes,
            },
            "results": self._rows(),
        }

    def _rows(self) -> list[dict[str, Any]]:
        finished = {key: kept.runs for key, kept in self._rounds.items()}
        if self._current is not None:
            size, repeat, runs = self._current
            finished[size, repeat] = runs
        rows = []
        for size in self.plan.hidden_sizes:
            rounds = [finished[key] for key in sorted(finished) if key[0] == size]
            for net in self.plan.modules:
                repeats = [runs[net] for runs in rounds if net in runs]
                row: dict[str, Any] = {"net": net, "hidden_size": size, "dataset": self._data.name}
                if (net, size) in self._errors:
                    rows.append(row | {"error": self._errors[net, size], "repeats": repeats})
                elif repeats:
                    rows.append(row | make_row(net, self._parity[size], repeats, rounds))
            rows += [
                {"net": net, "hidden_size": size, "dataset": self._data.name, "error": not_installed(net)}
                for net in self._missing
            ]
        add_spread(rows)
        return rows

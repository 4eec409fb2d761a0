"""The comparison: who runs when, on what, and what is made of the times.

A round trains every net once at one hidden size. Each of these runs is a process of its own (`fastmlp.comparison.run`),
and all go through the round together, an epoch each in turn, A B C, A B C, ..., so that whatever slows the machine down
for some seconds slows all nets down. Every hidden size has its first round before any has its second, so that the
repeats lie far apart. A short probe of the machine before and after tells whether a round was disturbed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.comparison.arithmetic import training_flop
from fastmlp.comparison.results import add_spread, make_row
from fastmlp.comparison.results_file import SCHEMA
from fastmlp.comparison.run import ContenderRun, RunFailedError
from fastmlp.comparison.spec import WEIGHTS, RunSpec, save_arrays
from fastmlp.contenders import not_installed
from fastmlp.errors import DivergenceError, InvalidValueError
from fastmlp.files.scratch import scratch_folder
from fastmlp.machine import processors_for
from fastmlp.network import NeuralNetwork

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = ["Comparison", "ComparisonPlan", "Event"]

_DISTURBED = 0.8  # of the probe's best rate
# For the first estimate only: seconds to start, and seconds of one update at a tiny hidden size.
_START_SECONDS = {"fastmlp": 2.0, "numpy": 1.0, "keras": 9.0, "keras-tuned": 11.0, "torch": 5.0, "jax": 4.0}
_UPDATE_SECONDS = {"fastmlp": 4e-5, "keras": 8e-4, "keras-tuned": 4e-4, "torch": 4e-4, "sklearn": 4e-4}
_SHARE_OF_PEAK = 0.5  # at which a net does its arithmetic, zeros included

RunResult = dict[str, Any]
"""What a run gives: see `fastmlp.comparison.child`."""


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared, and how. `modules` maps the name of each net to its module."""

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
    optimizer: str = "sgd"

    @property
    def rounds(self) -> list[tuple[int, int]]:
        """The rounds in order: (hidden size, repeat)."""
        return [(size, repeat) for repeat in range(self.repeats) for size in self.hidden_sizes]


@dataclass(frozen=True)
class Event:
    """What has just happened to a run: an epoch has ended, and where there is a result or an error, the run too."""

    net: str
    hidden_size: int
    repeat: int
    epoch: int = 0
    result: RunResult | None = None
    error: str | None = None


@dataclass
class _Round:
    """A round: the lower of its two probes, 0 while it is not finished, and the results of its runs."""

    probe: float = 0.0
    runs: dict[str, RunResult] = field(default_factory=dict)


class Comparison:
    """Carries out a `ComparisonPlan` on `data`.

    `measure` returns when all rounds are done. What is finished can be read from `results` at any time, also after an
    interrupt.
    """

    def __init__(self, plan: ComparisonPlan, data: Dataset, missing: Sequence[str] = ()) -> None:
        from fastmlp.kernels.probe import Probe

        self.plan, self._data, self._missing = plan, data, missing
        self._probe = Probe(plan.threads)
        self._rates = [self._probe.gflops()]
        self._probes: list[float] = []  # the lower one of each round that was run, disturbed ones included
        self._rounds: dict[tuple[int, int], _Round] = {}  # by hidden size and repeat
        self._errors: dict[tuple[str, int], str] = {}  # by net and hidden size
        self._our_loss: dict[int, float] = {}  # our mean loss over the first epoch in order, at each hidden size
        self._complete = False
        self._processors = processors_for(plan.threads)

    def estimate(self) -> float:
        """Return about how many seconds `measure` takes if no round is disturbed."""
        n, D, C = len(self._data.x_train), self._data.x_train.shape[1], self._data.n_classes
        updates = math.ceil(n / self.plan.batch_size)
        seconds = 0.0
        for size, repeat in self.plan.rounds:
            arithmetic = training_flop(n * D, n, size, C) / (_SHARE_OF_PEAK * self._rates[0] * 1e9)
            epochs = self.plan.epochs + (repeat == 0)
            seconds += sum(
                _START_SECONDS.get(net, 3.0) + epochs * (updates * _UPDATE_SECONDS.get(net, 2.5e-4) + arithmetic)
                for net in self.plan.modules
            )
        return seconds

    def measure(
        self,
        on_event: Callable[[Event], None] = lambda _: None,
        on_round: Callable[[int, int], None] = lambda _done, _in_all: None,
    ) -> None:
        """Do all rounds, then the disturbed ones again: at most twice as many in all.

        `on_event` is called with what happens to each run, `on_round` after each round with the number of rounds that
        are done and the number that there will be.
        """
        planned = self.plan.rounds
        with scratch_folder("fastmlp-compare-") as folder:
            save_arrays(
                folder, {part: getattr(self._data, part) for part in ("x_train", "y_train", "x_test", "y_test")}
            )
            pending = list(planned)
            while pending and len(self._probes) < 2 * len(planned):
                self._do_round(*pending.pop(0), folder, on_event)
                if not pending and self.plan.repeat_disturbed:
                    limit = _DISTURBED * max(self._rates)
                    disturbed = [key for key in planned if key in self._rounds and self._rounds[key].probe < limit]
                    pending = [(size, repeat) for size, repeat in disturbed if self._nets_left(size)]
                room = 2 * len(planned) - len(self._probes)
                on_round(len(self._probes), len(self._probes) + min(len(pending), room))
        self._complete = True

    def _do_round(self, size: int, repeat: int, folder: Path, on_event: Callable[[Event], None]) -> None:
        """Do a round and keep the better one where it was done before: the one with the higher probe."""
        nets = self._nets_left(size)
        if not nets:
            return
        try:
            self._prepare(size, repeat, folder)
        except (InvalidValueError, MemoryError) as error:  # the net is too large for this machine's memory
            for net in nets:
                self._errors[net, size] = " ".join(str(error).split()) or "there is not enough memory"
                on_event(Event(net, size, repeat, error=self._errors[net, size]))
            return
        done = _Round()
        kept = self._rounds.setdefault((size, repeat), done)  # so an interrupt leaves what is finished of the first one
        before = self._probe.gflops()
        self._take_turns({net: self._spec(net, size, repeat, folder) for net in nets}, repeat, done.runs, on_event)
        after = self._probe.gflops()
        self._rates += before, after
        done.probe = min(before, after)
        self._probes.append(done.probe)
        if done.probe > kept.probe:
            self._rounds[size, repeat] = done

    def _nets_left(self, size: int) -> list[str]:
        """The nets that have not failed at a hidden size."""
        return [net for net in self.plan.modules if (net, size) not in self._errors]

    def _take_turns(
        self,
        specs: Mapping[str, RunSpec],
        repeat: int,
        runs: dict[str, RunResult],
        on_event: Callable[[Event], None],
    ) -> None:
        """Let the nets of `specs` train, an epoch each in turn; enter what they give into `runs`."""
        with contextlib.ExitStack() as stack:
            going = {net: stack.enter_context(ContenderRun(spec, self.plan.timeout)) for net, spec in specs.items()}
            for epoch in range(1, self.plan.epochs + 1):
                for net, run in list(going.items()):
                    size = specs[net].hidden_size
                    try:
                        result = run.epoch()
                    except RunFailedError as error:
                        self._errors[net, size] = str(error)
                        on_event(Event(net, size, repeat, error=str(error)))
                        del going[net]
                        continue
                    if result is not None:
                        runs[net] = {"repeat": repeat, **result}
                    on_event(Event(net, size, repeat, epoch, runs.get(net)))

    def _prepare(self, size: int, repeat: int, folder: Path) -> None:
        """Write the weights from which all nets of a round start; once a size, measure our first epoch from them."""
        weights = folder / "weights"
        weights.mkdir(exist_ok=True)
        net = NeuralNetwork(
            size,
            self.plan.lr,
            input_size=self._data.x_train.shape[1],
            output_size=self._data.n_classes,
            optimizer=self.plan.optimizer,
            seed=self.plan.seed + repeat,
            n_threads=self.plan.threads,
        )
        save_arrays(weights, {name: getattr(net, name) for name in WEIGHTS})
        if size not in self._our_loss:
            self._our_loss[size] = self._first_loss(net)

    def _first_loss(self, net: NeuralNetwork) -> float:
        """Our mean loss over an epoch in order; NaN where training diverges."""
        data = self._data
        try:
            return float(net.fit(data.x_train, data.y_train, self.plan.batch_size, 1, shuffle=False).loss[0])
        except DivergenceError:
            return math.nan

    def _spec(self, net: str, size: int, repeat: int, folder: Path) -> RunSpec:
        return RunSpec(
            module=self.plan.modules[net],
            hidden_size=size,
            lr=self.plan.lr,
            optimizer=self.plan.optimizer,
            input_size=self._data.x_train.shape[1],
            output_size=self._data.n_classes,
            seed=self.plan.seed + repeat,
            threads=self.plan.threads,
            batch_size=self.plan.batch_size,
            epochs=self.plan.epochs,
            data=str(folder),
            weights=str(folder / "weights"),
            processors=self._processors,
            parity=repeat == 0,
        )

    def results(self) -> dict[str, Any]:
        """Return what is finished: parameters, environment, rounds, and a row for each net at each hidden size."""
        from fastmlp.environment import environment

        plan, data = self.plan, self._data
        limit = _DISTURBED * max(self._rates)
        machine = environment()
        del machine["kernel_cache"]  # a path on this machine, in a file that people pass on
        return {
            "schema": SCHEMA,
            "kind": "comparison",
            "parameters": {
                "hidden_sizes": list(plan.hidden_sizes),
                "nets": list(plan.modules),
                "epochs": plan.epochs,
                "batch_size": plan.batch_size,
                "lr": plan.lr,
                "optimizer": plan.optimizer,
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
                "nonzeros": int(np.count_nonzero(data.x_train)),
                "input_size": data.x_train.shape[1],
                "output_size": data.n_classes,
            },
            "results": self._rows(),
        }

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for size in self.plan.hidden_sizes:
            rounds = [self._rounds[key].runs for key in sorted(self._rounds) if key[0] == size]
            for net in self.plan.modules:
                repeats = [runs[net] for runs in rounds if net in runs]
                row: dict[str, Any] = {"net": net, "hidden_size": size, "dataset": self._data.name}
                if (net, size) in self._errors:
                    rows.append(row | {"error": self._errors[net, size], "repeats": repeats})
                elif repeats:
                    rows.append(row | make_row(net, self._our_loss[size], repeats, rounds))
            rows += [
                {"net": net, "hidden_size": size, "dataset": self._data.name, "error": not_installed(net)}
                for net in self._missing
            ]
        add_spread(rows)
        return rows

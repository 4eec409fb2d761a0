"""Several nets train the same net against the clock, each in a process of its own.

One process runs at a time, so that each net has the whole machine for its turn: always the one that has used the least
seconds of training so far goes on, by an epoch. So all are about as far by the clock, and the fastest is done first.
Loading a library and compiling come before the clock starts; the accuracy is measured while it stands. A short probe of
the machine after each turn tells whether other programs disturb the race.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fastmlp.comparison.run import ContenderRun, RunFailedError
from fastmlp.comparison.spec import WEIGHTS, RunSpec, save_arrays
from fastmlp.contenders import MODULES
from fastmlp.datasets.dataset import Dataset
from fastmlp.engine.settings import default_threads
from fastmlp.errors import FastmlpError
from fastmlp.files.json_safe import json_safe
from fastmlp.files.scratch import scratch_folder
from fastmlp.kernels.probe import Probe
from fastmlp.machine import processors_for
from fastmlp.network import NeuralNetwork

__all__ = ["EPOCHS", "Race"]

EPOCHS = 10
_BATCH_SIZE, _LR, _SEED = 128, 0.1, 0
_TIMEOUT = 600.0
_DISTURBED = 0.8  # of the probe's best rate
_OFTEN = 0.25  # of the probes: where so many are below, so are the times


@dataclass(frozen=True)
class _Racer:
    """How far a net is: the seconds that it has trained and its test accuracy, after each epoch."""

    net: str
    status: str = "waiting"  # waiting, loading, training, done or failed
    said: str = ""
    seconds: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()


class Race:
    """A race of `nets`, each with `hidden_size` hidden units, from the same weights on the same data."""

    def __init__(self, nets: Sequence[str], hidden_size: int) -> None:
        self._hidden_size = hidden_size
        self._racers = {net: _Racer(net) for net in nets}
        self._rates: list[float] = []  # of the probe, in GFLOP/s

    def state(self) -> dict[str, Any]:
        """Return how far each net is, for JSON; this may be called from another thread while the race runs."""
        racers = [asdict(racer) for racer in list(self._racers.values())]
        return {
            "hidden_size": self._hidden_size,
            "epochs": EPOCHS,
            "racers": json_safe(racers),
            "disturbed": self._is_disturbed(),
        }

    def _is_disturbed(self) -> bool:
        rates = list(self._rates)
        low = sum(rate < _DISTURBED * max(rates) for rate in rates)
        return low > _OFTEN * len(rates)

    def run(self, load: Callable[[], Dataset], is_stopped: Callable[[], bool]) -> None:
        """Run the race on the data that `load` gives to its end, or until it is stopped; its processes end with it.

        Where there is no data, or no room for it, each net says so as the reason why it did not run.
        """
        broke_off = "it was stopped"
        try:
            data = load()
            with scratch_folder("fastmlp-demo-") as folder, contextlib.ExitStack() as stack:
                specs = self._prepare(data, folder)
                going = {
                    net: stack.enter_context(ContenderRun(spec, _TIMEOUT, is_stopped)) for net, spec in specs.items()
                }
                probe = Probe(default_threads())
                while going and not is_stopped():
                    net = min(going, key=lambda net: self._racers[net].seconds[-1:])
                    if self._turn(net, going[net]):
                        del going[net]
                    self._rates.append(probe.gflops())
        except (FastmlpError, OSError, MemoryError) as error:
            broke_off = str(error) or "there is not enough memory"
        finally:
            for net, racer in self._racers.items():
                if racer.status not in ("done", "failed"):
                    self._set(net, status="failed", said=broke_off)

    def _turn(self, net: str, run: ContenderRun) -> bool:
        """Let a net do its next epoch; return whether it was the last."""
        racer = self._racers[net]
        self._set(net, status="training" if racer.seconds else "loading")
        try:
            result = run.epoch()
        except RunFailedError as error:
            self._set(net, status="failed", said=str(error))
            return True
        now = run.said if result is None else result
        self._set(
            net,
            status="waiting" if result is None else "done",
            seconds=(*racer.seconds, now["train_seconds"]),
            accuracy=(*racer.accuracy, now["test_accuracy"]),
        )
        return result is not None

    def _set(self, net: str, **changes: Any) -> None:
        self._racers[net] = replace(self._racers[net], **changes)

    def _prepare(self, data: Dataset, folder: Path) -> dict[str, RunSpec]:
        """Write the data and the weights that all nets start from; return what each is to do."""
        threads = default_threads()
        net = NeuralNetwork(self._hidden_size, _LR, output_size=data.n_classes, seed=_SEED, n_threads=threads)
        save_arrays(folder, {part: getattr(data, part) for part in ("x_train", "y_train", "x_test", "y_test")})
        save_arrays(folder, {name: getattr(net, name) for name in WEIGHTS})
        return {
            name: RunSpec(
                module=MODULES[name].name,
                hidden_size=self._hidden_size,
                lr=_LR,
                input_size=net.input_size,
                output_size=net.output_size,
                seed=_SEED,
                threads=threads,
                batch_size=_BATCH_SIZE,
                epochs=EPOCHS,
                data=str(folder),
                weights=str(folder),
                processors=processors_for(threads),
            )
            for name in self._racers
        }

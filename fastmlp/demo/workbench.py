"""What the page shows and drives: the net that looks at drawings, its training, and the race."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fastmlp.contenders import MODULES, available, not_installed
from fastmlp.errors import FastmlpError, InvalidValueError
from fastmlp.files.json_safe import json_safe

if TYPE_CHECKING:
    from fastmlp.datasets.dataset import Dataset
    from fastmlp.demo.net_view import NetView
    from fastmlp.demo.race import Race
    from fastmlp.network import History, NeuralNetwork

__all__ = ["HIDDEN_SIZES", "BusyError", "Workbench"]

HIDDEN_SIZES = (30, 128, 300)
"""Those that can be chosen on the page."""

_HIDDEN_SIZE, _EPOCHS, _BATCH_SIZE = 128, 10, 128
_LR = 0.3  # 97.9 % of MNIST, in seconds; plain descent, whose kernels `fastmlp warmup` and `fastmlp train` compile too
_END_SECONDS = 3.0  # for what runs to end: longer than an epoch; what is compiling then is left to itself


class BusyError(FastmlpError):
    """One thing at a time: a training or a race is under way."""


@dataclass(frozen=True)
class _Training:
    """How far the training of the page's own net is: `phase` is loading, preparing, training or ready."""

    phase: str
    hidden_size: int
    dataset: str = ""
    history: Mapping[str, list[float | None]] = field(default_factory=dict)


class Workbench:
    """The net, its training and the race; used as a context, at whose end whatever runs is ended.

    With a `view` of a net there is nothing to train; `name` is what the page calls it. Without one, `start_training`
    makes a net. `history` is how the given one was trained, where that is known; `data_dir` is where MNIST's files lie,
    see `load_dataset`.

    `on_failure` is called, in another thread, where a training fails, and `failure` is then what it raised.
    """

    def __init__(
        self,
        view: NetView | None = None,
        name: str = "",
        history: History | None = None,
        *,
        data_dir: Path | None = None,
    ) -> None:
        self._view, self._name, self._data_dir, self._is_given = view, name, data_dir, view is not None
        self._version = 0 if view is None else 1
        self._training = _Training("loading", _HIDDEN_SIZE)
        if view is not None:
            self._training = _Training("ready", view.hidden_size, history=_as_lists(history))
        self._race: Race | None = None
        self._data: Dataset | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.failure: BaseException | None = None
        self._lock = threading.Lock()  # of what says whether something runs
        self._job: threading.Thread | None = None
        self._job_name = ""
        self._stopped = threading.Event()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def can_train(self) -> bool:
        """Whether nets are trained here, rather than one shown that was given."""
        return not self._is_given

    # --- What the page asks -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what there is to see of the net and its training, for JSON; `version` counts the changes of it."""
        training, view = self._training, self._view
        return {
            "phase": training.phase,
            "name": self._name,
            "can_train": self.can_train,
            "busy": self._running(),
            "hidden_size": training.hidden_size,
            "hidden_sizes": HIDDEN_SIZES,
            "dataset": training.dataset,
            "epochs": _EPOCHS if self.can_train else len(training.history.get("loss", ())),
            "history": training.history,
            "classes": view.classes if view else [str(digit) for digit in range(10)],
            "version": self._version,
        }

    def look(self, drawing: bytes) -> dict[str, Any]:
        """Return what the net sees in a drawing, see `NetView.look`. Raises BusyError where there is no net yet."""
        if self._view is None:
            raise BusyError("the net is not there yet; one moment")
        return self._view.look(drawing)

    def race_state(self) -> dict[str, Any]:
        """Return which nets can race, which are missing and why, and how far the last race is, for JSON."""
        race = self._race
        return {
            "nets": [net for net in MODULES if available(net)],
            "missing": [not_installed(net) for net in MODULES if not available(net)],
            "hidden_sizes": HIDDEN_SIZES,
            "running": self._running() == "race",
            "busy": self._running(),
            "race": race and race.state(),
        }

    # --- What the page drives -----------------------------------------------------------------------------------------

    def start_training(self, hidden_size: int = _HIDDEN_SIZE) -> None:
        """Train a new net. Raises BusyError while something runs, InvalidValueError for another hidden size."""
        _check_hidden_size(hidden_size)
        if not self.can_train:
            raise InvalidValueError("this page shows a net that was trained before; start the demo without one")

        def training() -> None:
            try:
                self._train(hidden_size)
            except BaseException as error:  # noqa: BLE001 - raised again by who started the demo
                self.failure = error
                self.on_failure()

        self._start("training", training)

    def start_race(self, nets: Sequence[str], hidden_size: int) -> None:
        """Let nets race. Raises BusyError while something runs, InvalidValueError for what cannot race."""
        _check_hidden_size(hidden_size)
        known = [net for net in MODULES if available(net)]
        if not nets or len(set(nets)) < len(nets) or not set(nets) <= set(known):
            raise InvalidValueError(f"name each net to race once; those that can are {', '.join(known)}")

        def race() -> None:
            from fastmlp.demo.race import Race

            self._race = Race(nets, hidden_size)
            self._race.run(self._load, self._stopped.is_set)

        self._start("race", race)

    def stop_race(self) -> None:
        """Have the race ended soon, if there is one."""
        with self._lock:
            if self._running() == "race":
                self._stopped.set()

    def stop(self) -> None:
        """End what runs, if anything does, and wait for that; a training ends with its epoch."""
        with self._lock:
            job = self._job
            self._stopped.set()
        if job is not None:
            job.join(_END_SECONDS)

    # --- In a thread of its own ---------------------------------------------------------------------------------------

    def _start(self, name: str, work: Callable[[], None]) -> None:
        with self._lock:
            if running := self._running():
                raise BusyError(f"the {running} is not over yet: one thing at a time, so that each has the machine")
            self._stopped = threading.Event()
            self._job_name = name
            self._job = threading.Thread(target=work, name=name, daemon=True)
            self._job.start()

    def _running(self) -> str:
        return self._job_name if self._job is not None and self._job.is_alive() else ""

    def _load(self) -> Dataset:
        from fastmlp.datasets.choice import load_dataset

        if self._data is None:
            self._data = load_dataset("auto", self._data_dir)
        return self._data

    def _train(self, hidden_size: int) -> None:
        from fastmlp.network import NeuralNetwork

        self._training = _Training("loading", hidden_size)
        net = NeuralNetwork(hidden_size, _LR, seed=0)
        self._show(net)  # which knows nothing yet, but what it sees can be looked at
        if self._stopped.is_set():
            return
        data = self._load()
        if self._stopped.is_set():
            return
        net.input_scale = data.input_scale
        self._training = _Training("preparing", hidden_size, data.name)

        def after_epoch(_epoch: int, history: History) -> bool:
            self._training = _Training("training", hidden_size, data.name, _as_lists(history))
            self._show(net)
            return self._stopped.is_set()

        history = net.fit(
            data.x_train,
            data.y_train,
            _BATCH_SIZE,
            _EPOCHS,
            validation=(data.x_test, data.y_test),
            callback=after_epoch,
        )
        self._training = _Training("ready", hidden_size, data.name, _as_lists(history))

    def _show(self, net: NeuralNetwork) -> None:
        from fastmlp.demo.net_view import NetView

        view = NetView(net)
        view.warm_up()
        self._view, self._version = view, self._version + 1


def _as_lists(history: History | None) -> dict[str, list[float | None]]:
    """Return the history for JSON, which has no NaN."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds") if history is not None else ()
    lists: dict[str, list[float | None]] = json_safe({name: list(getattr(history, name)) for name in names})
    return lists


def _check_hidden_size(value: int) -> None:
    if value not in HIDDEN_SIZES:
        raise InvalidValueError(f"hidden_size must be one of {', '.join(map(str, HIDDEN_SIZES))}")

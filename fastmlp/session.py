"""Training that keeps its history, writes checkpoints, and can be resumed in another process."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastmlp.datasets import Dataset
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.settings import check_integer
from fastmlp.engine.training import Measure, measure_on
from fastmlp.engine.training import fit as fit_weights
from fastmlp.errors import InvalidValueError, ModelFileError
from fastmlp.files.atomic import check_writable
from fastmlp.files.model import ModelFile, read_model
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.model_inputs import as_model_sees
from fastmlp.network import History, NeuralNetwork, Score

if TYPE_CHECKING:
    from fastmlp.contenders import Contender

__all__ = ["TrainingRecord", "TrainingSession"]

Net = TypeVar("Net", bound="Contender")

_PER_EPOCH = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class TrainingRecord:
    """What a model file keeps of the session that trained the model: enough to resume it.

    `dataset` says where the data came from: a mapping with a `source` and whatever else is needed to load them again,
    or None where that was not said.
    """

    history: History
    batch_size: int
    checkpoint_every: int | None = None
    dataset: Mapping[str, Any] | None = None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], model: ModelFile) -> TrainingRecord:
        """Return the record in a model that `read_model` gave; `path` is for the message. Raises ModelFileError."""
        training: Any = model.metadata.get("training")
        try:
            values: dict[str, Any] = {name: _as_numbers(training["history"][name]) for name in _PER_EPOCH}
            if {len(series) for series in values.values()} != {check_integer("epochs", training["epochs"])}:
                raise InvalidValueError("history must have one value per epoch")
            every, dataset = training.get("checkpoint_every"), training.get("dataset")
            return cls(
                History(**values),
                check_integer("batch_size", training["batch_size"]),
                None if every is None else check_integer("checkpoint_every", every),
                _check_dataset(dataset),
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise ModelFileError(f"{path} does not say how it was trained, so its training cannot be resumed") from None

    def as_metadata(self) -> dict[str, Any]:
        """Return the record as `NeuralNetwork.save` takes it."""
        return {
            "epochs": len(self.history.loss),
            "batch_size": self.batch_size,
            "checkpoint_every": self.checkpoint_every,
            "dataset": self.dataset,
            "history": {name: getattr(self.history, name) for name in _PER_EPOCH},
        }


class TrainingSession(Generic[Net]):
    """The training of `net` on `data`, with a history of all its epochs and a model file that it can be resumed from.

    After each epoch the net is measured on the test set of `data`, unless `validate` is False; val_loss and
    val_accuracy are NaN then. The model file `output` is written at the end of `train`, and with `checkpoint_every=5`
    after every fifth epoch too; a file that exists is replaced. `dataset` is kept in the file, see `TrainingRecord`.

    A new net takes over the names and the input scale of `data`; one that has them already gets `data` as
    `fastmlp.model_inputs.as_model_sees` gives it. Without `output`, any net of `fastmlp.contenders` will do.

    Raises InvalidValueError or InvalidTypeError for a setting that cannot be used and for data that does not fit the
    net; OSError where `output` cannot be written.

    >>> import numpy as np, tempfile
    >>> X, y = np.eye(4, dtype=np.float32), np.arange(4)
    >>> data = Dataset(X, y, X, y, name="tiny")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     net = NeuralNetwork(hidden_size=5, input_size=4, output_size=4, seed=0)
    ...     session = TrainingSession(net, data, batch_size=2, output=f"{folder}/net.npz")
    ...     history = session.train(3)
    ...     resumed = TrainingSession.resume(f"{folder}/net.npz", data)
    ...     history = resumed.train(5)
    >>> len(history.loss), resumed.epochs
    (2, 5)
    """

    def __init__(
        self,
        net: Net,
        data: Dataset,
        *,
        batch_size: int = 128,
        output: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        validate: bool = True,
        dataset: Mapping[str, Any] | None = None,
    ) -> None:
        self.batch_size = check_integer("batch_size", batch_size)
        self.checkpoint_every = checkpoint_every
        if checkpoint_every is not None:
            self.checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
            if output is None:
                raise InvalidValueError("checkpoint_every needs an output, the file to save to")
        self.output = None if output is None else Path(output)
        if self.output is not None:
            check_writable(self.output, force=True)
        self.dataset = _check_dataset(dataset)
        if isinstance(net, NeuralNetwork):
            data = _introduce(net, data)
        elif output is not None:
            raise InvalidValueError("only a NeuralNetwork can be saved; leave out output for another net")
        self.net, self.data, self.validate = net, data, validate
        self.history = History()
        self._epochs_saved = 0

    @staticmethod
    def resume(
        path: str | os.PathLike[str],
        data: Dataset,
        *,
        batch_size: int | None = None,
        output: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        dataset: Mapping[str, Any] | None = None,
        n_threads: int | None = None,
    ) -> TrainingSession[NeuralNetwork]:
        """Return the session that wrote the model file `path`; it goes on to the same bits as if it had never stopped.

        `data` must be the data that it was trained on; classes numbered and inputs scaled otherwise are put right. A
        setting left at None is that of the file, and `path` goes on being written unless `output` names another file.

        Raises ModelFileError for a file that holds no model or does not say how it was trained, InvalidValueError for
        data that does not fit the net, OSError where a file cannot be read or written.
        """
        model = read_model(path)
        record = TrainingRecord.from_file(path, model)
        net = NeuralNetwork.from_file(path, model, n_threads=n_threads)
        session = TrainingSession(
            net,
            as_model_sees(data, net),
            batch_size=record.batch_size if batch_size is None else batch_size,
            output=path if output is None else output,
            checkpoint_every=record.checkpoint_every if checkpoint_every is None else checkpoint_every,
            dataset=record.dataset if dataset is None else dataset,
        )
        session.history = record.history
        if output is None or Path(output) == Path(path):
            session._epochs_saved = session.epochs
        return session

    @property
    def epochs(self) -> int:
        """The epochs done so far, including those before a resume."""
        return len(self.history.loss)

    @property
    def epochs_saved(self) -> int:
        """How many of the epochs the file `output` holds; 0 where this session has neither read nor written it."""
        return self._epochs_saved

    def train(self, epochs: int, *, callback: Callable[[int, History], None] | None = None) -> History:
        """Train until `epochs` epochs have been done in all; return the history of those done by this call.

        `callback(epoch, history)` is called after each epoch with its number and the session's whole history.

        A checkpoint that cannot be written (a full disk) costs a UserWarning, and the next one tries again. Raises what
        `NeuralNetwork.fit` raises, and OSError where the model cannot be saved at the end. After Ctrl-C, which reaches
        the caller as KeyboardInterrupt, weights and history are those of the last full epoch, which includes measuring
        it: `save` keeps them.
        """
        start, compiled = self.epochs, self.history.compile_seconds

        def after_epoch(_epoch: int, _history: History) -> None:
            if callback is not None:
                callback(self.epochs, self.history)
            if self.checkpoint_every is not None and self.epochs % self.checkpoint_every == 0:
                self._save_checkpoint()

        if check_integer("epochs", epochs) > start:
            X, y = self.data.x_train, self.data.y_train
            if isinstance(self.net, NeuralNetwork):  # its weights and the session's history change together
                options = FitOptions.checked(self.batch_size, epochs - start, shuffle=True, callback=after_epoch)
                samples, measure = self.net._samples(X, y, None), self._measure_of(self.net)
                fit_weights(self.net._trainee(), samples, options, measure, self.history)
            else:
                self._fit_other(epochs - start, after_epoch)
            if self.output is not None and self._epochs_saved < self.epochs:
                self.save()
        added = {name: getattr(self.history, name)[start:] for name in _PER_EPOCH}
        return History(**added, compile_seconds=self.history.compile_seconds - compiled)

    def save(self) -> None:
        """Write the net and what is needed to resume its training to `output`, whole or not at all.

        Raises OSError where the file cannot be written, InvalidValueError for a session that has no `output`.
        """
        if self.output is None or not isinstance(self.net, NeuralNetwork):
            raise InvalidValueError("this session has no output; name the file when you make the session")
        record = TrainingRecord(self.history, self.batch_size, self.checkpoint_every, self.dataset)
        self.net.save(self.output, training=record.as_metadata())
        self._epochs_saved = self.epochs

    def _save_checkpoint(self) -> None:
        """Save; where that fails, say so and go on: there may be room again at the next checkpoint."""
        try:
            self.save()
        except OSError as error:
            warnings.warn(
                f"the checkpoint after epoch {self.epochs} could not be written ({error.filename or self.output}: "
                f"{error.strerror or error}); training goes on, and the next checkpoint tries again",
                UserWarning,
                stacklevel=5,
            )

    def _measure_of(self, net: NeuralNetwork) -> Measure:
        """What says how good our own net is on the test data, where that is to be measured."""
        if not self.validate:
            return lambda: Score(math.nan, math.nan)
        return measure_on(net._weights, net._samples(self.data.x_test, self.data.y_test, None), net._threads)

    def _fit_other(self, epochs: int, callback: Callable[[int, History], None]) -> None:
        """Train a net that only has a public `fit`, and record each epoch once it is measured."""

        def record(epoch: int, fitted: History) -> None:
            score = self.net.score(self.data.x_test, self.data.y_test) if self.validate else (math.nan, math.nan)
            values = (fitted.loss[-1], fitted.accuracy[-1], fitted.seconds[-1], *score)
            with HeldBack():
                for name, value in zip(_PER_EPOCH, values, strict=True):
                    getattr(self.history, name).append(value)
            callback(epoch, self.history)

        fitted = self.net.fit(self.data.x_train, self.data.y_train, self.batch_size, epochs, callback=record)
        self.history.compile_seconds += fitted.compile_seconds


def _introduce(net: NeuralNetwork, data: Dataset) -> Dataset:
    """Return `data` as `net` sees it; a new net, which has no names and no scale yet, takes over those of `data`."""
    if net.class_names is None and net.input_scale == 1:
        if data.class_names is not None and data.n_classes != net.output_size:
            raise InvalidValueError(
                f"{data.name} has {data.n_classes} classes and the net has {net.output_size} outputs: "
                f"make it with output_size={data.n_classes}"
            )
        net.class_names, net.input_scale = data.class_names, data.input_scale
        if net.feature_names is None and data.x_train.shape[1] == net.input_size:
            net.feature_names = data.feature_names
    return as_model_sees(data, net)


def _as_numbers(values: Sequence[float | None]) -> list[float]:
    """Return the values of a history in a file, where null stands for what JSON cannot hold."""
    return [math.nan if value is None else float(value) for value in values]


def _check_dataset(dataset: Any) -> Mapping[str, Any] | None:
    """Return `dataset`, the record of where data came from; TypeError or ValueError says what was wrong."""
    if dataset is not None and not (isinstance(dataset, Mapping) and isinstance(dataset.get("source"), str)):
        raise InvalidValueError(f"dataset is {dataset!r}; it must be a mapping whose 'source' is a string")
    return dataset

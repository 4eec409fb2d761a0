"""Training that keeps its history, writes checkpoints, and can be resumed in another process."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets import Dataset
from fastmlp.datasets.split import hold_back
from fastmlp.engine.class_weights import ClassWeight
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.history import PER_EPOCH
from fastmlp.engine.inputs import Samples
from fastmlp.engine.part_reader import PartReader
from fastmlp.engine.parts import Parts
from fastmlp.engine.schedules import Schedule
from fastmlp.engine.settings import check_integer
from fastmlp.engine.stopping import EarlyStopping, Spare
from fastmlp.engine.training import Measure, measure_on
from fastmlp.engine.training import fit as fit_weights
from fastmlp.engine.watching import Watched
from fastmlp.errors import InvalidValueError, ModelFileError
from fastmlp.files.atomic import check_writable
from fastmlp.files.model import read_model
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.model_inputs import as_model_sees, parts_as_model_sees, standardised
from fastmlp.network import History, NeuralNetwork, Score
from fastmlp.training_record import Recipe, TrainingRecord, check_dataset

if TYPE_CHECKING:
    from fastmlp.contenders import Contender

__all__ = ["TrainingRecord", "TrainingSession"]

Net = TypeVar("Net", bound="Contender")


class TrainingSession(Generic[Net]):
    """The training of a net with a history of all its epochs, and a model file that it can be resumed from.

    A new net takes over the names and the input scale of the data; one that has names already gets the data as
    `fastmlp.model_inputs.as_model_sees` gives it.

    Parameters
    ----------
    net
        A `NeuralNetwork`; without `output`, any net of `fastmlp.contenders` will do.
    data
        A `Dataset`, or `Parts`. These have no test set: the net is not measured, there is no validation, and a scaling
        is set before, as `net.scaling`.
    batch_size
        Samples of an update.
    schedule, class_weight
        As for `NeuralNetwork.fit`. A schedule that looks at the validation loss needs a `validation_fraction`.
    validation_fraction
        Part of each class of the training set, the same rows in any session, that is not trained on but measured after
        each epoch; the test set stays unseen.
    early_stopping
        As for `NeuralNetwork.fit`; it needs a `validation_fraction`.
    output
        Model file that `train` writes at its end, with all settings; one that exists is replaced.
    checkpoint_every
        With 5, say, `output` is written after every fifth epoch too.
    validate
        Without a `validation_fraction`, whether the test set is measured after each epoch; otherwise val_loss and
        val_accuracy are NaN.
    standardise
        Whether the net gets a scaling, by the training rows, where the inputs are in units of their own.
    dataset
        What to keep in the file of where the data came from: a mapping with a "source".

    Raises
    ------
    InvalidValueError, InvalidTypeError
        For a setting that cannot be used, and for data that does not fit the net.
    OSError
        Where `output` cannot be written.

    Examples
    --------
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
        data: Dataset | Parts,
        *,
        batch_size: int = 128,
        schedule: str | Schedule | None = None,
        class_weight: ClassWeight | None = None,
        validation_fraction: float | None = None,
        early_stopping: bool | EarlyStopping = False,
        output: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        validate: bool = True,
        standardise: bool = False,
        dataset: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(data, Parts):
            _check_parts(net, validation_fraction, standardise)
        self.recipe = Recipe.checked(
            batch_size,
            net.output_size if isinstance(net, NeuralNetwork) else data.n_classes,  # type: ignore[union-attr]
            schedule=schedule,
            class_weight=class_weight,
            validation_fraction=validation_fraction,
            early_stopping=early_stopping,
        )
        self.checkpoint_every = checkpoint_every
        if checkpoint_every is not None:
            self.checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
            if output is None:
                raise InvalidValueError("checkpoint_every needs an output, the file to save to")
        self.output = None if output is None else Path(output)
        if self.output is not None:
            check_writable(self.output, force=True)
        self.dataset = check_dataset(dataset)
        self._spare: Spare | None = None
        if isinstance(net, NeuralNetwork):
            data = _introduce(net, data)
            if self.recipe.early_stopping is not None:
                self._spare = Spare(net._weights, net._optimizer_state)
        else:
            _check_other(self.recipe, output)
        self.validation: tuple[Float32Array, Int64Array] | None = None
        self._measured: tuple[Float32Array, Int64Array] | None = None
        self.net, self.data = net, data
        if isinstance(data, Dataset):
            self.data = self._prepared(data, validate, standardise)
        self.history = History()
        self._saved = self._stage

    def _prepared(self, data: Dataset, validate: bool, standardise: bool) -> Dataset:
        """Return the data without what is held back for validation, scaled if wanted; choose what is measured."""
        if self.recipe.validation_fraction is not None:
            data, self.validation = hold_back(data, self.recipe.validation_fraction)
        if standardise:
            if self.validation is not None:
                held = standardised(data._replace(x_test=self.validation[0]), self.net)
                self.validation = held.x_test, self.validation[1]
            data = standardised(data, self.net)
        self._measured = self.validation or ((data.x_test, data.y_test) if validate else None)
        return data

    @staticmethod
    def resume(
        path: str | os.PathLike[str],
        data: Dataset | Parts,
        *,
        batch_size: int | None = None,
        output: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        patience: int | None = None,
        dataset: Mapping[str, Any] | None = None,
        n_threads: int | None = None,
    ) -> TrainingSession[NeuralNetwork]:
        """Return the session that wrote a model file; it goes on to the same bits as if it had never stopped.

        A setting left at None is that of the file.

        Parameters
        ----------
        path
            The model file; it goes on being written unless `output` names another.
        data
            What the net was trained on; classes numbered and inputs scaled otherwise are put right.
        batch_size, output, checkpoint_every
            As for a new session.
        patience
            Of early stopping: with a greater one, a training that was stopped goes on.
        dataset
            As for a new session.
        n_threads
            As for a `NeuralNetwork`.

        Returns
        -------
        TrainingSession
            With the net and the history of the file.

        Raises
        ------
        ModelFileError
            For a file that holds no model or does not say how it was trained.
        InvalidValueError
            For data that does not fit the net.
        OSError
            Where a file cannot be read or written.
        """
        model = read_model(path)
        record = TrainingRecord.from_file(path, model)
        changes: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
        if patience is not None:
            if record.recipe.early_stopping is None:
                raise InvalidValueError(f"the model in {path} was trained without early stopping: leave patience out")
            changes["early_stopping"] = dataclasses.replace(record.recipe.early_stopping, patience=patience)
        net = NeuralNetwork.from_file(path, model, n_threads=n_threads)
        session = TrainingSession(
            net,
            parts_as_model_sees(data, net) if isinstance(data, Parts) else as_model_sees(data, net),
            **(vars(record.recipe) | changes),
            output=path if output is None else output,
            checkpoint_every=record.checkpoint_every if checkpoint_every is None else checkpoint_every,
            dataset=record.dataset if dataset is None else dataset,
        )
        session.history = record.history
        if session._spare is not None and record.spare is not None:
            try:
                session._spare.load(record.spare, model.arrays)
            except (KeyError, TypeError, ValueError) as error:
                raise ModelFileError(f"{path} does not hold the best epoch of its training ({error})") from None
            session.history.stopped_early = session._is_over
        if output is None or Path(output) == Path(path):
            session._saved = session._stage
        return session

    @property
    def batch_size(self) -> int:
        """Samples of a batch."""
        return self.recipe.batch_size

    @property
    def epochs(self) -> int:
        """The epochs done so far, including those before a resume."""
        return len(self.history.loss)

    @property
    def epochs_saved(self) -> int:
        """How many of the epochs the file `output` holds; 0 where this session has neither read nor written it."""
        return self._saved[0]

    @property
    def is_saved(self) -> bool:
        """Whether the file `output` holds the net as it is now; before the first epoch there is nothing to save."""
        return self._saved == self._stage

    @property
    def _stage(self) -> tuple[int, str | None]:
        """How far the session is: the epochs that are done, and which of its best and its last epoch is the spare."""
        return len(self.history.loss), None if self._spare is None else self._spare.holds

    @property
    def _is_over(self) -> bool:
        """Whether early stopping has ended the training."""
        return self.recipe.early_stopping is not None and self.recipe.early_stopping.is_over(self.history)

    def train(self, epochs: int, *, callback: Callable[[int, History], object] | None = None) -> History:
        """Train until so many epochs have been done in all.

        With early stopping the net then has its best epoch, and a later call goes on from the last one: it makes no
        difference to the result. Nothing is left to be done once the training was stopped. After Ctrl-C, which reaches
        the caller as KeyboardInterrupt, weights and history are those of the last full epoch, which includes measuring
        it: `save` keeps them.

        Parameters
        ----------
        epochs
            Those before this call count too.
        callback
            Called after each epoch with its number and the session's whole history; `ProgressBar()` is one.

        Returns
        -------
        History
            Of the epochs of this call.

        Raises
        ------
        ValueError, TypeError, DivergenceError
            As `NeuralNetwork.fit` does.
        OSError
            Where the model cannot be saved at the end.

        Warns
        -----
        UserWarning
            Where a checkpoint cannot be written (a full disk); the next one tries again.
        """
        start, compiled = self.epochs, self.history.compile_seconds

        def after_epoch(_epoch: int, _history: History) -> None:
            if callback is not None:
                callback(self.epochs, self.history)
            if self.checkpoint_every is not None and self.epochs % self.checkpoint_every == 0:
                self._save_checkpoint()

        is_left = check_integer("epochs", epochs) > start and not self._is_over
        if is_left:
            if isinstance(self.net, NeuralNetwork):
                samples = self._samples_of(self.net)
                with Watched(callback, epochs, samples.n_samples, start):
                    self._fit(self.net, samples, epochs - start, after_epoch)
            else:
                assert isinstance(self.data, Dataset)  # parts are refused where another net is
                with Watched(callback, epochs, len(self.data.y_train), start):
                    self._fit_other(self.data, epochs - start, after_epoch)
        elif self._spare is not None:  # of a checkpoint after the last epoch, say, whose process died before the end
            self._spare.put("best")
        if self.output is not None and not self.is_saved and (is_left or self._spare is not None):
            self.save()
        added = {name: getattr(self.history, name)[start:] for name in PER_EPOCH}
        seconds = self.history.compile_seconds - compiled
        return dataclasses.replace(self.history, **added, compile_seconds=seconds)

    def save(self) -> None:
        """Write the net, and what is needed to resume its training, to `output`, whole or not at all.

        Raises
        ------
        OSError
            Where the file cannot be written.
        InvalidValueError
            For a session that has no `output`.
        """
        if self.output is None or not isinstance(self.net, NeuralNetwork):
            raise InvalidValueError("this session has no output; name the file when you make the session")
        stage, spare, arrays = self._stage, None, None
        if self._spare is not None:
            spare, arrays = self._spare.record(), self._spare.arrays()
        record = TrainingRecord(self.history, self.recipe, self.checkpoint_every, self.dataset, spare)
        self.net.save(self.output, training=record.as_metadata(), spare=arrays)
        self._saved = stage

    def _save_checkpoint(self) -> None:
        """Save; where that fails, say so and go on: there may be room again at the next checkpoint."""
        try:
            self.save()
        except OSError as error:
            warn_caller(
                f"the checkpoint after epoch {self.epochs} could not be written ({error.filename or self.output}: "
                f"{error.strerror or error}); training goes on, and the next checkpoint tries again"
            )

    def _samples_of(self, net: NeuralNetwork) -> Samples | PartReader:
        """What our own net is trained on."""
        data, weight = self.data, self.recipe.class_weight
        if isinstance(data, Parts):
            return net._taken(data, None, net.feature_names, class_weight=weight)
        return net._taken(data.x_train, data.y_train, None, class_weight=weight)

    def _measure_of(self, net: NeuralNetwork) -> Measure:
        """What says how good our own net is on the samples that are to be measured, if any are."""
        if self._measured is None:
            return lambda: Score(math.nan, math.nan)
        return measure_on(net._weights, net._samples(*self._measured, None), net._threads)

    def _fit(
        self,
        net: NeuralNetwork,
        samples: Samples | PartReader,
        epochs: int,
        callback: Callable[[int, History], None],
    ) -> None:
        """Train our own net, whose weights and the session's history change together."""
        recipe = self.recipe
        options = FitOptions.checked(self.batch_size, epochs, True, callback, recipe.schedule, recipe.early_stopping)
        fit_weights(net._trainee(), samples, options, self._measure_of(net), self.history, self._spare)

    def _fit_other(self, data: Dataset, epochs: int, callback: Callable[[int, History], None]) -> None:
        """Train a net that only has a public `fit`, and record each epoch once it is measured."""

        def record(epoch: int, fitted: History) -> None:
            score = (math.nan, math.nan) if self._measured is None else self.net.score(*self._measured)
            values = (fitted.loss[-1], fitted.accuracy[-1], fitted.seconds[-1], *score)
            with HeldBack():
                for name, value in zip(PER_EPOCH[: len(values)], values, strict=True):
                    getattr(self.history, name).append(value)
            callback(epoch, self.history)

        fitted = self.net.fit(data.x_train, data.y_train, self.batch_size, epochs, callback=record)
        self.history.compile_seconds += fitted.compile_seconds


def _check_other(recipe: Recipe, output: object) -> None:
    """Refuse for a net that is not ours what only ours can do."""
    if output is not None:
        raise InvalidValueError("only a NeuralNetwork can be saved; leave out output for another net")
    for name in ("schedule", "class_weight", "early_stopping"):
        if getattr(recipe, name) is not None:
            raise InvalidValueError(f"only a NeuralNetwork can be trained with {name}; leave it out for another net")


def _check_parts(net: object, validation_fraction: float | None, standardise: bool) -> None:
    """Refuse what is not done with data in parts."""
    if not isinstance(net, NeuralNetwork):
        raise InvalidValueError("only a NeuralNetwork can be trained on parts; give another net arrays")
    if validation_fraction is not None:
        raise InvalidValueError("a validation_fraction is not held back of parts; leave it out, or give arrays")
    if standardise:
        raise InvalidValueError("parts are not standardised; set net.scaling = Scaling.of(rows) instead")


def _introduce(net: NeuralNetwork, data: Dataset | Parts) -> Dataset | Parts:
    """Return `data` as `net` sees it; a new net, which has no names and no scale yet, takes over those of `data`."""
    if net.class_names is None and net.input_scale == 1:
        if isinstance(data, Dataset) and data.class_names is not None and data.n_classes != net.output_size:
            raise InvalidValueError(
                f"{data.name} has {data.n_classes} classes and the net has {net.output_size} outputs: "
                f"make it with output_size={data.n_classes}"
            )
        net.class_names, net.input_scale = data.class_names, data.input_scale
        if isinstance(data, Parts):
            net.feature_names = net.feature_names or data.feature_names
            return data
        net.table_columns = data.table_columns
        if net.feature_names is None and data.x_train.shape[1] == net.input_size:
            net.feature_names = data.feature_names
    return parts_as_model_sees(data, net) if isinstance(data, Parts) else as_model_sees(data, net)

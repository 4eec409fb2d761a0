"""The net: parameters, training, prediction, and the checks of what people hand in."""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import __version__
from fastmlp.arrays import Float32Array
from fastmlp.engine.inputs import as_inputs, as_labels, check_integer, check_number
from fastmlp.engine.training import History, TrainingRun, compile_inputs, compile_training, outcome_of
from fastmlp.errors import DivergenceError, InvalidTypeError, InvalidValueError, ModelFileError
from fastmlp.files.model import ModelFile, read_model, write_model
from fastmlp.kernels.epoch import Outcome
from fastmlp.kernels.layout import choose_lanes, pack_parameters, unpack_parameters
from fastmlp.kernels.packing import nonzeros_by_row, sparse_pays, to_sparse_rows
from fastmlp.kernels.prediction import CHUNK, PredictionScratch, predict_rows
from fastmlp.kernels.simd import target
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.team import Member, available_processors, run_team

__all__ = ["DivergenceError", "History", "NeuralNetwork", "Score", "warmup"]

# Multiply-adds below which starting threads costs more than they save (about 0.1 ms of work).
_WORK_FOR_THREADS = 5_000_000


class Score(NamedTuple):
    """Mean cross-entropy loss and accuracy (a fraction) over some samples."""

    loss: float
    accuracy: float


class NeuralNetwork:
    """A net with one hidden layer (ReLU), softmax output and cross-entropy loss, trained by mini-batch SGD.

    hidden = max(0, X W1 + b1),  probs = softmax(hidden W2 + b2),  loss = mean of -log probs[i, y_i]

    Parameters: `hidden_size` H, `lr` the learning rate, `input_size` D, `output_size` C; `init`, "glorot_uniform" (as
    Keras by default) or "glorot_normal" (variance 2/(in + out)); `seed` for the weights and the order of the samples;
    `n_threads`, None for the processors that this process may use. The number of threads changes no bit of the result.

    Raises ValueError or TypeError for a parameter that makes no net.

    >>> import numpy as np
    >>> net = NeuralNetwork(hidden_size=8, input_size=2, output_size=2, seed=0)
    >>> X, y = np.array([[0, 1], [1, 0]]), np.array([0, 1])
    >>> history = net.fit(X, y, batch_size=2, number_epochs=200)
    >>> net.forward(X).argmax(1)
    array([0, 1])
    >>> net.predict(X, y).accuracy
    1.0
    """

    def __init__(
        self,
        hidden_size: int = 30,
        lr: float = 0.1,
        *,
        input_size: int = 784,
        output_size: int = 10,
        init: str = "glorot_uniform",
        seed: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._hidden_size = check_integer("hidden_size", hidden_size)
        self.lr = lr
        self._input_size = check_integer("input_size", input_size)
        self._output_size = check_integer("output_size", output_size)
        if init not in _INITIALISERS:
            raise InvalidValueError(f"init is {init!r}; it must be one of {', '.join(_INITIALISERS)}")
        self.init = init
        if seed is not None:
            seed = check_integer("seed", seed, minimum=0)
        self.seed = seed
        if n_threads is not None:
            n_threads = check_integer("n_threads", n_threads)
        self.n_threads = n_threads
        self.class_names = None
        self.input_scale = 1.0
        self._rng = np.random.default_rng(seed)
        draw = _INITIALISERS[init]
        W1 = draw(self._rng, self.input_size, self.hidden_size)
        W2 = draw(self._rng, self.hidden_size, self.output_size)
        b1 = np.zeros(self.hidden_size, np.float32)
        b2 = np.zeros(self.output_size, np.float32)
        self._lanes = choose_lanes(self.hidden_size)
        self._parameters = pack_parameters(W1, b1, W2, b2)

    def __repr__(self) -> str:
        return (
            f"NeuralNetwork(hidden_size={self.hidden_size}, lr={self.lr}, input_size={self.input_size}, "
            f"output_size={self.output_size}, init={self.init!r}, seed={self.seed}, n_threads={self.n_threads})"
        )

    # --- Sizes and learning rate -------------------------------------------------------------------------------------

    @property
    def hidden_size(self) -> int:
        """Hidden units H, fixed when the net is made."""
        return self._hidden_size

    @property
    def input_size(self) -> int:
        """Inputs D, fixed when the net is made."""
        return self._input_size

    @property
    def output_size(self) -> int:
        """Classes C, fixed when the net is made."""
        return self._output_size

    @property
    def lr(self) -> float:
        """Learning rate; it can be set between two fits."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = check_number("lr", value)

    # --- What the inputs and outputs mean -----------------------------------------------------------------------------

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The name of each class, or None where the labels 0 to C - 1 are their own names; kept in model files."""
        return self._class_names

    @class_names.setter
    def class_names(self, value: Sequence[str] | None) -> None:
        if value is not None:
            if isinstance(value, str) or not all(isinstance(name, str) for name in value):
                raise InvalidTypeError(f"class_names is {value!r}; it must be one string per class")
            if len(value) != self.output_size or len(set(value)) != len(value):
                raise InvalidValueError(f"class_names must be {self.output_size} different names, one per class")
            value = tuple(value)
        self._class_names = value

    @property
    def input_scale(self) -> float:
        """What the values of the original data were multiplied by to give X (1/255 for pixels); kept in model files."""
        return self._input_scale

    @input_scale.setter
    def input_scale(self, value: float) -> None:
        self._input_scale = check_number("input_scale", value)

    # --- Parameters ---------------------------------------------------------------------------------------------------

    @property
    def W1(self) -> Float32Array:
        """Weights of the hidden layer (D, H) float32, a read-only copy; setting copies too."""
        return self._unpacked()[0]

    @W1.setter
    def W1(self, value: ArrayLike) -> None:
        self._set(0, "W1", value)

    @property
    def b1(self) -> Float32Array:
        """Biases of the hidden layer (H,) float32, a read-only copy; setting copies too."""
        return self._unpacked()[1]

    @b1.setter
    def b1(self, value: ArrayLike) -> None:
        self._set(1, "b1", value)

    @property
    def W2(self) -> Float32Array:
        """Weights of the output layer (H, C) float32, a read-only copy; setting copies too."""
        return self._unpacked()[2]

    @W2.setter
    def W2(self, value: ArrayLike) -> None:
        self._set(2, "W2", value)

    @property
    def b2(self) -> Float32Array:
        """Biases of the output layer (C,) float32, a read-only copy; setting copies too."""
        return self._unpacked()[3]

    @b2.setter
    def b2(self, value: ArrayLike) -> None:
        self._set(3, "b2", value)

    def _unpacked(self) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
        arrays = unpack_parameters(self._parameters, self.hidden_size, self.output_size)
        for array in arrays:
            array.flags.writeable = False  # a copy: what is written there would be lost without a word
        return arrays

    def _set(self, index: int, name: str, value: ArrayLike) -> None:
        arrays = list(self._unpacked())
        array = as_inputs(name, value, ndim=arrays[index].ndim)
        if array.shape != arrays[index].shape:
            raise InvalidValueError(f"{name} has shape {array.shape}; this net's is {arrays[index].shape}")
        if not np.isfinite(array).all():
            raise InvalidValueError(f"{name} holds NaN or infinity; weights must be finite")
        arrays[index] = array
        self._parameters = pack_parameters(*arrays)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_parameters"] = self._unpacked()
        state["_rng"] = copy.deepcopy(self._rng)  # copies go their own way
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lanes = choose_lanes(self.hidden_size)  # the tile of the machine that loads
        self._parameters = pack_parameters(*state["_parameters"])

    # --- Files --------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, training: Mapping[str, Any] | None = None) -> None:
        """Write the net to `path`, an .npz that `load` reads; an existing file is replaced, whole or not at all.

        The state of the random numbers goes along, so that a loaded net trains on to the same bits. `training` is what
        else is to be kept in the file, as JSON: see `fastmlp.files.model.read_model`. Raises OSError where the file
        cannot be written.
        """
        W1, b1, W2, b2 = self._unpacked()
        metadata = {
            "fastmlp": __version__,
            "hidden_size": self.hidden_size,
            "input_size": self.input_size,
            "output_size": self.output_size,
            "class_names": self.class_names,
            "input_scale": self.input_scale,
            "lr": self.lr,
            "init": self.init,
            "seed": self.seed,
            "random_state": self._rng.bit_generator.state,
            "training": training,
        }
        write_model(path, {"W1": W1, "b1": b1, "W2": W2, "b2": b2}, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> NeuralNetwork:
        """Return the net that `save` wrote to `path`; nothing in the file is ever run.

        Raises fastmlp.files.model.ModelFileError (a ValueError) for a file that is damaged, altered, no model or newer
        than this version; OSError where it cannot be opened.

        >>> import tempfile
        >>> net = NeuralNetwork(hidden_size=3, input_size=4, output_size=2, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(f"{folder}/net.npz")
        ...     bool((NeuralNetwork.load(f"{folder}/net.npz").W1 == net.W1).all())
        True
        """
        return cls.from_file(path, read_model(path), n_threads=n_threads)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], model: ModelFile, *, n_threads: int | None = None
    ) -> NeuralNetwork:
        """Return the net of a model that `read_model` gave; `path` is for the messages. Raises ModelFileError."""
        arrays, metadata = model
        try:
            net = cls(
                metadata["hidden_size"],
                metadata["lr"],
                input_size=metadata["input_size"],
                output_size=metadata["output_size"],
                init=metadata["init"],
                seed=metadata["seed"],
                n_threads=n_threads,
            )
            net._rng.bit_generator.state = metadata["random_state"]
            net.W1, net.b1, net.W2, net.b2 = (arrays[name] for name in ("W1", "b1", "W2", "b2"))
            net.class_names, net.input_scale = metadata["class_names"], metadata["input_scale"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds metadata that make no net ({error})") from None
        return net

    # --- Training -----------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        batch_size: int = 128,
        number_epochs: int = 20,
        *,
        shuffle: bool = True,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        callback: Callable[[int, History], None] | None = None,
    ) -> History:
        """Train on X (n, D) and Y, labels (n,) or one-hot (n, C); a second call continues.

        Each epoch shuffles the samples (unless `shuffle` is False), cuts them into batches and updates after each;
        the last batch may be smaller. A `batch_size` beyond n is cut to n with a warning. `validation=(X, Y)` is
        measured after each epoch, and `callback(epoch, history)` called, epochs counting from 1.

        Raises ValueError or TypeError for data that does not fit the net, before any work; DivergenceError when the
        loss or a weight is not finite or the epoch's mean loss exceeds 100 ln C. After it, and after Ctrl-C, which
        goes on to the caller as KeyboardInterrupt, the weights are those after the last full epoch.
        """
        batch_size = check_integer("batch_size", batch_size)
        number_epochs = check_integer("number_epochs", number_epochs)
        if callback is not None and not callable(callback):
            raise InvalidTypeError(f"callback is {callback!r}; it must be a function of (epoch, history)")
        X, y = self._checked(X, Y)
        validation_set = None if validation is None else self._checked_validation(validation)
        if batch_size > len(X):
            warnings.warn(
                f"batch_size {batch_size} is larger than the data: {len(X)} samples make one batch",
                UserWarning,
                stacklevel=2,
            )
            batch_size = len(X)

        history = History()
        start = time.perf_counter()
        compile_inputs()
        history.compile_seconds = time.perf_counter() - start
        # An input's kind (sparse or dense) is known after the packing, which belongs to the training time.
        start = time.perf_counter()
        n_threads = self.n_threads or available_processors()
        rows = self._prepared(X, n_threads)
        packing_seconds = time.perf_counter() - start
        start = time.perf_counter()
        compile_training(self._lanes, isinstance(rows, SparseRows))
        history.compile_seconds += time.perf_counter() - start

        start = time.perf_counter() - packing_seconds
        run = TrainingRun(
            self._parameters, self._lanes, self.output_size, rows, y, batch_size=batch_size, n_threads=n_threads
        )
        for epoch in range(1, number_epochs + 1):
            state = self._rng.bit_generator.state
            order = self._rng.permutation(len(X)) if shuffle else np.arange(len(X))
            try:
                loss, accuracy = run.epoch(order, self.lr)
            except DivergenceError as error:
                self._rng.bit_generator.state = state
                raise DivergenceError(f"training diverged in epoch {epoch}: {error}") from None
            except BaseException:
                self._rng.bit_generator.state = state  # the next fit draws this epoch's order again
                raise
            history.loss.append(loss)
            history.accuracy.append(accuracy)
            history.seconds.append(time.perf_counter() - start)
            if validation_set is not None:
                score = self._score(*validation_set)
                history.val_loss.append(score.loss)
                history.val_accuracy.append(score.accuracy)
            if callback is not None:
                callback(epoch, history)
            start = time.perf_counter()
        return history

    # --- Prediction ---------------------------------------------------------------------------------------------------

    def forward(self, X: ArrayLike) -> Float32Array:
        """Return the probabilities (n, C) float32 of X (n, D): softmax(max(0, X W1 + b1) W2 + b2).

        A row's result has the same bits alone and in any batch. Raises ValueError or TypeError for an X that does not
        fit the net.

        >>> import numpy as np
        >>> net = NeuralNetwork(hidden_size=4, input_size=3, output_size=2, seed=0)
        >>> float(abs(net.forward(np.zeros((5, 3))).sum(1) - 1).max()) < 1e-6
        True
        """
        X = self._checked_inputs(X)
        probs = np.empty((len(X), self.output_size), np.float32)
        rows = self._prepared(X, self._threads_for(len(X)))
        self._predict(probs, outcome_of(0), rows, len(X), np.empty(0, np.int64))
        return probs

    def predict(self, X: ArrayLike, Y: ArrayLike) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against Y, labels (n,) or one-hot (n, C).

        Raises ValueError or TypeError for data that does not fit the net.
        """
        X, y = self._checked(X, Y)
        return self._score(self._prepared(X, self._threads_for(len(X))), y)

    def _score(self, rows: Float32Array | SparseRows, y: NDArray[np.int64]) -> Score:
        outcome = outcome_of(len(y))
        self._predict(np.empty((0, self.output_size), np.float32), outcome, rows, len(y), y)
        return Score(float(outcome.losses.mean(dtype=np.float64)), float(outcome.hits.mean()))

    def _predict(
        self, probs: Float32Array, outcome: Outcome, rows: Float32Array | SparseRows, n: int, y: NDArray[np.int64]
    ) -> None:
        numbers = np.arange(n)

        def predict(member: Member) -> None:
            scratch = PredictionScratch.of(self._parameters, min(CHUNK, n))
            predict_rows(probs, outcome, self._parameters, scratch, rows, y, numbers, member, self._lanes)

        run_team(self._threads_for(n), predict)

    def _forward_and_losses(self, X: ArrayLike, y: NDArray[np.int64]) -> tuple[Float32Array, Float32Array]:
        """Return the probabilities (n, C) and the loss of each row (n,), from one forward pass."""
        X, y = self._checked(X, y)
        probs, outcome = np.empty((len(X), self.output_size), np.float32), outcome_of(len(y))
        self._predict(probs, outcome, self._prepared(X, self._threads_for(len(X))), len(X), y)
        return probs, outcome.losses

    def _threads_for(self, n: int) -> int:
        """Threads that a forward pass over n rows is worth: one where starting others would take longer."""
        if n * self.hidden_size * (self.input_size + self.output_size) < _WORK_FOR_THREADS:
            return 1
        return min(self.n_threads or available_processors(), -(-n // CHUNK))

    # --- Inputs -------------------------------------------------------------------------------------------------------

    def _checked_inputs(self, X: ArrayLike, name: str = "X") -> Float32Array:
        array = as_inputs(name, X, ndim=2)
        if array.shape[1] != self.input_size:
            raise InvalidValueError(f"{name} has {array.shape[1]} columns; this net has input_size={self.input_size}")
        return array

    def _checked(self, X: ArrayLike, Y: ArrayLike, of: str = "") -> tuple[Float32Array, NDArray[np.int64]]:
        array = self._checked_inputs(X, f"{of}X")
        return array, as_labels(f"{of}Y", Y, len(array), self.output_size)

    def _checked_validation(
        self, validation: tuple[ArrayLike, ArrayLike]
    ) -> tuple[Float32Array | SparseRows, NDArray[np.int64]]:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise InvalidValueError("validation must be a pair (X, Y)")
        X, y = self._checked(*validation, of="validation ")
        return self._prepared(X, self._threads_for(len(X)), "validation X"), y

    def _prepared(self, X: Float32Array, n_threads: int, name: str = "X") -> Float32Array | SparseRows:
        """X as the kernels take it fastest; raises ValueError for NaN or infinity."""
        counts, unusable = nonzeros_by_row(X, n_threads)
        if unusable:
            row = int(np.flatnonzero(~np.isfinite(X).all(axis=1))[0])
            raise InvalidValueError(
                f"{name} holds {unusable} values that are NaN or infinite, the first in row {row}: replace them"
            )
        if sparse_pays(counts.sum() / X.size, self._parameters.b1.size // target().width):
            return to_sparse_rows(X, counts, n_threads)
        return X


def _glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> Float32Array:
    """Uniform in +-sqrt(6 / (in + out)) (Glorot and Bengio 2010, equation 16)."""
    limit = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)


def _glorot_normal(rng: np.random.Generator, n_in: int, n_out: int) -> Float32Array:
    """Normal with variance 2 / (in + out) (Glorot and Bengio 2010, equation 12)."""
    return rng.normal(0, math.sqrt(2 / (n_in + n_out)), (n_in, n_out)).astype(np.float32)


_INITIALISERS = {"glorot_uniform": _glorot_uniform, "glorot_normal": _glorot_normal}


def warmup(hidden_size: int) -> float:
    """Compile every kernel that a net of this hidden size needs, and return the seconds it took.

    Where compiled kernels can be kept on disk, later processes load them.
    """
    start = time.perf_counter()
    net = NeuralNetwork(hidden_size, input_size=8, output_size=2, seed=0)
    for X in (np.ones((1, 8)), np.zeros((1, 8))):  # dense and sparse
        net.fit(X, np.zeros(1, int), 1, 1)
        net.predict(X, np.zeros(1, int))
    return time.perf_counter() - start

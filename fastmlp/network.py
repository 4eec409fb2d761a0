"""The net that a user works with: sizes, parameters, training, inference, and its file."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import __version__, html
from fastmlp.arrays import Float32Array
from fastmlp.engine import inference
from fastmlp.engine.fit_options import FitOptions, FitSettings
from fastmlp.engine.frames import frame_names
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score
from fastmlp.engine.initialisers import INITIALISERS
from fastmlp.engine.inputs import as_triple
from fastmlp.engine.meaning import Meaning
from fastmlp.engine.optimizers import Optimizer, OptimizerState, as_optimizer, default_lr
from fastmlp.engine.part_reader import score_on
from fastmlp.engine.parts import Parts
from fastmlp.engine.scaling import Scaling
from fastmlp.engine.settings import check_integer, check_number, default_threads
from fastmlp.engine.training import Measure, Trainee, measure_on
from fastmlp.engine.training import fit as fit_weights
from fastmlp.engine.watching import Watched
from fastmlp.engine.weights import Parameter, Weights
from fastmlp.errors import InvalidValueError, ModelFileError
from fastmlp.files.model import ModelFile, read_model, write_model

__all__ = ["History", "NeuralNetwork", "Score"]

_ARGUMENTS = ("hidden_size", "input_size", "output_size", "lr", "init", "seed")  # of a net, kept in its file


class NeuralNetwork(Meaning):
    """A net with one hidden layer (ReLU), softmax output and cross-entropy loss, trained by mini-batch SGD.

    hidden = max(0, X W1 + b1),  probs = softmax(hidden W2 + b2),  loss = mean of -log probs[i, y_i]

    Parameters
    ----------
    hidden_size
        Hidden units H.
    lr
        Learning rate. None is 0.1, with momentum 0.01, for Adam 0.001.
    input_size
        Inputs D.
    output_size
        Classes C.
    optimizer
        "sgd", "momentum", "adam", or an `SGD`, `Momentum` or `Adam` with settings of its own.
    init
        How weights begin: "glorot_uniform", as in Keras, or "glorot_normal", of variance 2 / (in + out). Biases are 0.
    seed
        Of the weights and of the order of the samples; None for another each time.
    n_threads
        Threads that may be used; None for `FASTMLP_NUM_THREADS` of them, or else one per processor that this process
        may use. Their number changes no bit of the result.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be used.

    See Also
    --------
    TrainingSession : Training with checkpoints, which can be resumed.
    FastMLPClassifier : The same net as an estimator of scikit-learn.

    Examples
    --------
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
        lr: float | None = None,
        *,
        input_size: int = 784,
        output_size: int = 10,
        optimizer: str | Optimizer = "sgd",
        init: str = "glorot_uniform",
        seed: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(check_integer("input_size", input_size), check_integer("output_size", output_size))
        self._hidden_size = check_integer("hidden_size", hidden_size)
        chosen = as_optimizer(optimizer)
        self.lr = default_lr(chosen) if lr is None else lr
        if init not in INITIALISERS:
            raise InvalidValueError(f"init is {init!r}; it must be one of {', '.join(INITIALISERS)}")
        self.init = init
        self.seed = None if seed is None else check_integer("seed", seed, minimum=0)
        self.n_threads = None if n_threads is None else check_integer("n_threads", n_threads)
        self._rng = np.random.default_rng(self.seed)
        self._weights = Weights(self.input_size, self.hidden_size, self.output_size)
        draw = INITIALISERS[init]
        self._weights.fill_W1(draw(self._rng, self.input_size, self.hidden_size))
        self.W2 = np.concatenate(list(draw(self._rng, self.hidden_size, self.output_size)))
        self._optimizer_state = OptimizerState(chosen, self._weights)

    def __repr__(self) -> str:
        return (
            f"NeuralNetwork(hidden_size={self.hidden_size}, lr={self.lr}, input_size={self.input_size}, "
            f"output_size={self.output_size}, optimizer={self.optimizer}, init={self.init!r}, seed={self.seed}, "
            f"n_threads={self.n_threads})"
        )

    def _repr_html_(self) -> str:
        D, H, C = self.input_size, self.hidden_size, self.output_size
        rows = [
            ("Sizes", f"inputs {D:,} → hidden units {H:,} → classes {C:,}"),
            ("Parameters", f"{(D + 1) * H + (H + 1) * C:,}, initialised by {self.init}, seed {self.seed}"),
            ("Optimiser", f"{self.optimizer}, learning rate {self.lr:g}, {self._optimizer_state.steps:,} steps so far"),
        ]
        return html.table("NeuralNetwork", rows + self._facts())

    # --- How it is trained --------------------------------------------------------------------------------------------

    @property
    def hidden_size(self) -> int:
        """Hidden units H, fixed when the net is made."""
        return self._hidden_size

    @property
    def optimizer(self) -> Optimizer:
        """What makes steps of gradients: `SGD`, `Momentum` or `Adam` with its settings, fixed when the net is made."""
        return self._optimizer_state.optimizer

    @property
    def lr(self) -> float:
        """Learning rate; it can be set between two fits."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = check_number("lr", value)

    # --- Parameters ---------------------------------------------------------------------------------------------------

    W1 = Parameter("Weights of the hidden layer (D, H)")
    b1 = Parameter("Biases of the hidden layer (H,)")
    W2 = Parameter("Weights of the output layer (H, C)")
    b2 = Parameter("Biases of the output layer (C,)")

    def __getstate__(self) -> dict[str, Any]:
        # Copies go their own way; a pickle makes its own copies in any case.
        return self.__dict__ | {
            "_weights": self._weights.copy(),
            "_optimizer_state": self._optimizer_state.copy(),
            "_rng": copy.deepcopy(self._rng),
        }

    # --- Files --------------------------------------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        training: Mapping[str, Any] | None = None,
        spare: Mapping[str, Float32Array] | None = None,
    ) -> None:
        """Write the net to a file that `load` reads.

        The state of the random numbers and of the optimiser goes along, so that a loaded net trains on to the same
        bits.

        Parameters
        ----------
        path
            The file, an .npz. One that exists is replaced, whole or not at all.
        training
            Kept in the file too, as JSON: `TrainingSession` puts its record there.
        spare
            More arrays to keep, those of a `fastmlp.engine.stopping.Spare`.

        Raises
        ------
        OSError
            Where the file cannot be written.
        """
        metadata = {
            "fastmlp": __version__,
            **{name: getattr(self, name) for name in (*_ARGUMENTS, "class_names", "feature_names", "input_scale")},
            "input_limit": self.scaling and self.scaling.limit,
            "table_columns": self.table_columns and [column._asdict() for column in self.table_columns],
            "optimizer": self._optimizer_state.record(),
            "random_state": self._rng.bit_generator.state,
            "training": training,
        }
        arrays = {**self._weights.arrays(), **self._optimizer_state.arrays(), **(spare or {})}
        if self.scaling is not None:
            arrays |= {"input_centre": self.scaling.centre, "input_spread": self.scaling.spread}
        write_model(path, arrays, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> NeuralNetwork:
        """Return the net that `save` wrote; nothing in the file is ever run.

        Parameters
        ----------
        path
            The file.
        n_threads
            As for a new net: a file does not hold it.

        Returns
        -------
        NeuralNetwork
            The net, to predict with or to train on.

        Raises
        ------
        ModelFileError
            For a file that is damaged, altered, not a model or of a newer version.
        OSError
            Where it cannot be opened.

        Examples
        --------
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
        """Return the net of a model file that was read already.

        Parameters
        ----------
        path
            The file's name, for messages.
        model
            What `fastmlp.files.model.read_model` gave.
        n_threads
            As for a new net.

        Returns
        -------
        NeuralNetwork
            The net, to predict with or to train on.

        Raises
        ------
        ModelFileError
            Where the model describes no net.
        """
        arrays, metadata = model
        try:
            net = cls(**{name: metadata[name] for name in _ARGUMENTS}, n_threads=n_threads)
            net._rng.bit_generator.state = metadata["random_state"]
            for name in net._weights.shapes:
                net._weights[name] = arrays[name]
            net._optimizer_state = OptimizerState.from_record(metadata.get("optimizer"), arrays, net._weights)
            net.class_names, net.input_scale = metadata["class_names"], metadata["input_scale"]
            net.feature_names = metadata.get("feature_names")  # which older files lack
            net.table_columns = metadata.get("table_columns")
            if "input_centre" in arrays:
                net.scaling = Scaling(arrays["input_centre"], arrays["input_spread"], metadata["input_limit"])
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds metadata that describes no net ({error})") from None
        return net

    # --- Training -----------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike | Parts,
        Y: ArrayLike | None = None,
        batch_size: int = 128,
        number_epochs: int = 20,
        **settings: Unpack[FitSettings],
    ) -> History:
        """Train on samples and their labels; a second call continues.

        Each epoch shuffles the samples, cuts them into batches and updates after each; the last batch may be smaller.
        Ctrl-C reaches the caller as KeyboardInterrupt; after it, as after any error, the net is as it was after the
        last full epoch.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Finite real numbers of any type: an array, images (n_samples, h, w), a sparse matrix of SciPy, or a frame of
            pandas, polars or Arrow. Or `Parts`, data larger than memory with their labels: then leave out Y.
        Y : array of shape (n_samples,), (n_samples, 1) or (n_samples, n_classes)
            Labels from 0 to C - 1, or one-hot rows.
        batch_size
            Samples of an update. Beyond n_samples it is cut to that, with a UserWarning.
        number_epochs
            Passes over all samples.
        sample_weight : array of shape (n_samples,)
            How much each sample counts: the loss of a batch, and of an epoch, is the weighted mean. A sample with the
            weight 0 is as good as left out.
        class_weight
            Weights by label, a class that is left out counting 1; or "balanced", n_samples / (n_classes n_k) where n_k
            samples are of class k. They multiply `sample_weight`.
        shuffle
            False keeps the samples in their order.
        schedule
            How the learning rate changes from epoch to epoch: "constant" (as None), "step", "cosine", "plateau", or a
            `StepDecay`, `CosineDecay` or `ReduceOnPlateau`.
        validation
            Samples (X, Y), or (X, Y, weights), or `Parts`, that are measured after each epoch.
        early_stopping
            True or an `EarlyStopping`: ends the training when the validation samples see no gain. However it ends, the
            net is then as it was after its best epoch.
        callback
            Called after each epoch with its number, from 1, and the history so far; where it returns True, the training
            ends. `ProgressBar()` is one.

        Returns
        -------
        History
            What happened in each epoch of this call.

        Raises
        ------
        ValueError, TypeError
            For data or settings that do not fit the net, before any work.
        DivergenceError
            Where the loss or a weight is not finite, or the mean loss of an epoch exceeds 100 ln C.

        Notes
        -----
        A net without `feature_names` takes those of the first frame, also after fits on arrays, whose columns are taken
        for the same. From then on frames with other names are refused, and columns in another order are put in order,
        with a UserWarning. The rule for the order of samples in parts stands in `fastmlp.engine.part_reader`.
        """
        options = FitOptions.of(batch_size, number_epochs, settings)
        names = self._feature_names or (X.feature_names if isinstance(X, Parts) else frame_names(X))
        samples = self._taken(X, Y, names, settings.get("sample_weight"), settings.get("class_weight"))
        with Watched(options.callback, options.number_epochs, samples.n_samples):
            measure = self._measure(settings, names)
            self._feature_names = names
            return fit_weights(self._trainee(), samples, options, measure)

    def _measure(self, settings: FitSettings, names: tuple[str, ...] | None) -> Measure | None:
        """What measures this net on the validation samples of the settings; None where there are none."""
        if (validation := settings.get("validation")) is None:
            return None
        rows, labels, weights = as_triple("validation", validation)
        held_back = self._taken(rows, labels, names, weights, part="validation ")
        return measure_on(self._weights, held_back, self._threads)

    def _trainee(self) -> Trainee:
        """What a training changes of this net, and what it needs to know of it."""
        return Trainee(self._weights, self._optimizer_state, self._rng, lambda: self.lr, self._threads)

    # --- Inference ----------------------------------------------------------------------------------------------------

    def forward(self, X: ArrayLike) -> Float32Array:
        """Return the probability of each class: softmax(max(0, X W1 + b1) W2 + b2).

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            All that `fit` takes, but for `Parts`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            A row has the same bits alone and in any batch.

        Raises
        ------
        ValueError, TypeError
            For an X that does not fit the net.

        Warns
        -----
        RuntimeWarning
            Where the outputs of a row overflow float32; its probabilities are NaN.

        Examples
        --------
        >>> import numpy as np
        >>> net = NeuralNetwork(hidden_size=4, input_size=3, output_size=2, seed=0)
        >>> float(abs(net.forward(np.zeros((5, 3))).sum(1) - 1).max()) < 1e-6
        True
        """
        return inference.forward(self._weights, self._rows(X), self.n_threads)

    def score(self, X: ArrayLike | Parts, Y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Score:
        """Return the mean loss and the accuracy on some samples.

        Parameters
        ----------
        X, Y, sample_weight
            As for `fit`.

        Returns
        -------
        Score
            Named pair of loss and accuracy.

        Raises
        ------
        ValueError, TypeError
            For data that does not fit the net.

        Warns
        -----
        RuntimeWarning
            Where the outputs of a row overflow float32; it counts as wrong, and the loss is NaN.
        """
        return score_on(self._weights, self._taken(X, Y, self._feature_names, sample_weight), self.n_threads)

    def predict(self, X: ArrayLike, Y: ArrayLike) -> Score:
        """The original script's name for `score`.

        Parameters
        ----------
        X, Y
            As for `score`.

        Returns
        -------
        Score
            Named pair of loss and accuracy.
        """
        return self.score(X, Y)

    @property
    def _threads(self) -> int:
        return self.n_threads or default_threads()

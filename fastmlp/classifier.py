"""FastMLPClassifier: the net as a classifier of scikit-learn, which takes the place of its MLPClassifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.inference import forward
from fastmlp.engine.inputs import Samples, as_rows
from fastmlp.engine.optimizers import SGD, Adam, Momentum, Optimizer
from fastmlp.errors import InvalidValueError, MissingLibraryError
from fastmlp.network import NeuralNetwork

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils._param_validation import Interval, Options, StrOptions
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_non_negative, validate_data
except ImportError:
    raise MissingLibraryError(
        "FastMLPClassifier needs scikit-learn 1.6 or newer: pip install 'fastmlp[sklearn]'"
    ) from None

from fastmlp.classifier_solver import Progress, Rules, Solver, draw_weights, fixed_outputs, train

__all__ = ["FastMLPClassifier", "NotOfferedError"]

_SOLVERS = ("sgd", "adam")


class NotOfferedError(InvalidValueError):
    """A parameter has a value that MLPClassifier takes and FastMLPClassifier does not."""


class FastMLPClassifier(ClassifierMixin, BaseEstimator):
    """A classifier for scikit-learn: one hidden layer (ReLU), trained as `MLPClassifier` trains it, many times faster.

    It takes MLPClassifier's place where that is changed to this in the import: the parameters have the same names,
    defaults and meaning, with the same `random_state` it starts from the same weights and sees the samples in the same
    order, and it stops by the same rules. The last two parameters MLPClassifier has not.

    Parameters
    ----------
    hidden_layer_sizes
        Hidden units, a number or a sequence of one: there is one hidden layer.
    activation
        "relu"; others are refused.
    solver
        "adam", or "sgd", with momentum. "lbfgs" is refused.
    alpha
        L2 penalty on the weights.
    batch_size
        Samples of an update; "auto" is 200, or all where there are fewer.
    learning_rate
        Of "sgd": "constant", "invscaling" or "adaptive".
    learning_rate_init
        The learning rate, at the beginning.
    power_t
        Exponent of "invscaling".
    max_iter
        Epochs at most.
    shuffle
        Whether each epoch shuffles the samples.
    random_state
        Seed, or generator, of the weights, of what is held back, and of the order of the samples.
    tol
        What the loss, or with `early_stopping` the score, must gain for an epoch to count as better.
    verbose
        Whether the loss of each epoch is printed.
    warm_start
        Whether `fit` goes on from the last fit.
    momentum
        Of "sgd", from 0 to less than 1.
    nesterovs_momentum
        Whether it is Nesterov's.
    early_stopping
        Whether a part of the training data is held back, and training ends when its score no longer gets better.
    validation_fraction
        That part.
    beta_1, beta_2, epsilon
        Settings of "adam".
    n_iter_no_change
        Epochs without a gain after which training ends.
    max_fun
        Accepted and not used: it is for "lbfgs".
    class_weight
        "balanced", or a dict {label: weight}, that multiplies `sample_weight`.
    n_threads
        Threads that may be used, None for as many as fastmlp uses by itself. Their number changes no bit of the result.

    Attributes
    ----------
    classes_, coefs_, intercepts_, loss_curve_
        These and the others of MLPClassifier are there; `coefs_` and `intercepts_` are read-only copies.
    validation_loss_curve_
        With early stopping, the loss of the held-back part after each epoch.
    net_
        The `NeuralNetwork`, which can be saved to a file. Of two classes it has two outputs, the first of which is
        always 0.

    Notes
    -----
    What differs from MLPClassifier otherwise: it computes in float32, whatever X is, and refuses a `momentum` of 1 and
    several labels for a sample.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = FastMLPClassifier(max_iter=1000, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.95
    True
    >>> classifier.predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: str | Mapping[Any, float] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- Training -----------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> FastMLPClassifier:
        """Train on samples and their labels; with `warm_start` go on from the last fit.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            An array, a frame of pandas or polars, or a sparse matrix, which is never made dense; float32 is taken as it
            is.
        y : array of shape (n_samples,)
            Labels of any kind that scikit-learn takes for classes.
        sample_weight : array of shape (n_samples,)
            How much each sample counts.

        Returns
        -------
        FastMLPClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            For what cannot be used; ValueError where the weights of the net are no longer finite.

        Warns
        -----
        ConvergenceWarning
            Where `max_iter` epochs were not enough.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(lambda self: self.solver in _SOLVERS)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> FastMLPClassifier:
        """Train for one epoch, going on from where the net is.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array of shape (n_classes,)
            All labels that there will be; the first call needs them.

        Returns
        -------
        FastMLPClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            As `fit` does.
        """
        _check_partial_fit_first_call(self, classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def _fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, incremental: bool
    ) -> FastMLPClassifier:
        hidden_size = self._hidden_size()
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        anew = not hasattr(self, "net_") or not (self.warm_start or incremental)
        samples = self._samples(X, y, sample_weight, anew=anew, incremental=incremental)
        random_state = check_random_state(self.random_state)
        if anew or not incremental:
            net = self._net(hidden_size, None if anew else self.net_, random_state)
            solver = Solver(net, self.learning_rate if self.solver == "sgd" else "constant", self.power_t)
        else:
            net, solver = self.net_, self._optimizer
        net.n_threads = self.n_threads
        progress = Progress() if anew else self._progress
        held_back = None
        if self.early_stopping:
            samples, held_back = self._split(samples, random_state)
        train(net, solver, progress, self._rules(len(samples.y), incremental), samples, held_back, random_state)
        self._keep(net, solver, progress)
        return self

    def _hidden_size(self) -> int:
        """The size of the hidden layer; raises NotOfferedError for what MLPClassifier has and this has not."""
        instead = "or scikit-learn's MLPClassifier"
        if self.solver not in _SOLVERS:
            raise NotOfferedError(f"FastMLPClassifier has no solver {self.solver!r}: use 'adam', 'sgd', {instead}")
        if self.activation != "relu":
            raise NotOfferedError(f"FastMLPClassifier has no activation {self.activation!r}: use 'relu', {instead}")
        sizes: Any = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        if len(sizes) != 1:
            raise NotOfferedError(
                f"FastMLPClassifier has one hidden layer, and hidden_layer_sizes is {self.hidden_layer_sizes!r}: name "
                f"one size, {instead.replace('or ', 'or use ')}"
            )
        return int(sizes[0])

    def _net(
        self, hidden_size: int, before: NeuralNetwork | None, random_state: np.random.RandomState
    ) -> NeuralNetwork:
        """A net with a new optimiser, and with the weights of the one before where there is one."""
        net = NeuralNetwork(
            hidden_size,
            self.learning_rate_init,
            input_size=self.n_features_in_,
            output_size=len(self.classes_),
            optimizer=self._chosen_optimizer(),
            seed=0,
        )
        if before is None:
            draw_weights(net, random_state)
        elif before.hidden_size != hidden_size:
            raise InvalidValueError(
                f"hidden_layer_sizes has changed from {before.hidden_size} to {hidden_size}, which a warm start cannot "
                "do: set warm_start=False to start anew"
            )
        else:
            net.W1, net.b1, net.W2, net.b2 = before.W1, before.b1, before.W2, before.b2
        return net

    def _chosen_optimizer(self) -> Optimizer:
        if self.solver == "adam":
            return Adam(self.beta_1, self.beta_2, self.epsilon, self.alpha)
        if self.momentum == 0:
            return SGD(self.alpha)
        return Momentum(self.momentum, bool(self.nesterovs_momentum), self.alpha)

    def _rules(self, n: int, incremental: bool) -> Rules:
        size: Any = min(200, n) if self.batch_size == "auto" else self.batch_size
        if size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
        return Rules(
            batch_size=min(int(size), n),
            max_iter=1 if incremental else int(self.max_iter),
            shuffle=bool(self.shuffle),
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            verbose=bool(self.verbose),
            incremental=incremental,
        )

    def _keep(self, net: NeuralNetwork, solver: Solver, progress: Progress) -> None:
        """Set the attributes that a fit leaves."""
        early = self.early_stopping
        self.net_, self._optimizer, self._progress = net, solver, progress
        fixed = fixed_outputs(net)
        W2, b2 = net.W2[:, fixed:], net.b2[fixed:]
        self.coefs_, self.intercepts_ = [net.W1, W2], [net.b1, b2]
        self.n_layers_, self.n_outputs_ = 3, len(b2)
        self.out_activation_ = "logistic" if fixed else "softmax"
        self.loss_curve_, self.loss_ = progress.loss_curve, progress.loss_curve[-1] if progress.loss_curve else np.inf
        self.n_iter_, self.t_ = progress.n_iter, progress.t
        self.best_loss_ = None if early else progress.best_loss
        self.validation_scores_ = progress.validation_scores if early else None
        self.validation_loss_curve_ = progress.validation_loss_curve if early else None
        self.best_validation_score_ = progress.best_validation_score if early else None
        self._no_improvement_count = progress.no_improvement_count  # MLPClassifier's name

    # --- Data ---------------------------------------------------------------------------------------------------------

    def _samples(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, anew: bool, incremental: bool
    ) -> Samples:
        """What people hand in to train on, checked, as the engine takes it; sets `classes_` where they are new."""
        rows, targets = self._checked(X, y, reset=anew)
        check_classification_targets(targets)
        labels = self._labels(targets, anew=anew, incremental=incremental)
        weights = self._weights(sample_weight, rows, targets, labels, incremental)
        return Samples(as_rows("X", rows, self.n_features_in_), labels, weights)

    def _checked(self, X: ArrayLike, *y: ArrayLike, reset: bool) -> Any:
        """X float32 (and y) by scikit-learn's rules; copied only where they are something else."""
        return validate_data(self, X, *y, accept_sparse="csr", dtype=np.float32, order="C", reset=reset)

    def _labels(self, y: NDArray[Any], *, anew: bool, incremental: bool) -> Int64Array:
        """The position of each label in `classes_`, which are set where they are not given yet."""
        encoder = LabelEncoder()
        if anew and not incremental:
            labels = encoder.fit_transform(y)
            self.classes_ = encoder.classes_
            return np.asarray(labels, np.int64)
        classes = unique_labels(y)
        if not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        encoder.classes_ = self.classes_
        return np.asarray(encoder.transform(y), np.int64)

    def _weights(
        self, sample_weight: ArrayLike | None, X: Float32Array, y: NDArray[Any], labels: Int64Array, incremental: bool
    ) -> Float32Array | None:
        """How much each sample counts, by its own weight and by that of its class; None where all count the same."""
        weights: Float32Array | None = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float32)
            check_non_negative(weights, "`sample_weight`")
        if self.class_weight is not None:
            if incremental and self.class_weight == "balanced":
                raise ValueError(
                    "class_weight 'balanced' is not supported for partial_fit. Pass the weights that "
                    "compute_class_weight('balanced', classes=classes, y=y) gives for all labels as a dictionary."
                )
            of_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            check_non_negative(of_class, "`class_weight`")
            by_class = of_class[labels].astype(np.float32)
            weights = by_class if weights is None else weights * by_class
        if weights is not None and not weights.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weights

    def _split(self, samples: Samples, random_state: np.random.RandomState) -> tuple[Samples, Samples]:
        """The part to train on, and what is held back for early stopping: the rows that MLPClassifier holds back."""
        stratify = samples.y[:, None] == 1 if len(self.classes_) <= 2 else None  # as MLPClassifier does
        parts = train_test_split(
            np.arange(len(samples.y)), random_state=random_state, test_size=self.validation_fraction, stratify=stratify
        )
        X, y, weights = samples
        training, held_back = (Samples(X[rows], y[rows], None if weights is None else weights[rows]) for rows in parts)
        if len(held_back.y) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        for part, name in ((training, "training"), (held_back, "validation")):
            if part.weights is not None and not part.weights.any():
                raise ValueError(
                    f"The sample weights for {name} set are all zero, consider using a different random state."
                )
        return training, held_back

    # --- Inference ----------------------------------------------------------------------------------------------------

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as they were given to `fit`.
        """
        probabilities = self.predict_proba(X)  # first, because it says what an estimator without a fit has to hear
        classes: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return classes

    def predict_proba(self, X: ArrayLike) -> Float32Array:
        """Return the probability of each class.

        Parameters
        ----------
        X
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            In the order of `classes_`.
        """
        check_is_fitted(self)
        rows = as_rows("X", self._checked(X, reset=False), self.n_features_in_)
        return forward(self.net_._trainee().weights, rows, self.n_threads)

    def predict_log_proba(self, X: ArrayLike) -> Float32Array:
        """Return the logarithm of what `predict_proba` returns.

        Parameters
        ----------
        X
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            In the order of `classes_`.
        """
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

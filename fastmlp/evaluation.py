"""How good a net is: its loss and accuracy, each class by itself, and its worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import html
from fastmlp.arrays import Float32Array, Float64Array, Int64Array
from fastmlp.engine.inference import probabilities_and_losses
from fastmlp.engine.inputs import Samples
from fastmlp.engine.parts import Parts
from fastmlp.model_inputs import class_names
from fastmlp.network import NeuralNetwork

__all__ = ["Confusion", "Evaluation", "Mistake", "confusion_matrix", "evaluate"]


class Mistake(NamedTuple):
    """A sample that the net took for another class.

    Attributes
    ----------
    row
        Its row, from 0.
    true, predicted
        The class that it is of, and the one that it was taken for.
    p_true, p_predicted
        The probabilities of these classes.
    """

    row: int
    true: int
    predicted: int
    p_true: float
    p_predicted: float


class Confusion(NamedTuple):
    """How often one class was taken for another.

    Attributes
    ----------
    true, predicted
        The class that samples were of, and the one that they were taken for.
    samples
        How many there are.
    """

    true: int
    predicted: int
    samples: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a net makes of some samples.

    Attributes
    ----------
    loss
        Mean cross-entropy, in nats.
    confusion : ndarray of shape (n_classes, n_classes), int64
        Numbers of samples: rows are true classes, columns predicted ones.
    class_names
        The names of the classes.
    worst
        The mistakes of greatest loss, the worst first.
    unanswered : ndarray of shape (n_classes,), int64
        By true class, the samples whose outputs overflow float32, and which are of no class. They are in neither
        `confusion` nor `worst`; they count in `accuracy`, `support` and `recall`, and the loss is NaN.
    """

    loss: float
    confusion: Int64Array
    class_names: tuple[str, ...]
    worst: tuple[Mistake, ...]
    unanswered: Int64Array | int = 0

    @property
    def n_samples(self) -> int:
        """How many samples were evaluated."""
        return int(self.support.sum())

    @property
    def n_mistakes(self) -> int:
        """How many samples were taken for another class."""
        return int(self.confusion.sum() - np.trace(self.confusion))

    @property
    def n_unanswered(self) -> int:
        """How many samples were taken for no class, as the outputs overflow float32."""
        return self.n_samples - int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The fraction of samples whose class was found."""
        return int(np.trace(self.confusion)) / self.n_samples

    @property
    def support(self) -> Int64Array:
        """Samples of each class (C,)."""
        support: Int64Array = self.confusion.sum(axis=1) + self.unanswered
        return support

    @property
    def recall(self) -> Float64Array:
        """Of the samples of each class, the fraction that was found (C,); NaN for a class without samples."""
        return _fractions(np.diag(self.confusion), self.support)

    @property
    def precision(self) -> Float64Array:
        """Of the samples taken for each class, the fraction that was of it (C,); NaN for a class never predicted."""
        return _fractions(np.diag(self.confusion), self.confusion.sum(axis=0))

    def _repr_html_(self) -> str:
        wrong = f"{self.n_mistakes:,} of {html.count(self.n_samples, 'sample')} taken for another class"
        rows = [("Accuracy", html.percent(self.accuracy)), ("Loss", html.number(self.loss)), ("Mistakes", wrong)]
        if self.n_unanswered:
            rows.append(("Unanswered", f"{self.n_unanswered:,}, as the outputs overflow float32"))
        for pair in self.most_confused(5):
            true, predicted = (html.names([self.class_names[k]]) for k in (pair.true, pair.predicted))
            rows.append((f"{true} taken for {predicted}", f"{pair.samples:,}"))
        return html.table("Evaluation", rows)

    def most_confused(self, limit: int) -> list[Confusion]:
        """Return the pairs of classes that were confused most often, the most frequent first.

        Parameters
        ----------
        limit
            How many at most.

        Returns
        -------
        list of Confusion
            Without pairs that were never confused.

        Examples
        --------
        >>> counts = np.array([[5, 0, 2], [1, 7, 0], [3, 0, 4]])
        >>> Evaluation(0.1, counts, ("a", "b", "c"), ()).most_confused(2)
        [Confusion(true=2, predicted=0, samples=3), Confusion(true=0, predicted=2, samples=2)]
        """
        true, predicted = np.nonzero(self.confusion)
        wrong = true != predicted
        true, predicted = true[wrong], predicted[wrong]
        counts = self.confusion[true, predicted]
        return [
            Confusion(int(true[k]), int(predicted[k]), int(counts[k]))
            for k in np.argsort(-counts, kind="stable")[:limit]
        ]


def _fractions(parts: Int64Array, wholes: Int64Array) -> Float64Array:
    """Return parts / wholes, NaN where the whole is 0."""
    fractions: Float64Array = np.divide(parts, wholes, out=np.full(len(wholes), np.nan), where=wholes > 0)
    return fractions


def evaluate(net: NeuralNetwork, X: ArrayLike | Parts, Y: ArrayLike | None = None, n_worst: int = 20) -> Evaluation:
    """Return what a net makes of some samples.

    Parameters
    ----------
    net
        A trained net.
    X : array of shape (n_samples, n_features)
        All that `NeuralNetwork.score` takes. Of `Parts`, rows are counted over all of them.
    Y : array of shape (n_samples,) or (n_samples, n_classes)
        Labels or one-hot rows; None with `Parts`.
    n_worst
        How many mistakes to list.

    Returns
    -------
    Evaluation
        Loss, accuracy, confusion matrix and the worst mistakes.

    Raises
    ------
    ValueError, TypeError
        For data that does not fit the net.
    DataError
        For a part that cannot be read.

    Examples
    --------
    >>> net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, seed=0)
    >>> net.W1, net.W2 = np.eye(2), np.eye(2)
    >>> seen = evaluate(net, [[3, 0], [0, 3], [2, 0]], [0, 1, 1])
    >>> seen.confusion.tolist(), seen.recall.tolist()
    ([[1, 0], [1, 1]], [1.0, 0.5])
    >>> seen.worst[0].row, round(seen.worst[0].p_true, 3)
    (2, 0.119)
    """
    samples = net._taken(X, Y, net.feature_names)
    if isinstance(samples, Samples):
        return _of_samples(net, samples, n_worst)
    return _together([_of_samples(net, part, n_worst) for part, _ in samples.in_turn()], n_worst)


def _of_samples(net: NeuralNetwork, samples: Samples, n_worst: int) -> Evaluation:
    probs, losses = probabilities_and_losses(net._weights, samples.X, samples.y, net.n_threads)
    y, answered = samples.y, ~np.isnan(probs[:, 0])
    predicted = probs.argmax(axis=1)
    return Evaluation(
        loss=float(losses.mean(dtype=np.float64)),
        confusion=confusion_matrix(y[answered], predicted[answered], net.output_size),
        class_names=class_names(net),
        worst=_worst_mistakes(probs, y, predicted, n_worst),
        unanswered=np.bincount(y[~answered], minlength=net.output_size),
    )


def _together(parts: list[Evaluation], n_worst: int) -> Evaluation:
    """The evaluation of all samples from those of their parts."""
    sizes, worst = [part.n_samples for part in parts], []
    for k, part in enumerate(parts):
        worst += [mistake._replace(row=sum(sizes[:k]) + mistake.row) for mistake in part.worst]
    return Evaluation(
        loss=sum(part.loss * size for part, size in zip(parts, sizes, strict=True)) / sum(sizes),
        confusion=np.sum([part.confusion for part in parts], axis=0),
        class_names=parts[0].class_names,
        worst=tuple(sorted(worst, key=lambda mistake: mistake.p_true)[:n_worst]),
        unanswered=np.sum([np.asarray(part.unanswered) for part in parts], axis=0),
    )


def confusion_matrix(y: Int64Array, predicted: Int64Array, n_classes: int) -> Int64Array:
    """Count how often each class was taken for each.

    Parameters
    ----------
    y, predicted : array of shape (n_samples,), int64
        True and predicted classes.
    n_classes
        How many classes there are.

    Returns
    -------
    ndarray of shape (n_classes, n_classes), int64
        Entry (i, j) counts the samples of class i that were taken for class j.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    array([[1, 0],
           [1, 1]])
    """
    pairs = np.bincount(y * n_classes + predicted, minlength=n_classes * n_classes)
    return pairs.reshape(n_classes, n_classes)


def _worst_mistakes(probs: Float32Array, y: Int64Array, predicted: Int64Array, limit: int) -> tuple[Mistake, ...]:
    rows = np.flatnonzero((y != predicted) & ~np.isnan(probs[:, 0]))
    p_true = probs[rows, y[rows]]
    worst = rows[np.argsort(p_true, kind="stable")[:limit]]
    return tuple(
        Mistake(
            int(row), int(y[row]), int(predicted[row]), float(probs[row, y[row]]), float(probs[row, predicted[row]])
        )
        for row in worst
    )

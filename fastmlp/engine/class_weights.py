"""How much the samples of each class count, as people hand it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, Float64Array, Int64Array
from fastmlp.engine.inputs import Samples
from fastmlp.engine.sample_weights import as_sample_weights
from fastmlp.engine.settings import check_integer, check_size
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["BALANCED", "ClassWeight", "check_class_weight", "weights_by_class", "with_class_weights"]

BALANCED = "balanced"
"""The name of the weights that make all classes count the same."""

ClassWeight = str | Mapping[int, float]


def check_class_weight(value: Any, n_classes: int) -> ClassWeight | None:
    """Return "balanced", or weights by label, or None; raises InvalidValueError or InvalidTypeError for all else.

    >>> check_class_weight({2: 5}, 3)
    {2: 5.0}
    """
    if value is None or (isinstance(value, str) and value == BALANCED):
        return value
    if not isinstance(value, Mapping):
        kind = InvalidValueError if isinstance(value, str) else InvalidTypeError
        raise kind(f"class_weight is {value!r}; it must be 'balanced', or a mapping such as {{2: 5.0}}")
    weights = {}
    for label, weight in value.items():
        number = check_integer("a label of class_weight", label, minimum=0)
        if number >= n_classes:
            raise InvalidValueError(f"class_weight has the label {number}; labels run from 0 to {n_classes - 1}")
        weights[number] = check_size(f"class_weight[{number}]", weight)
    return weights


def with_class_weights(samples: Samples, class_weight: ClassWeight | None, n_classes: int) -> Samples:
    """Return the samples with the weight w_i v[y_i] for w_i, where v[k] is the weight of the class k.

    "balanced" is v[k] = n / (C n_k), as in scikit-learn: n samples, n_k of them in the class k, and C classes that have
    samples. The samples are counted, not their weights, also as in scikit-learn. Of a mapping v[k] is the value for k,
    and 1 where it has none.

    Raises what `check_class_weight` raises, and InvalidValueError where no sample is left that counts.

    >>> samples = Samples(np.zeros((4, 1), np.float32), np.array([0, 2, 0, 0]))
    >>> with_class_weights(samples, "balanced", 3).weights
    array([0.6666667, 2.       , 0.6666667, 0.6666667], dtype=float32)
    """
    checked = check_class_weight(class_weight, n_classes)
    if checked is None:
        return samples
    factors = weights_by_class(checked, np.bincount(samples.y, minlength=n_classes))[samples.y]
    weights: Any = factors if samples.weights is None else factors * samples.weights
    combined: Float32Array | None = as_sample_weights("class_weight times sample_weight", weights, len(samples.y))
    return samples._replace(weights=combined)


def weights_by_class(class_weight: ClassWeight, counts: Int64Array) -> Float64Array:
    """Return the weight of each class (C,), as `check_class_weight` gave them, of which there are so many samples."""
    if isinstance(class_weight, str):
        balanced: Float64Array = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return balanced
    weights = np.ones(len(counts))
    weights[list(class_weight)] = list(class_weight.values())
    return weights

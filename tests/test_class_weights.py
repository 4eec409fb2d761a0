"""Classes that count more or less."""

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine.class_weights import with_class_weights
from fastmlp.engine.inputs import Samples
from fastmlp.errors import InvalidTypeError, InvalidValueError

RNG = np.random.default_rng(3)
Y = np.array([0, 0, 0, 1, 0, 2, 0, 0, 1, 0, 0, 0] * 5)
X = (RNG.normal(size=(60, 7)) + np.eye(7)[Y]).astype(np.float32)
SOME = RNG.uniform(0, 2, 60).astype(np.float32) * (np.arange(60) % 3 > 0)


def weights_of(y, class_weight, weights=None, n_classes=3):
    return with_class_weights(Samples(X[: len(y)], np.array(y), weights), class_weight, n_classes).weights


def trained(y=Y, **options):
    net = NeuralNetwork(5, 0.2, input_size=7, output_size=3, seed=0)
    history = net.fit(X, y, 16, 3, validation=(X, Y), **options)
    return b"".join(getattr(net, name).tobytes() for name in ("W1", "b1", "W2", "b2")), history


@pytest.mark.parametrize("others", [None, SOME], ids=["alone", "times sample_weight"])
@pytest.mark.parametrize("class_weight", ["balanced", {1: 4.0, 2: 0}, {np.int64(0): 0.1}], ids=str)
def test_they_are_weights_of_samples(class_weight, others):
    n = np.bincount(Y)
    factors = [60 / (3 * n[k]) if class_weight == "balanced" else class_weight.get(k, 1.0) for k in range(3)]
    product = np.array(factors)[Y] * (1 if others is None else others)
    ours, history = trained(class_weight=class_weight, sample_weight=others)
    theirs, other = trained(sample_weight=product)
    assert ours == theirs
    assert (history.loss, history.val_loss) == (other.loss, other.val_loss)  # validation is not weighted by class
    assert ours != trained(sample_weight=others)[0]


def test_balanced_as_scikit_learn():
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    for y in (Y, Y[:5], [2, 2, 0], [1]):  # also without some of the classes
        expected = sklearn.compute_sample_weight("balanced", np.array(y))
        np.testing.assert_allclose(weights_of(y, "balanced"), expected, rtol=1e-6)


def test_balanced_by_hand():
    np.testing.assert_array_equal(weights_of([0, 0, 0, 2], "balanced"), np.float32([4 / 6, 4 / 6, 4 / 6, 2]))
    # Counts of samples, not of their weights.
    np.testing.assert_array_equal(weights_of([0, 0, 2, 2], "balanced", np.float32([9, 0, 1, 1])), [9, 0, 1, 1])


def test_balanced_classes_change_no_bit():
    y = np.arange(60) % 3
    assert trained(y, class_weight="balanced")[0] == trained(y)[0]


def test_a_weight_for_a_class_without_samples_does_nothing():
    y = np.where(Y == 2, 1, Y)
    assert trained(y, class_weight={2: 7.0})[0] == trained(y, class_weight=None)[0]


@pytest.mark.parametrize(
    ("class_weight", "error", "says"),
    [
        ("even", InvalidValueError, "class_weight is 'even'; it must be 'balanced', or a mapping such as {2: 5.0}"),
        ([1, 2, 3], InvalidTypeError, r"class_weight is \[1, 2, 3\]; it must be 'balanced'"),
        (True, InvalidTypeError, "class_weight is True"),
        ({3: 1.0}, InvalidValueError, "class_weight has the label 3; labels run from 0 to 2"),
        ({-1: 1.0}, InvalidValueError, "a label of class_weight is -1; it must be at least 0"),
        ({"rose": 1.0}, InvalidTypeError, "a label of class_weight is 'rose'; it must be a whole number"),
        ({True: 1.0}, InvalidTypeError, "a label of class_weight is True"),
        ({1: -2}, InvalidValueError, r"class_weight\[1\] is -2.0; it must be a number above 0"),
        ({1: np.nan}, InvalidValueError, r"class_weight\[1\] is nan"),
        ({1: "2"}, InvalidTypeError, r"class_weight\[1\] is '2'"),
        ({0: 0, 1: 0, 2: 0}, InvalidValueError, "class_weight times sample_weight is 0 for every sample"),
    ],
    ids=str,
)
def test_what_cannot_be_used(class_weight, error, says):
    with pytest.raises(error, match=says):
        trained(class_weight=class_weight)


def test_a_product_beyond_float32_is_refused():
    with pytest.raises(InvalidValueError, match=r"class_weight times sample_weight holds .* too large for float32"):
        trained(class_weight={0: 1e38}, sample_weight=np.full(60, 1e38))

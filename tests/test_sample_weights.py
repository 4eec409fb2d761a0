"""Samples that count more or less, or not at all."""

import numpy as np
import oracle
import pytest

from fastmlp import Adam, NeuralNetwork
from fastmlp.errors import InvalidTypeError, InvalidValueError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 7)).astype(np.float32), RNG.integers(0, 3, 60)
HALF = (np.arange(60) % 2).astype(np.float32)  # every second sample counts


def net_of(**settings):
    return NeuralNetwork(20, 0.2, input_size=7, output_size=3, seed=0, **settings)


def weights_of(net):
    return b"".join(getattr(net, name).tobytes() for name in oracle.Net._fields)


def test_weights_of_1_change_no_bit():
    plain, weighted = net_of(), net_of()
    one, other = plain.fit(X, Y, 16, 3), weighted.fit(X, Y, 16, 3, sample_weight=np.ones(60))
    assert weights_of(plain) == weights_of(weighted)
    assert one.loss == pytest.approx(other.loss, rel=1e-12)


def test_a_weight_of_0_is_as_good_as_left_out():
    """To the bit, in batches that are the same without them."""
    with_zeros, without = net_of(), net_of()
    order = np.argsort(1 - HALF, kind="stable")  # those that count, then those that do not
    x, y, weights = X[order][:32], Y[order][:32], HALF[order][:32]
    history = with_zeros.fit(x, y, 32, 5, sample_weight=weights, shuffle=False)
    shorter = without.fit(
        x[weights > 0], y[weights > 0], 32 if (weights > 0).sum() > 32 else (weights > 0).sum(), 5, shuffle=False
    )
    assert weights_of(with_zeros) == weights_of(without)
    assert history.loss == pytest.approx(shorter.loss, rel=1e-12)
    assert history.accuracy == pytest.approx(shorter.accuracy, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", Adam(l2=0.1)])
def test_whole_weights_are_repetitions_in_one_batch(optimizer):
    counts = RNG.integers(0, 4, 60)
    weighted, repeated = net_of(optimizer=optimizer), net_of(optimizer=optimizer)
    rows = np.repeat(np.arange(60), counts)
    weighted.fit(X, Y, 60, 5, sample_weight=counts, shuffle=False)
    repeated.fit(X[rows], Y[rows], len(rows), 5, shuffle=False)
    for name in oracle.Net._fields:
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=0, atol=2e-5, err_msg=name)
    score, other = weighted.score(X, Y, counts), weighted.score(X[rows], Y[rows])
    assert score == pytest.approx(other, rel=1e-6)


def test_a_batch_of_which_no_sample_counts_does_nothing():
    net, without = net_of(), net_of()
    history = net.fit(X, Y, 20, 2, sample_weight=np.r_[np.zeros(20), np.ones(40)], shuffle=False)
    shorter = without.fit(X[20:], Y[20:], 20, 2, shuffle=False)
    assert weights_of(net) == weights_of(without)
    assert history.loss == pytest.approx(shorter.loss, rel=1e-12)


def test_the_loss_of_an_epoch_has_the_weights_in_its_order():
    """One batch of all samples has the same loss in any order."""
    shuffled, in_order = (
        net_of().fit(X, Y, 60, 3, sample_weight=Y + 1.0, shuffle=shuffle) for shuffle in (True, False)
    )
    assert shuffled.loss == pytest.approx(in_order.loss, rel=1e-6)
    assert shuffled.accuracy == pytest.approx(in_order.accuracy, rel=1e-6)


def test_what_does_not_count_may_be_anything_finite():
    x = X.copy()
    x[0] = 3e38  # whose outputs overflow float32
    weights = np.r_[0, np.ones(59)]
    with pytest.warns(RuntimeWarning, match="overflow float32"):
        score = net_of().score(x, Y, weights)
    assert score == pytest.approx(net_of().score(X[1:], Y[1:]), rel=1e-6)


def test_validation_by_weights():
    history = net_of().fit(X, Y, 16, 2, validation=(X, Y, HALF))
    other = net_of().fit(X, Y, 16, 2, validation=(X[HALF > 0], Y[HALF > 0]))
    assert history.val_loss == pytest.approx(other.val_loss, rel=1e-6)
    assert history.val_accuracy == pytest.approx(other.val_accuracy, rel=1e-6)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.ones(59), "sample_weight has 59 weights for 60 samples"),
        (np.r_[-1, np.ones(59)], r"sample_weight has -1 in row 0 \(from 0\); each must be finite, and 0 or more"),
        (np.r_[np.ones(59), np.nan], "sample_weight has nan in row 59"),
        (np.zeros(60), "sample_weight is 0 for every sample"),
        (np.ones((60, 2)), "sample_weight has 2 dimensions"),
        (["a"] * 60, "sample_weight"),
    ],
)
def test_weights_that_cannot_be_used(weights, says):
    with pytest.raises((InvalidValueError, InvalidTypeError), match=says):
        net_of().fit(X, Y, sample_weight=weights)

"""The reference itself: central differences, a step worked by hand, loops against matrices."""

import math

import numpy as np
import oracle
import pytest
from oracle import Net

SHAPES = [(1, 1, 1, 1), (1, 1, 1, 2), (3, 4, 5, 3), (7, 2, 1, 4), (2, 6, 3, 1), (5, 3, 8, 10)]


def problem(shape: tuple[int, int, int, int]) -> tuple[Net, oracle.Array, np.ndarray]:
    """A random net of the shape (B, D, H, C) with rows and labels for it."""
    B, D, H, C = shape
    rng = np.random.default_rng(sum(shape))
    return oracle.random_net(rng, D, H, C), rng.normal(size=(B, D)), rng.integers(0, C, B)


def central_differences(net: Net, X: oracle.Array, y: np.ndarray, step: float = 1e-5) -> Net:
    """The slope of the mean loss along each weight: (loss(w + s) - loss(w - s)) / (2 s)."""
    slopes = Net(*(np.zeros_like(part) for part in net))
    for part, slope in zip(net, slopes, strict=True):
        for index in np.ndindex(part.shape):
            value = part[index]
            part[index] = value + step
            above = oracle.loop_loss(net, X, y)
            part[index] = value - step
            below = oracle.loop_loss(net, X, y)
            part[index] = value
            slope[index] = (above - below) / (2 * step)
    return slopes


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_the_slopes_of_the_loss(shape):
    net, X, y = problem(shape)
    # The slope is defined away from ReLU's kink only: no pre-activation may cross 0 within a step.
    assert np.abs(oracle.loop_forward(net, X).before).min() > 1e-3
    slopes = central_differences(net, X, y)
    for name, exact, slope in zip(Net._fields, oracle.loop_gradients(net, X, y), slopes, strict=True):
        np.testing.assert_allclose(exact, slope, rtol=1e-6, atol=1e-9, err_msg=name)


def test_derivative_at_exactly_zero_is_zero():
    """A pre-activation of exactly 0 passes no gradient: not the whole slope, and not half of it."""
    net = Net(
        np.array([[1.0, 2.0]]),
        np.array([-3.0, 0.0]),
        np.array([[1.0, -1.0], [0.5, 2.0]]),
        np.zeros(2),
    )
    X, y = np.array([[3.0]]), np.array([0])
    assert oracle.loop_forward(net, X).before[0, 0] == 0.0
    for gradients in (oracle.loop_gradients, oracle.gradients):
        grad = gradients(net, X, y)
        assert (grad.W1[0, 0], grad.b1[0]) == (0.0, 0.0)
        assert grad.W1[0, 1] != 0.0
        assert grad.b1[1] != 0.0
    # The loss has a slope on one side of the kink and none on the other: the central difference
    # sees half of it, and the derivative is 0 by choice.
    half = central_differences(net, X, y)
    above = oracle.loop_gradients(net._replace(b1=np.array([-3.0 + 1e-9, 0.0])), X, y)
    assert abs(half.b1[0] - above.b1[0] / 2) < 1e-4 < abs(above.b1[0])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matrix_form_equals_the_loops(shape):
    net, X, y = problem(shape)
    X[0, 0] = 0.0
    for name, exact, fast in zip(
        oracle.Activations._fields, oracle.loop_forward(net, X), oracle.forward(net, X), strict=True
    ):
        np.testing.assert_allclose(fast, exact, rtol=1e-12, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(oracle.losses(net, X, y), oracle.loop_losses(net, X, y), rtol=1e-12, atol=1e-14)
    assert oracle.loss(net, X, y) == pytest.approx(oracle.loop_loss(net, X, y), rel=1e-12, abs=1e-14)
    for name, exact, fast in zip(
        Net._fields, oracle.loop_gradients(net, X, y), oracle.gradients(net, X, y), strict=True
    ):
        np.testing.assert_allclose(fast, exact, rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_loss_neither_overflows_nor_clips(logit):
    net = Net(np.zeros((1, 1)), np.zeros(1), np.zeros((1, 2)), np.array([0.0, logit]))
    X = np.zeros((1, 1))
    assert oracle.loop_loss(net, X, [0]) == oracle.loss(net, X, [0]) == max(logit, 0.0)
    assert oracle.loop_loss(net, X, [1]) == oracle.loss(net, X, [1]) == max(-logit, 0.0)


HAND_NET = Net(
    W1=np.array([[1.0, 1.0], [2.0, -1.0]]),
    b1=np.array([0.0, -1.0]),
    W2=np.array([[1.0, 0.0], [3.0, 5.0]]),
    b2=np.array([0.0, 5.0]),
)
HAND_X = np.array([[1.0, 2.0]])


@pytest.mark.parametrize("gradients", [oracle.loop_gradients, oracle.gradients])
def test_one_step_worked_by_hand(gradients):
    # x = (1, 2), label 0, lr = 0.5.
    #
    # before_1 = 0 + 1*1 + 2*2  =  5    hidden_1 = 5
    # before_2 = -1 + 1*1 + 2*-1 = -2   hidden_2 = 0
    # logit_1  = 0 + 5*1 + 0*3  =  5
    # logit_2  = 5 + 5*0 + 0*5  =  5
    # probs    = (1/2, 1/2), loss = -log(1/2) = log 2
    #
    # dlogits  = (1/2 - 1, 1/2 - 0) / 1  = (-1/2, 1/2)
    # dhidden_1 = -1/2*1 + 1/2*0 = -1/2
    # dhidden_2 = 0, since before_2 <= 0 (without the ReLU it would be -1/2*3 + 1/2*5 = 1)
    #
    # W2 -= lr hidden dlogits: row 1: (1, 0) - 0.5*5*(-1/2, 1/2) = (2.25, -1.25); row 2 stays (3, 5)
    # b2 -= lr dlogits:        (0, 5) - 0.5*(-1/2, 1/2) = (0.25, 4.75)
    # W1 -= lr x dhidden:      column 1: (1, 2) - 0.5*(1, 2)*(-1/2) = (1.25, 2.5); column 2 stays
    # b1 -= lr dhidden:        (0, -1) - 0.5*(-1/2, 0) = (0.25, -1)
    assert oracle.loop_loss(HAND_NET, HAND_X, [0]) == pytest.approx(math.log(2), rel=1e-15)
    after = oracle.sgd_step(HAND_NET, HAND_X, [0], lr=0.5, gradients=gradients)
    np.testing.assert_allclose(after.W1, [[1.25, 1.0], [2.5, -1.0]], rtol=1e-15)
    np.testing.assert_allclose(after.b1, [0.25, -1.0], rtol=1e-15)
    np.testing.assert_allclose(after.W2, [[2.25, -1.25], [3.0, 5.0]], rtol=1e-15)
    np.testing.assert_allclose(after.b2, [0.25, 4.75], rtol=1e-15)


def test_epoch_is_its_steps_and_the_last_batch_counts_by_its_own_size():
    net, X, y = problem((7, 3, 4, 3))
    order = [6, 0, 3, 2, 5, 1, 4]
    result = oracle.epoch(net, X, y, lr=0.3, batch_size=3, order=order, gradients=oracle.loop_gradients)
    losses = []
    for batch in ([6, 0, 3], [2, 5, 1], [4]):
        losses.append(oracle.loop_loss(net, X[batch], y[batch]))
        net = oracle.sgd_step(net, X[batch], y[batch], 0.3, oracle.loop_gradients)
    np.testing.assert_allclose(result.losses, losses, rtol=1e-12)
    assert result.sizes == [3, 3, 1]
    assert result.loss == pytest.approx((3 * losses[0] + 3 * losses[1] + losses[2]) / 7, rel=1e-12)
    for part, expected in zip(result.net, net, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12)

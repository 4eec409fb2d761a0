"""The learning rate of each epoch: by its formula, as PyTorch's schedulers have it, and in a training."""

import math
import warnings

import numpy as np
import pytest

from fastmlp import CosineDecay, NeuralNetwork, ReduceOnPlateau, StepDecay
from fastmlp.engine.schedules import SCHEDULES, Standing, as_schedule
from fastmlp.errors import InvalidTypeError, InvalidValueError

RNG = np.random.default_rng(2)
Y = np.arange(60) % 3
X = (RNG.normal(size=(60, 7)) + np.eye(7)[Y]).astype(np.float32)
LOSSES = [2.0, 1.0, 1.2, 0.99995, 1.1, 1.0, math.nan, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]


def new_net(lr=0.2):
    return NeuralNetwork(5, lr, input_size=7, output_size=3, seed=0)


def rates(schedule, epochs, lr=0.1, losses=()):
    return [schedule.rate(Standing(lr, k + 1, epochs, losses[:k])) for k in range(epochs)]


def test_steps():
    assert rates(StepDecay(every=3, factor=0.5), 8) == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025] * 2)


@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_cosine(warmup):
    found = rates(CosineDecay(warmup), 10)
    climb = [0.1 * k / (warmup + 1) for k in range(1, warmup + 1)]
    n = 10 - warmup
    assert found == pytest.approx(climb + [0.05 * (1 + math.cos(math.pi * k / n)) for k in range(n)])
    assert max(found) == found[warmup] == 0.1
    assert min(found) > 0


def test_plateau():
    found = rates(ReduceOnPlateau(factor=0.1, patience=3, min_gain=1e-3, lowest=2e-4), len(LOSSES), losses=LOSSES)
    assert found == pytest.approx([0.1] * 5 + [0.01] * 6 + [0.001] * 3 + [2e-4] * 2)
    assert rates(ReduceOnPlateau(lowest=1.0), 3, losses=LOSSES) == [0.1] * 3  # a rate below it never rises


@pytest.mark.parametrize(
    "schedule", [StepDecay(3, 0.3), CosineDecay(), CosineDecay(4), ReduceOnPlateau(0.3, 2)], ids=str
)
def test_as_pytorch(schedule):
    torch = pytest.importorskip("torch")
    kinds, n = torch.optim.lr_scheduler, len(LOSSES)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    if isinstance(schedule, StepDecay):
        theirs = kinds.StepLR(optimizer, schedule.every, schedule.factor)
    elif isinstance(schedule, ReduceOnPlateau):
        # PyTorch counts the epochs that it bears, Keras and we those at which the rate falls.
        theirs = kinds.ReduceLROnPlateau(
            optimizer, factor=schedule.factor, patience=schedule.patience - 1, threshold=schedule.min_gain,
            threshold_mode="abs", eps=0,
        )  # fmt: skip
    else:
        w = schedule.warmup
        theirs = kinds.CosineAnnealingLR(optimizer, n - w)
        if w:
            climb = kinds.LinearLR(optimizer, 1 / (w + 1), total_iters=w)
            theirs = kinds.SequentialLR(optimizer, [climb, theirs], milestones=[w])
    expected = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that of SequentialLR about its own code
        for loss in LOSSES:
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            theirs.step(*([loss] if isinstance(schedule, ReduceOnPlateau) else []))
    assert rates(schedule, n, losses=LOSSES) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "schedule", [StepDecay(2, 0.5), CosineDecay(2), ReduceOnPlateau(0.5, 1, 0.05), "plateau"], ids=str
)
def test_a_training_has_the_rates_of_its_schedule(schedule):
    net, by_hand = new_net(), new_net()
    history = net.fit(X, Y, 16, 6, schedule=schedule, validation=(X, Y))
    assert history.lr == rates(as_schedule(schedule), 6, 0.2, history.val_loss)
    for lr in history.lr:
        by_hand.lr = lr
        assert by_hand.fit(X, Y, 16, 1).lr == [lr]
    np.testing.assert_array_equal(net.W1, by_hand.W1)
    assert net.lr == 0.2


def test_without_a_schedule_the_rate_is_that_of_the_net():
    for schedule in (None, "constant"):
        assert new_net().fit(X, Y, 16, 3, schedule=schedule).lr == [0.2] * 3


def test_a_callback_may_set_the_rate_that_a_schedule_goes_by():
    net = new_net()

    def halve(_epoch, _history):
        net.lr /= 2

    assert net.fit(X, Y, 16, 3, callback=halve).lr == pytest.approx([0.2, 0.1, 0.05])
    assert net.fit(X, Y, 16, 2, callback=halve, schedule=StepDecay(1, 0.1)).lr == pytest.approx([0.025, 0.00125])


def test_names():
    assert [as_schedule(name) for name in SCHEDULES] == [None, StepDecay(), CosineDecay(), ReduceOnPlateau()]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: as_schedule("linear"), InvalidValueError, "'linear'; it must be one of constant, step"),
        (lambda: as_schedule(0.1), InvalidTypeError, "schedule is 0.1; it must be a name or a StepDecay"),
        (lambda: StepDecay(0), InvalidValueError, "every is 0; it must be at least 1"),
        (lambda: StepDecay(factor=1), InvalidValueError, "factor is 1; it must lie between 0 and 1"),
        (lambda: StepDecay(factor=0), InvalidValueError, "factor is 0"),
        (lambda: CosineDecay(-1), InvalidValueError, "warmup is -1"),
        (lambda: CosineDecay(1.5), InvalidTypeError, "warmup is 1.5; it must be a whole number"),
        (lambda: ReduceOnPlateau(patience=0), InvalidValueError, "patience is 0"),
        (lambda: ReduceOnPlateau(min_gain=-1), InvalidValueError, "min_gain is -1"),
        (lambda: ReduceOnPlateau(lowest="0"), InvalidTypeError, "lowest is '0'"),
        (lambda: new_net().fit(X, Y, 16, 3, schedule=CosineDecay(3)), InvalidValueError, "warmup is 3 of 3 epochs"),
        (lambda: new_net().fit(X, Y, schedule="plateau"), InvalidValueError, "validation loss: give validation too"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(make, error, says):
    with pytest.raises(error, match=says):
        make()

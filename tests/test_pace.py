"""How many threads train: fewer while other programs keep some from running, and all again when they are gone."""

import itertools

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine import pace, packed, training
from fastmlp.engine.pace import Pace
from fastmlp.engine.settings import default_threads
from fastmlp.errors import InvalidValueError
from fastmlp.kernels.team import run_team
from fastmlp.machine import available_processors


def train(pace, speeds, running, stretches):
    """Record stretches of 0.1 s whose speed and whose share of running time depend on the number of threads."""
    used = []
    for _ in range(stretches):
        used.append(pace.threads)
        pace.record(round(speeds[pace.threads] / 10), 0.1, running[pace.threads] * 0.1 * pace.threads)
    return used


def test_at_rest_all_threads_run():
    assert set(train(Pace(4), {4: 1000}, {4: 0.99}, 50)) == {4}


def test_fewer_threads_are_kept_where_they_are_faster():
    used = train(Pace(2), {2: 300, 1: 500}, {2: 0.6, 1: 0.7}, 60)
    assert used[:3] == [2, 1, 1]
    assert used.count(2) <= 12  # it looks now and then whether the machine is free again


def test_all_threads_are_kept_where_fewer_are_slower():
    used = train(Pace(2), {2: 600, 1: 500}, {2: 0.6, 1: 0.7}, 60)
    assert used.count(1) <= 12


def test_all_threads_come_back_when_the_machine_is_free_again():
    pace = Pace(8)
    train(pace, {8: 100, 4: 200, 2: 400, 1: 300}, {8: 0.3, 4: 0.5, 2: 0.9, 1: 0.9}, 40)
    assert pace.threads <= 4
    assert train(pace, {8: 4000, 4: 2000, 2: 1000, 1: 500}, dict.fromkeys((1, 2, 4, 8), 1), 40)[-1] == 8


def test_short_stretches_say_nothing():
    pace = Pace(2)
    for _ in range(20):
        pace.record(10, 0.001, 0.0005)
    assert pace.threads == 2


def test_a_stretch_is_whole_batches_or_all_that_is_left():
    pace = Pace(1)
    assert pace.stretch(100_000, 128) % 128 == 0
    pace.record(60_000, 0.2, 0.2)
    assert pace.stretch(60_000, 128) == 29_952
    assert pace.stretch(30_048, 128) == 30_048


@pytest.mark.parametrize("density", [0.2, 1.0])
def test_stretches_and_changing_threads_change_no_bit(density, monkeypatch):
    rng = np.random.default_rng(0)
    X = (rng.random((300, 20)) * (rng.random((300, 20)) < density)).astype(np.float32)
    y = rng.integers(0, 3, 300)

    def trained():
        net = NeuralNetwork(40, input_size=20, output_size=3, seed=0, n_threads=3)
        history = net.fit(X, y, 32, 3)
        return [a.tobytes() for a in (net.W1, net.b1, net.W2, net.b2)], history.loss, history.accuracy

    whole = trained()
    changing = itertools.cycle([1, 3, 2])
    seen = []

    class Restless(Pace):
        def stretch(self, left, batch_size):
            self.threads = min(next(changing), self._most)
            seen.append(self.threads)
            return min(left, batch_size)

    monkeypatch.setattr(packed, "available_processors", lambda: 3)
    monkeypatch.setattr(training, "Pace", Restless)
    assert trained() == whole
    assert len(seen) == 3 * 10
    assert len(set(seen)) > 1


def test_no_more_threads_than_processors(monkeypatch):
    monkeypatch.setattr(packed, "available_processors", lambda: 1)
    most = []
    monkeypatch.setattr(training, "Pace", lambda n: most.append(n) or pace.Pace(n))
    NeuralNetwork(100, input_size=2, output_size=2, n_threads=16, seed=0).fit(np.eye(2), [0, 1], 2, 1)
    assert most == [1]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, available_processors()),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "64"}, 1),
        ({"OMP_NUM_THREADS": "1,2"}, 1),
        ({"OMP_NUM_THREADS": "many"}, available_processors()),
        ({"OMP_NUM_THREADS": "0"}, 1),
        ({"FASTMLP_NUM_THREADS": "7", "OMP_NUM_THREADS": "1"}, 7),
        ({"FASTMLP_NUM_THREADS": ""}, available_processors()),
    ],
)
def test_threads_that_the_environment_asks_for(variables, expected, monkeypatch):
    for name in ("FASTMLP_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_threads() == expected


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused(value, monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", value)
    with pytest.raises(InvalidValueError, match=r"FASTMLP_NUM_THREADS is .*set it to a whole number"):
        NeuralNetwork(2, input_size=1, output_size=2).fit([[0], [1]], [0, 1])


def test_little_work_is_done_before_other_threads_would_have_begun():
    pace = Pace(2)
    assert not pace.is_quick(1)  # nobody knows yet
    pace.record(1000, seconds=0.5, running_seconds=0.002)  # 2 us a sample, whatever it waited for
    assert pace.is_quick(400) and not pace.is_quick(600)


def test_short_epochs_run_in_the_thread_that_calls(monkeypatch):
    teams = []
    monkeypatch.setattr(
        training, "run_team", lambda size, work, *, inline=True: teams.append((size, inline)) or run_team(size, work)
    )
    X, Y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    NeuralNetwork(8, input_size=4, output_size=3, seed=0).fit(X, Y, 30, 20)
    assert teams[-1] == (1, True) and teams.count((1, True)) > 10

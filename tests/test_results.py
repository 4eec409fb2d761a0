"""The rows of a comparison: what is computed from the runs."""

import pytest
from sample_comparison import four_nets, run_of

from fastmlp.comparison.results import make_row


@pytest.fixture
def results():
    return four_nets()


def test_stall_in_an_epoch_stands_in_the_time_and_not_in_the_ratio():
    ours, other = run_of(0.5), run_of(1.0)
    for run, seconds in ((ours, [0.5, 1.0, 0.5]), (other, [1.0, 2.0, 50.0])):  # the second epoch is slow for both
        run["history"] |= {"seconds": seconds, "val_accuracy": [0.9, 0.9, 0.9]}
        run["train_seconds"] = sum(seconds)
    row = make_row("numpy", 0.5, [other], [{"fastmlp": ours, "numpy": other}])
    assert row["train_seconds"] == 53 and row["ratio"] == 2


def test_ratio_is_taken_within_a_round(results):
    numpy = results["results"][1]
    assert numpy["ratio"] == pytest.approx(2.0)  # of 2, 2.2, 1.8; the slow round of both does not count
    low, high = numpy["spread"]["ratio"]
    assert 1.3 < low < 1.4 and 2.8 < high < 3.0  # of two nets with three repeats: t is 3.5 with 4 degrees of freedom
    ours, failed = results["results"][0], results["results"][3]
    assert ours["spread"]["ratio"] is None and len(ours["spread"]["train_seconds"]) == 2 and "spread" not in failed
    assert numpy["seconds_to_accuracy"] == {"0.95": pytest.approx(0.2), "0.97": pytest.approx(0.4), "0.975": None}


def test_net_that_computes_something_else_has_no_ratio(results):
    jax = results["results"][2]
    assert jax["ratio"] is None and jax["parity"] == {"loss": 0.6, "relative": pytest.approx(0.2), "passed": False}

"""Intervals for one more repeat: Student's t, on logarithms, for all groups at once."""

import numpy as np
import pytest

from fastmlp.comparison.intervals import intervals, t_quantile


def test_t_quantiles_are_those_of_the_tables():
    table = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 6: 2.4469, 9: 2.2622, 10: 2.2281, 30: 2.0423}
    for freedom, expected in table.items():
        assert t_quantile(freedom) == pytest.approx(expected, abs=1e-4)
    assert t_quantile(4, 0.99) == pytest.approx(4.6041, abs=1e-4)


def test_intervals_are_on_logarithms():
    [[low, high]] = intervals([[1.0, 2.0, 4.0]])
    assert low * high == pytest.approx(4)  # symmetric about the geometric mean
    assert high / 2 == pytest.approx(np.exp(4.3027 * np.log(2) * np.sqrt(1 + 1 / 3)), rel=1e-4)
    assert intervals([[3.0], [4.0]]) is None
    assert intervals([[3.0, 3.0]]) == [pytest.approx([3, 3])]


def test_intervals_share_their_scatter():
    apart, alike, single = intervals([[1.0, 2.0], [5.0, 5.0], [3.0]])
    # s = log 2 / 2 with two degrees of freedom; t is 7.6488 for 0.05 / 3
    half = 7.6488 * np.log(2) / 2
    assert apart[1] / np.sqrt(2) == pytest.approx(np.exp(half * np.sqrt(3 / 2)), rel=1e-4)
    assert alike[1] / 5 == pytest.approx(np.exp(half * np.sqrt(3 / 2)), rel=1e-4)
    assert single[1] / 3 == pytest.approx(np.exp(half * np.sqrt(2)), rel=1e-4)


def test_intervals_hold_the_next_value_of_all_groups_in_19_of_20():
    rng = np.random.default_rng(0)
    hits = 0
    for values in np.exp(rng.normal(0.5, 0.3, (2000, 6, 4))):
        found = intervals(values[:, :3].tolist())
        hits += all(low <= following <= high for (low, high), following in zip(found, values[:, 3], strict=True))
    assert 0.94 < hits / 2000 < 0.96

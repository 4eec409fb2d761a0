"""Rows held back for testing; through `load_files` they are tried in test_files.py."""

import numpy as np
import pytest

from fastmlp.datasets.split import split


def test_both_parts_are_all_rows_and_the_seed_chooses():
    y = np.arange(90) % 3
    kept, held_back = split(y, 0.2, seed=0)
    assert sorted([*kept, *held_back]) == list(range(90))
    assert np.bincount(y[held_back]).tolist() == [6, 6, 6]
    assert held_back.tolist() == split(y, 0.2, seed=0)[1].tolist() != split(y, 0.2, seed=1)[1].tolist()


def test_nothing_to_hold_back():
    with pytest.warns(UserWarning, match="no class has a second row"):
        kept, held_back = split(np.arange(3), 0.5, seed=0)
    assert kept.tolist() == held_back.tolist() == [0, 1, 2]

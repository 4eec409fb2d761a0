"""A few of the trials of `trials.py`: trainings that are killed or interrupted at random times."""

import os

import pytest
import trials

pytestmark = [pytest.mark.long, pytest.mark.skipif(not hasattr(os, "fork"), reason="the trials fork")]


def test_killed_at_random_times(tmp_path):
    seen = trials.kill(trials.small_training(tmp_path, 10), tmp_path, 10, longest=1.0)
    assert seen["killed"] > 0


def test_interrupted_at_random_times(tmp_path):
    seen = trials.interrupt(trials.small_training(tmp_path, 10), tmp_path, 30, longest=0.5)
    assert seen["interrupted"] > 0

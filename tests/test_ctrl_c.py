"""Ctrl-C in the command line: several presses are one, and one that Python loses is raised again."""

import signal
import time

import pytest

from fastmlp.commands.ctrl_c import each_press_counted_once


class Dying:
    """An object that is interrupted while it dies, where Python can only say so."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def interrupted_while_something_dies():
    dying = Dying()
    del dying
    for _ in range(500):
        time.sleep(0.01)


def test_one_that_is_lost_is_raised_again():
    with each_press_counted_once(), pytest.raises(KeyboardInterrupt):
        interrupted_while_something_dies()


def test_several_within_half_a_second_are_one():
    with each_press_counted_once():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.55)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with each_press_counted_once():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before

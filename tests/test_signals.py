"""Signals in the command line: several Ctrl-C are one, and a signal that Python loses is raised again."""

import signal
import time

import pytest

from fastmlp.commands.signals import each_press_counted_once, ended_tidily


class Dying:
    """An object that gets a signal while it dies, where Python can only report what the handler raises."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


def wait_while_something_dies(number):
    dying = Dying(number)
    del dying
    for _ in range(500):
        time.sleep(0.01)


def test_one_that_is_lost_is_raised_again():
    with each_press_counted_once(), pytest.raises(KeyboardInterrupt):
        wait_while_something_dies(signal.SIGINT)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_that_is_lost_is_raised_again(name):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with each_press_counted_once(), ended_tidily(), pytest.raises(SystemExit) as ended:
            wait_while_something_dies(number)
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number


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

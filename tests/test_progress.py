"""Progress: lines in a file, a bar in a terminal, a bar with curves in a notebook; left as it should be at any end."""

import os
import re
import signal
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Dataset, DivergenceError, NeuralNetwork, Parts, ProgressBar, TrainingSession, progress
from fastmlp.contenders import numpy_net
from fastmlp.engine.watching import Watched, Watcher

ROOT = Path(__file__).parents[1]
X, Y = np.eye(4, dtype=np.float32), np.arange(4)
DATA = Dataset(X, Y, X, Y, name="tiny")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


def net():
    return NeuralNetwork(hidden_size=3, input_size=4, output_size=4, seed=0)


def press(epoch, _history):
    if epoch == 2:
        raise KeyboardInterrupt


# --- Who tells a watcher ----------------------------------------------------------------------------------------------


class Noted(Watcher):
    """Notes what it is told."""

    def __init__(self, answer=None, error=None):
        self.notes, self.answer, self.error = [], answer, error

    def start(self, epochs, samples, done=0):
        self.notes.append(("start", epochs, samples, done))

    def __call__(self, epoch, history):
        self.notes.append((epoch, len(history.loss)))
        if self.error is not None:
            raise self.error
        return self.answer

    def stop(self):
        self.notes.append("stop")


def test_fit_tells_of_beginning_and_end():
    noted = Noted()
    net().fit(X, Y, number_epochs=2, batch_size=2, callback=noted)
    assert noted.notes == [("start", 2, 4, 0), (1, 1), (2, 2), "stop"]


def test_fit_on_parts_counts_all_samples():
    noted = Noted()
    net().fit(
        Parts.of_arrays(np.vstack([X, X[:3]]), [0, 1, 2, 3, 0, 1, 2], 4), number_epochs=1, batch_size=2, callback=noted
    )
    assert noted.notes == [("start", 1, 7, 0), (1, 1), "stop"]


def test_a_session_tells_of_the_epochs_before():
    noted, session = Noted(), TrainingSession(net(), DATA, batch_size=2)
    session.train(1)
    session.train(3, callback=noted)
    assert noted.notes == [("start", 3, 4, 1), (2, 2), (3, 3), "stop"]
    session.train(3, callback=noted)  # nothing is left to be done
    assert len(noted.notes) == 4


def test_a_session_with_another_net_tells_too():
    noted = Noted()
    other = numpy_net.NeuralNetwork(hidden_size=3, input_size=4, output_size=4, seed=0)
    TrainingSession(other, DATA, batch_size=2).train(1, callback=noted)
    assert noted.notes == [("start", 1, 4, 0), (1, 1), "stop"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), SystemExit()])
def test_the_end_is_told_whatever_ended_it(error):
    noted = Noted(error=error)
    with pytest.raises(type(error)):
        net().fit(X, Y, number_epochs=3, batch_size=2, callback=noted)
    assert noted.notes == [("start", 3, 4, 0), (1, 1), "stop"]


def test_the_end_is_told_after_divergence_and_of_a_callback_that_ends_it():
    noted, wild = Noted(), net()
    wild.lr = 1e30
    with pytest.raises(DivergenceError):
        wild.fit(X, Y, number_epochs=3, batch_size=2, callback=noted)
    assert noted.notes == [("start", 3, 4, 0), "stop"]
    noted = Noted(answer=True)
    assert len(net().fit(X, Y, number_epochs=3, batch_size=2, callback=noted).loss) == 1
    assert noted.notes[-1] == "stop"


def test_a_start_that_fails_is_ended_too():
    class Failing(Noted):
        def start(self, epochs, samples, done=0):
            raise KeyboardInterrupt

    failing = Failing()
    with pytest.raises(KeyboardInterrupt), Watched(failing, 1, 1):
        pass
    assert failing.notes == ["stop"]


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
def test_ctrl_c_does_not_break_off_the_end():
    ended = []

    class Slow(Noted):
        def stop(self):
            signal.raise_signal(signal.SIGINT)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        net().fit(X, Y, number_epochs=1, batch_size=2, callback=Slow())
    assert ended == [True]


def test_what_only_looks_like_a_watcher_is_left_alone():
    class Timer:
        def start(self):
            raise AssertionError

        stop = start

        def __call__(self, epoch, history):
            pass

    net().fit(X, Y, number_epochs=1, batch_size=2, callback=Timer())


def test_the_bar_changes_no_bit(capsys):
    watched, alone = net(), net()
    watched.fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar())
    alone.fit(X, Y, number_epochs=3, batch_size=2)
    np.testing.assert_array_equal(watched.W1, alone.W1)


# --- Lines ------------------------------------------------------------------------------------------------------------


def test_lines_in_a_file(capsys):
    history = net().fit(X, Y, number_epochs=2, batch_size=2, callback=ProgressBar())
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert re.fullmatch(rf"epoch 1/2: loss {history.loss[0]:.4f}, accuracy 0\.\d{{4}}, [\d,]+ samples/s", first)
    assert second.startswith("epoch 2/2: loss ")


def test_lines_say_where_the_rate_changes(capsys):
    net().fit(X, Y, number_epochs=2, batch_size=2, schedule="cosine", callback=ProgressBar())
    first, second = capsys.readouterr().err.splitlines()
    assert "lr now" not in first and second.endswith(", lr now 0.05")


def test_another_callback_goes_with_the_bar(capsys):
    seen = []

    def watch(epoch, history):
        seen.append((epoch, history.loss[-1]))
        return epoch == 2

    history = net().fit(X, Y, number_epochs=5, batch_size=2, callback=ProgressBar(watch))
    assert seen == [(1, history.loss[0]), (2, history.loss[1])]
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_bar_that_a_function_calls_shows_what_it_knows(capsys):
    bar = ProgressBar()
    net().fit(X, Y, number_epochs=1, batch_size=2, callback=lambda epoch, history: bar(epoch, history))
    assert re.fullmatch(r"epoch 1: loss 1\.\d{4}, accuracy 0\.\d{4}\n", capsys.readouterr().err)


def test_a_bar_can_be_used_again(capsys):
    bar, trained = ProgressBar(), net()
    with pytest.raises(KeyboardInterrupt):
        trained.fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar(press))
    trained.fit(X, Y, number_epochs=2, batch_size=2, callback=bar)
    trained.fit(X, Y, number_epochs=1, batch_size=2, callback=bar)
    starts = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert starts == ["epoch 1/3", "epoch 2/3", "epoch 1/2", "epoch 2/2", "epoch 1/1"]


# --- Terminal ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes what it prints to for a terminal then
    monkeypatch.setenv("COLUMNS", "120")


def test_a_bar_in_a_terminal(terminal, capsys):
    net().fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar())
    err = capsys.readouterr().err
    text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", err)
    assert re.search(r"epoch 3/3 .*loss \d\.\d{4}, accuracy", text)
    assert err.rindex(SHOW) > err.rindex(HIDE)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_cursor_is_back_after_an_error(terminal, capsys, error):
    def fail(epoch, _history):
        raise error

    with pytest.raises(error):
        net().fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar(fail))
    err = capsys.readouterr().err
    assert err.rindex(SHOW) > err.rindex(HIDE)


# --- Notebook ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch):
    """What a notebook without a kernel was told to show: the contents of its one output, one after the other."""
    contents = []

    class Handle:
        def update(self, content, raw):
            assert raw
            contents.append(content)

    def display(content, raw, display_id):
        assert raw and display_id
        contents.append(content)
        return Handle()

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module = types.ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return contents


def test_a_notebook_has_a_bar_and_curves(shown, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)
    net().fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar())
    texts = [content["text/plain"] for content in shown]
    assert texts[0] == "epoch 0 of 3: compiling or loading the kernels"
    assert [text[:12] for text in texts] == [f"epoch {k} of 3" for k in (0, 1, 2, 3, 3)]
    assert re.search(r", 0:00:\d\d left$", texts[2]) and "left" not in texts[1] and "left" not in texts[-1]
    code = [content["text/html"] for content in shown]
    assert '<progress value="0" max="3"' in code[0] and "<svg" not in code[0]
    assert '<progress value="3" max="3"' in code[-1] and code[-1].count("<svg") == 2
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_not_flooded_and_ends_with_the_last_epoch(shown, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 3600)
    net().fit(X, Y, number_epochs=500, batch_size=2, callback=ProgressBar())
    assert len(shown) == 2
    assert shown[-1]["text/plain"].startswith("epoch 500 of 500: loss ")


def test_a_notebook_says_that_it_was_stopped(shown):
    with pytest.raises(KeyboardInterrupt):
        net().fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar(press))
    assert shown[-1]["text/plain"].startswith("stopped after epoch 2 of 3: loss ")
    wild = net()
    wild.lr = 1e30
    with pytest.raises(DivergenceError):
        wild.fit(X, Y, number_epochs=3, batch_size=2, callback=ProgressBar())
    assert shown[-1]["text/plain"] == "stopped before the end of an epoch"


def test_a_session_in_a_notebook_goes_on_where_it_was(shown):
    session = TrainingSession(net(), DATA, batch_size=2)
    session.train(2)
    session.train(3, callback=ProgressBar())
    assert shown[0]["text/plain"].startswith("epoch 2 of 3")
    assert shown[-1]["text/plain"].startswith("epoch 3 of 3")
    assert "validation" in shown[-1]["text/html"]


def test_hours_that_are_left(shown, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def an_hour(epoch, _history):
        now[0] += 3601

    net().fit(X, Y, number_epochs=4, batch_size=2, callback=ProgressBar(an_hour))
    assert shown[2]["text/plain"].endswith(", 2:00:02 left")


@pytest.mark.parametrize("ipython", [None, types.SimpleNamespace()], ids=["no shell", "a terminal's shell"])
def test_ipython_without_a_kernel_is_no_notebook(ipython, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: ipython)
    net().fit(X, Y, number_epochs=1, batch_size=2, callback=ProgressBar())
    assert shown == []
    assert capsys.readouterr().err.startswith("epoch 1/1: ")


CELLS = (
    """
import numpy as np
from fastmlp import NeuralNetwork, ProgressBar
X, y = np.eye(4), np.arange(4)
net = NeuralNetwork(hidden_size=3, input_size=4, output_size=4, seed=0)
net.class_names = ["<script>", "b", "c", "d"]
net
""",
    "history = net.fit(X, y, number_epochs=50, batch_size=2, callback=ProgressBar())",
    "history",
    """
import os, signal
def press(epoch, history):
    if epoch == 3:
        signal.raise_signal(signal.SIGINT)
try:
    net.fit(X, y, number_epochs=50, batch_size=2, callback=ProgressBar(press))
except KeyboardInterrupt:
    print("interrupted")
""",
    "net.fit(X, y, number_epochs=2, batch_size=2, callback=ProgressBar()).loss[-1] < history.loss[0]",
)


@pytest.mark.filterwarnings("default")  # of Jupyter's own libraries
def test_a_real_notebook():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.strip()) for code in CELLS])
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown, watched, history, stopped, again = (cell.outputs for cell in notebook.cells)
    assert "&lt;script&gt;" in shown[0].data["text/html"]
    (bar,) = watched  # one output, however often it was written again, and nothing on stderr
    assert bar.data["text/plain"].startswith("epoch 50 of 50: loss ")
    assert '<progress value="50" max="50"' in bar.data["text/html"] and bar.data["text/html"].count("<svg") == 2
    assert history[0].data["text/html"].count("<svg") == 2
    assert stopped[0].data["text/plain"].startswith("stopped after epoch 3 of 50: ")
    assert stopped[1].text == "interrupted\n"
    assert [output.output_type for output in again] == ["display_data", "execute_result"]
    assert again[1].data["text/plain"] == "True"

"""A run of a contender: its process, its turns, and what it gives."""

import os
import signal
import threading

import pytest
from runs import FASTMLP, NUMPY, tiny, write_fake

from fastmlp.comparison.run import ContenderRun, RunFailedError
from fastmlp.comparison.spec import WEIGHTS, RunSpec, save_arrays
from fastmlp.network import NeuralNetwork


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Make the spec of a run on tiny data, from the weights of our net; its module may lie in `tmp_path`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    data, net = tiny(), NeuralNetwork(4, input_size=3, output_size=2, seed=5)
    save_arrays(tmp_path, {name: getattr(data, name) for name in ("x_train", "y_train", "x_test", "y_test")})
    save_arrays(tmp_path, {name: getattr(net, name) for name in WEIGHTS})
    sizes = {"hidden_size": 4, "input_size": 3, "output_size": 2}
    settings = {"lr": 0.1, "seed": 5, "threads": 1, "batch_size": 16, "epochs": 1}
    folders = {"data": str(tmp_path), "weights": str(tmp_path)}
    return lambda module, **changes: RunSpec(module, **(sizes | settings | folders | changes))


def result_of(spec):
    with ContenderRun(spec, 60) as run:
        while (result := run.epoch()) is None:
            pass
    return result


def test_result_comes_with_the_last_epoch(spec):
    with ContenderRun(spec(FASTMLP, epochs=3), 60) as run:
        assert run.epoch() is None
        assert run.epoch() is None
        so_far = run.said
        result = run.epoch()
        assert run._process.poll() is not None
    assert {len(values) for values in result["history"].values()} == {3}
    assert result["train_seconds"] == pytest.approx(sum(result["history"]["seconds"]))
    assert result["test_loss"] == result["history"]["val_loss"][-1]
    assert result["parity_loss"] is None
    assert so_far["test_accuracy"] == result["history"]["val_accuracy"][1]
    assert so_far["train_seconds"] == pytest.approx(sum(result["history"]["seconds"][:2]))


def test_run_is_ended_once_it_is_stopped(spec, tmp_path):
    stopped = threading.Event()
    module = write_fake(tmp_path, "import time; time.sleep(60)")
    with ContenderRun(spec(module), 60, stopped.is_set) as run:
        threading.Timer(0.3, stopped.set).start()
        with pytest.raises(RunFailedError, match=r"it was stopped$"):
            run.epoch()
        assert run._process.poll() is not None


@pytest.mark.parametrize("module", [FASTMLP, NUMPY])
def test_order_is_that_of_the_data_where_the_spec_says_so(spec, module):
    in_order = result_of(spec(module, shuffle=False, parity=True))
    assert in_order["history"]["loss"] == [in_order["parity_loss"]]
    shuffled = result_of(spec(module, parity=True))
    assert shuffled["history"]["loss"] != [shuffled["parity_loss"]]
    assert shuffled["parity_loss"] == in_order["parity_loss"]


@pytest.mark.skipif(os.name != "posix", reason="the end of a pipe is POSIX's")
def test_run_that_nobody_listens_to_ends(spec):
    with ContenderRun(spec(NUMPY, epochs=3), 60) as run:
        assert run.epoch() is None
        run._process.stdin.close()
        assert run._process.wait(30) == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not pin processes")
def test_run_has_its_threads_and_processors(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    names = "('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')"
    body = f"raise ValueError([os.sched_getaffinity(0), *(os.environ.get(n) for n in {names})])"
    processor = max(os.sched_getaffinity(0))
    with (
        ContenderRun(spec(write_fake(tmp_path, body), processors=[processor]), 60) as run,
        pytest.raises(RunFailedError) as failure,
    ):
        run.epoch()
    assert str(failure.value) == f"ValueError: [{{{processor}}}, '1', '1', None, None]"


def test_files_of_the_current_folder_are_not_imported(spec, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "numpy.py").write_text("raise ImportError('not this one')", encoding="utf-8")
    monkeypatch.chdir(folder)
    assert result_of(spec(NUMPY))["train_seconds"] > 0

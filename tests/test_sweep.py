"""`fastmlp sweep`: the same results whoever trains the nets, and nothing lost where some fail or Ctrl-C comes."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork
from fastmlp.cli import main
from fastmlp.commands.options import HIDDEN_SIZE
from fastmlp.commands.training_options import several
from fastmlp.datasets import load_files
from fastmlp.engine.inputs import as_inputs
from fastmlp.engine.optimizers import SGD
from fastmlp.errors import FastmlpError
from fastmlp.training_record import Recipe

ROOT = Path(__file__).parents[1]
TIMES = ("train_seconds", "compile_seconds", "seconds")
GRID = ("--hidden-size", "5,9", "--lr", "0.1,0.5", "--epochs", 4)


@pytest.fixture
def table(tmp_path):
    """A file of 210 samples of 6 numbers in three classes."""
    rng = np.random.default_rng(3)
    x = rng.random((210, 6)).astype(np.float32)
    path = tmp_path / "small.npz"
    np.savez(path, x=x, y=x[:, :3].argmax(1))
    return path


def run(*args):
    return CliRunner().invoke(main, ["sweep", *map(str, args)])


def swept(*args):
    """The results of a sweep that is done."""
    pytest.importorskip("joblib")
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def without_times(row):
    kept = {name: value for name, value in row.items() if name not in TIMES}
    return kept | {"history": {name: value for name, value in row["history"].items() if name not in TIMES}}


def new_sweep(table, lrs=(0.1, 0.5), **options):
    pytest.importorskip("joblib")
    from fastmlp.sweep import Sweep, SweepPlan

    recipe = Recipe.checked(16, 3, validation_fraction=0.1)
    return Sweep(SweepPlan([5], lrs, recipe, epochs=2, optimizer=SGD(), seed=0), load_files(table), **options)


def test_each_setting_has_a_row_in_the_order_of_the_grid(table, tmp_path):
    results = swept("--dataset", table, *GRID, "--jobs", 1, "--output", tmp_path / "results.json")
    assert (results["schema"], results["kind"], results["complete"]) == (1, "sweep", True)
    parameters = results["parameters"]
    assert (parameters["hidden_sizes"], parameters["lrs"], parameters["optimizer"]) == ([5, 9], [0.1, 0.5], "sgd")
    assert parameters["validation_fraction"] == 0.1
    rows = results["results"]
    assert [(row["hidden_size"], row["lr"]) for row in rows] == [(5, 0.1), (5, 0.5), (9, 0.1), (9, 0.5)]
    for row in rows:
        assert row["epochs"] == len(row["history"]["loss"]) == 4
        assert row["val_accuracy"] == row["history"]["val_accuracy"][-1]
        assert row["train_seconds"] == pytest.approx(sum(row["history"]["seconds"]))
    best = results["best"]
    assert best["val_accuracy"] == max(row["val_accuracy"] for row in rows)
    assert 0 < best["test_accuracy"] <= 1
    assert results["data"] == {"name": "small.npz", "n_train": 162, "n_validation": 18, "n_test": 30}
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results


def test_the_number_of_nets_at_a_time_changes_no_bit(table, monkeypatch):
    monkeypatch.setattr("fastmlp.sweep.sweep.available_processors", lambda: 4)  # a machine may have one
    one, two = (swept("--dataset", table, *GRID, "--jobs", jobs) for jobs in (1, 2))
    assert (one["parameters"]["jobs"], two["parameters"]["jobs"]) == (1, 2)
    assert [without_times(row) for row in one["results"]] == [without_times(row) for row in two["results"]]
    assert one["best"] == two["best"]


def test_a_net_is_the_one_that_train_trains(table):
    """With the same part held back: so the best setting can be trained again, and saved."""
    options = ["--dataset", table, "-e", 6, "--early-stopping", "--patience", 2, "--l2", 0.01, "--seed", 3]
    (row,) = swept(*options, "-H", 7, "--lr", 0.5)["results"]
    trained = CliRunner().invoke(main, ["train", *map(str, options), "-H", "7", "--lr", "0.5", "--json"])
    history = json.loads(trained.stdout)["results"]["history"]
    assert (row["history"]["loss"], row["history"]["val_loss"]) == (history["loss"], history["val_loss"])
    assert row["best_epoch"] == history["best_epoch"]
    assert row["val_loss"] == min(history["val_loss"])


def test_the_test_set_is_measured_once_by_the_best(table, monkeypatch):
    scored = []
    score = NeuralNetwork.score
    monkeypatch.setattr(NeuralNetwork, "score", lambda net, X, y: scored.append((net, len(X))) or score(net, X, y))
    best = swept("--dataset", table, *GRID, "--jobs", 1)["best"]
    ((net, n),) = scored
    assert (net.hidden_size, net.lr, n) == (best["hidden_size"], best["lr"], 30)


def test_a_setting_that_diverges_is_a_row(table):
    pytest.importorskip("joblib")
    args = ["--dataset", table, "-H", "5", "--lr", "1e30,0.1", "-e", 2, "--jobs", 1]
    first, second = swept(*args)["results"]
    assert set(first) == {"hidden_size", "lr", "error"}
    assert re.match(r"training diverged in epoch 1: .* 1e\+30; try a smaller lr", first["error"])
    assert "error" not in second
    shown = run(*args).stdout
    assert re.search(r"5 │ 1e\+30 │ +failed", shown)
    assert "5 hidden units, lr 1e+30: training diverged" in shown
    assert re.search(r"Best: 5 hidden units, lr 0.1: test accuracy 0\.\d{4}, test loss \d\.\d{4}\n", shown)
    bad, good = csv.DictReader(io.StringIO(run(*args, "--csv").stdout))
    assert (bad["error"], bad["val_accuracy"], bad["test_accuracy"]) == (first["error"], "", "")
    assert (float(good["val_accuracy"]), good["error"]) == (second["val_accuracy"], "")
    assert float(good["test_accuracy"]) > 0


def test_where_all_diverge_it_has_failed(table, tmp_path):
    pytest.importorskip("joblib")
    picture = tmp_path / "sweep.svg"
    result = run("--dataset", table, "-H", 5, "--lr", "1e30", "-e", 1, "--json")
    assert result.exit_code == 1
    results = json.loads(result.stdout)
    assert (results["best"], results["complete"], len(results["results"])) == (None, True, 1)
    assert not picture.exists()


def test_results_come_one_by_one_and_are_written_whole(table, tmp_path, monkeypatch):
    path, seen = tmp_path / "results.json", []
    from fastmlp.commands.progress import SweepReporter

    row = SweepReporter.row

    def spy(reporter, *args):
        seen.append(len(json.loads(path.read_bytes())["results"]) if path.exists() else 0)
        row(reporter, *args)

    monkeypatch.setattr(SweepReporter, "row", spy)
    results = swept("--dataset", table, *GRID, "--jobs", 1, "--output", path)
    assert seen == [0, 1, 2, 3]
    assert json.loads(path.read_bytes()) == results


def test_progress_is_on_stderr(table):
    pytest.importorskip("joblib")
    result = run("--dataset", table, *GRID, "--jobs", 1)
    assert "4 nets on small.npz, 162 samples: 1 at a time" in result.stderr
    assert re.search(r"^4/4: 9 hidden units, lr 0.5: validation accuracy \d\.\d{4}, \d\.\d\d s$", result.stderr, re.M)
    assert "4/4" not in result.stdout


def test_picture(table, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "sweep.svg"
    swept("--dataset", table, "-H", "5,9", "--lr", "0.1,1e30", "-e", 1, "--jobs", 1, "--plot", path)
    assert path.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--hidden-size", "5,,6"], "'' is not a valid integer"),
        (["--hidden-size", "0,5"], "0 is not in the range"),
        (["--lr", "0.1,fast"], "'fast' is not a valid float"),
        (["--lr", "0.1,0"], "--lr is 0"),
        (["--lr", "nan"], "--lr is nan"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "leave out --jobs"),
        (["--scheduler", "nowhere"], "--scheduler is 'nowhere'; it must be an address"),
        (["--json", "--csv"], "exclude each other"),
        (["--momentum", "0.5"], "--momentum belongs to --optimizer momentum"),
        (["--output", "."], "is a directory"),
        (["--schedule", "cosine", "--warmup", "20"], "warmup is 20 of 20 epochs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_wrong_usage(table, args, says):
    pytest.importorskip("joblib")
    result = run("--dataset", table, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("library", "args", "says"),
    [
        ("joblib", [], "a sweep needs joblib: pip install 'fastmlp[sklearn]'"),
        ("distributed", ["--scheduler", "tcp://127.0.0.1:1"], "needs distributed: pip install 'fastmlp[dask]'"),
    ],
)
def test_a_missing_library_is_named(table, monkeypatch, library, args, says):
    monkeypatch.setitem(sys.modules, library, None)
    result = run("--dataset", table, *args)
    assert result.exit_code == 1
    assert says in result.stderr


def test_lists_with_commas():
    assert several(HIDDEN_SIZE)(None, None, ("30,100", "7", " 30 ")) == (30, 100, 7)
    assert several(HIDDEN_SIZE)(None, None, (30, 128)) == (30, 128)


def test_no_more_threads_than_processors():
    pytest.importorskip("joblib")
    from fastmlp.sweep.sweep import share

    for processors in (1, 2, 3, 8):
        for jobs in (None, 1, 2, 5, 99):
            for threads in (None, 1, 2, 5, 99):
                at_a_time, each = share(jobs, threads, 9, processors)
                assert 1 <= at_a_time <= min(jobs or 99, 9)
                assert 1 <= each <= (threads or 99)
                assert at_a_time * each <= processors


def test_a_killed_process_gets_a_sentence_and_the_rows_stay(table, monkeypatch):
    sweep = new_sweep(table, lrs=[0.1 + k / 1000 for k in range(30)], jobs=1)
    sweep.jobs = 2

    def kill(row):
        from joblib.externals.loky import reusable_executor

        for process in list(reusable_executor._executor._processes):
            os.kill(process, signal.SIGTERM)

    with pytest.raises(FastmlpError, match="a process that trained a net was killed"):
        sweep.run(kill)
    assert 1 <= len(sweep.rows) < 30
    assert sweep.results()["best"] is None
    assert not sweep.results()["complete"]


def test_a_read_only_map_of_a_file_is_not_copied(tmp_path):
    """Which is how joblib hands on large arrays: each process would have a copy of its own."""
    X = np.random.default_rng(0).random((50, 6), np.float32)
    X.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    assert np.shares_memory(as_inputs("X", mapped, ndim=2), mapped)


def wait_until_gone(group):
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_the_results(table, tmp_path, jobs):
    """As a terminal sends it: to the workers too."""
    pytest.importorskip("joblib")
    path = tmp_path / "results.json"
    # With 0.5 the validation loss soon stalls; with 1e-4 it falls, in steps that a float32 shows, for longer than this.
    args = ["--dataset", table, "-H", "5", "--lr", "0.5,1e-4", "-e", 1_000_000, "--early-stopping", "--patience", 2]
    args += ["--jobs", jobs, "--output", path]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "sweep", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    for line in process.stderr:
        if line.startswith("1/2: "):
            break
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted after 1 of 2 nets; these are the results so far" in err
    assert "Traceback" not in err and "warning" not in err
    assert re.search(r"5 │ +0\.5 │ +\d\.\d{4}", out)
    results = json.loads(path.read_bytes())
    assert (len(results["results"]), results["complete"], results["best"]) == (1, False, None)
    assert wait_until_gone(process.pid)


COMPILED_BEFORE = """
import numpy as np, os, sys
from pathlib import Path
from fastmlp.datasets import load_files
from fastmlp.engine.optimizers import SGD
from fastmlp.sweep import Sweep, SweepPlan
from fastmlp.training_record import Recipe

def kept():
    return {path: path.stat().st_mtime_ns for path in Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc")}

if __name__ == "__main__":
    recipe = Recipe.checked(16, 3, validation_fraction=0.1)
    sweep = Sweep(SweepPlan([5, 40], [0.1, 0.2], recipe, 2, SGD(), 0), load_files(sys.argv[1]), jobs=2)
    sweep.jobs, sweep.threads = 4, 1
    sweep._compile(sweep._options)
    before = kept()
    assert before
    sweep.run(lambda row: None)
    assert len(sweep.rows) == 4
    new = [path.name for path, time in kept().items() if before.get(path) != time]
    assert new == [], new
"""


@pytest.mark.long  # compiles all in an empty cache
def test_what_the_workers_need_is_compiled_once(table, tmp_path):
    """Four that start at once write nothing to the cache: the process that started them had compiled it all."""
    pytest.importorskip("joblib")
    program = tmp_path / "program.py"
    program.write_text(COMPILED_BEFORE, encoding="utf-8")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, program, table], env=environment, check=True)


@pytest.mark.long  # as above, four times at once
def test_four_processes_on_an_empty_cache_do_not_disturb_each_other(table, tmp_path):
    args = ["train", "--dataset", table, "-H", 5, "-e", 2, "--threads", 1, "--json"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "fastmlp", *map(str, args)],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for _ in range(4)
    ]
    losses = [json.loads(process.communicate()[0])["results"]["history"]["loss"] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert losses == [losses[0]] * 4
    assert not list((tmp_path / "cache").rglob("*.tmp"))


DASK = """
import json, sys
from click.testing import CliRunner
from distributed import LocalCluster
from fastmlp.cli import main

if __name__ == "__main__":
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**local) as cluster:
        args = ["sweep", *sys.argv[1:], "--json", "--scheduler", cluster.scheduler_address]
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 0, result.output
        print(result.stdout)
"""


def swept_by_dask(tmp_path, *args, **environment):
    """The results of a sweep by two workers of Dask."""
    pytest.importorskip("distributed")
    program = tmp_path / "program.py"
    program.write_text(DASK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program, *map(str, args)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.long  # starts a scheduler and two workers
def test_workers_of_dask_give_the_same_results(table, tmp_path):
    there = swept_by_dask(tmp_path, "--dataset", table, *GRID)
    here = swept("--dataset", table, *GRID, "--jobs", 1)
    assert [without_times(row) for row in there["results"]] == [without_times(row) for row in here["results"]]
    assert there["best"] == here["best"]
    assert there["parameters"]["jobs"] == 2


def test_a_lost_scheduler_gets_a_sentence_and_the_rows_stay(table):
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    local = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    soon = dask.config.set({"distributed.comm.timeouts.connect": "1s"})  # for which the cluster waits at its end
    with soon, distributed.LocalCluster(**local) as cluster, cluster.get_client() as client:
        sweep = new_sweep(table, lrs=[0.1 + k / 1000 for k in range(30)], client=client)
        with pytest.raises(FastmlpError, match="the connection to the Dask scheduler is lost"):
            sweep.run(lambda row: cluster.sync(cluster.scheduler.close) if len(sweep.rows) == 2 else None)
    assert 2 <= len(sweep.rows) < 30
    assert not any("error" in row for row in sweep.rows.values())


KILLS = """
import os, signal
from fastmlp.sweep import worker

def new_net(task, input_size):
    if task.setting.lr == 0.25:
        os.kill(os.getpid(), signal.SIGKILL)
    return worker.killed_by(task, input_size)

if not hasattr(worker, "killed_by"):  # a worker loads this twice
    worker.killed_by, worker.new_net = worker.new_net, new_net
"""


@pytest.mark.long  # as above, and others in place of those that are killed
def test_a_setting_that_kills_the_workers_of_dask_is_a_row(table, tmp_path):
    (tmp_path / "kills.py").write_text(KILLS, encoding="utf-8")
    args = ["--dataset", table, "-H", 5, "--lr", "0.1,0.25,0.5,0.05", "-e", 2]
    environment = {
        "DASK_DISTRIBUTED__WORKER__PRELOAD": str([str(tmp_path / "kills.py")]),
        "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "5 minutes",
    }
    results = swept_by_dask(tmp_path, *args, **environment)
    errors = [row.get("error") for row in results["results"]]
    assert errors[1].startswith("4 Dask workers died one after the other at the same task")
    assert errors[:1] + errors[2:] == [None] * 3
    assert results["complete"] and results["best"]["test_accuracy"] > 0

"""The targets command: its verdicts, what it says where something is missing, and a trial of it."""

import json
import math
import os
import re
import shutil

import numpy as np
import pytest
import targets
from measurements import peers, setting, sharing, starting, values, yardstick
from measurements.values import Case, NotMeasuredError, Reading, Value, at_least, at_most

from fastmlp import Dataset
from fastmlp.kernels.probe import Probe
from fastmlp.machine import available_processors


@pytest.fixture
def data():
    """A few images of bytes, four of five pixels 0, that all nets can take."""
    rng = np.random.default_rng(0)
    X = (rng.integers(1, 256, (500, 784)) * (rng.random((500, 784)) < 0.2) / 255).astype(np.float32)
    y = rng.permutation(np.arange(500) % 10)
    return Dataset(X[:400], y[:400], X[400:], y[400:], "tiny")


@pytest.fixture
def trial(data, tmp_path, monkeypatch):
    """The setting of a trial on this data, which the command uses too."""
    monkeypatch.setattr(targets, "load_dataset", lambda: data)
    threads = min(2, available_processors())
    return setting.Setting(data, threads, tmp_path, Probe(threads), quick=True)


# --- Verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bar", "value", "verdict"),
    [
        (at_least("times", 3, 5), 5, "goal"),
        (at_least("times", 3, 5), 4.999, "floor"),
        (at_least("times", 3, 5), 3, "floor"),
        (at_least("times", 3, 5), 2.999, "MISSED"),
        (at_most("s", 3.5, 2), 2, "goal"),
        (at_most("s", 3.5, 2), 3.5, "floor"),
        (at_most("s", 3.5, 2), 3.501, "MISSED"),
        (at_most("times", 1.1), 0.5, "floor"),
        (at_most("times", 1.1), 1.2, "MISSED"),
        (at_least("times"), 0.1, "no bar"),
        (at_least("times", 3, 5), math.nan, "MISSED"),
        (at_most("s", 3.5, 2), math.nan, "MISSED"),
        (at_most("s", 3.5, 2), None, "not measured"),
    ],
)
def test_verdict(bar, value, verdict):
    assert bar.verdict(value) == verdict


SECONDS = at_most("s", 3.5, 2)


def done(value=None, reason="", gflops=100.0, bar=SECONDS, trial=False):
    reading = None if value is None else Reading(value, "some detail")
    return Value("fit", Case("H=300", bar, lambda: reading), reading, reason, gflops, trial)


def test_only_floors_that_are_met_give_0():
    assert targets.exit_code([done(1.0), done(3.0), done(9.0, bar=at_most("s"))]) == 0
    assert targets.exit_code([done(1.0), done(4.0)]) == 1
    assert targets.exit_code([done(1.0), done(reason="there is no compiler")]) == 1
    assert targets.exit_code([done(1.0, trial=True)]) == 1


def test_summary():
    values = [done(1.0), done(3.0), done(3.0), done(4.0), done(), done(1.0, bar=at_most("s")), done(1.0, trial=True)]
    assert targets.summary(values) == (
        "7 values: 1 at the goal, 2 at the floor, 1 missed, 1 not measured, 1 without a bar, 1 only tried"
    )
    disturbed = "disturbed, measured far below the 100.0 GFLOP/s that the machine can do: fit (1)"
    assert targets.summary([done(1.0, gflops=79.0), done(1.0)]) == f"2 values: 2 at the goal\n{disturbed}"


def test_lines():
    assert " ".join(done(2.345).line().split()) == "fit H=300 2.35 s 3.5 2 100.0 floor some detail"
    missing = done(reason="there is no compiler").line()
    assert " ".join(missing.split()) == "fit H=300 - 3.5 2 100.0 not measured: there is no compiler"
    assert " goal, disturbed " in done(1.0, gflops=79.0).line(100.0) and " goal  " in done(1.0).line(100.0)
    line = done(1.0).line()
    assert line.index("goal") == values.HEADER.index("verdict")  # the columns stand under their names


def test_goals_are_beyond_their_floors(trial):
    everything = setting.Setting(trial.data, 2, trial.folder, trial.probe)
    cases = [(name, case) for name, (of, _) in targets.TARGETS.items() for case in of(everything)]
    assert len({(name, case.what) for name, case in cases}) == len(cases)
    for _, case in cases:
        bar = case.bar
        assert bar.goal is None or (bar.goal > bar.floor if bar.more_is_better else bar.goal < bar.floor)


# --- What is missing or wrong -----------------------------------------------------------------------------------------


def measured(name, trial):
    (value,) = targets.measure_all([name], trial)
    return value


def test_a_missing_peer(trial, monkeypatch):
    monkeypatch.setattr(peers, "available", lambda net: net != "jax")
    value = measured("peers", trial)
    assert value.verdict == "not measured" and value.reason == "the net 'jax' needs jax: pip install jax"


@pytest.mark.parametrize(
    ("compiler", "words"),
    [
        ("no-such-compiler", "there is no C++ compiler 'no-such-compiler' here (CXX names another)"),
        ("false", "'false' cannot compile epoch.cpp: ?"),
    ],
)
def test_no_compiler(trial, monkeypatch, compiler, words):
    monkeypatch.setenv("CXX", compiler)
    value = measured("yardstick", trial)
    assert value.verdict == "not measured" and value.reason == words


def test_a_net_that_fails(trial, monkeypatch):
    monkeypatch.setitem(peers.MODULES, "numpy", peers.MODULES["numpy"].__class__("no_such_module", (), ""))
    with pytest.raises(NotMeasuredError, match=r"the net 'numpy' failed: ModuleNotFoundError: .*no_such_module"):
        peers._against_peers(trial, 5, others=("numpy",))


def test_a_process_that_fails():
    with pytest.raises(NotMeasuredError, match="a process failed: ValueError: for no reason"):
        setting.run_python("raise ValueError('for no reason')")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "fit,tea"], "there is no target 'tea'; the targets are yardstick, peers, "),
        (["--output", "no/such/folder/file"], "no/such/folder/file cannot be written"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_wrong_arguments(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        targets.main(*words)
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_no_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(tmp_path))
    assert targets.main("--only", "fit") == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("targets: ") and err.count("\n") == 1


def test_help_names_the_targets(capsys):
    with pytest.raises(SystemExit) as ended:
        targets.main("--help")
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and all(f"\n  {name} " in printed for name in targets.TARGETS)


# --- A trial ----------------------------------------------------------------------------------------------------------


def test_a_trial_of_one_target(trial, tmp_path, capsys):
    output = tmp_path / "targets.json"
    assert targets.main("--quick", "--only", "few-rows", "--output", str(output)) == 1
    table, _, last = capsys.readouterr().out.partition("3 values: ")
    first, header, *lines = table.splitlines()
    assert first.startswith("tiny, 400 samples; threads: ") and header == values.HEADER
    assert [line.split()[:4] for line in lines] == [
        ["few-rows", rows, word, "H=30"] for rows, word in (("1", "row,"), ("16", "rows,"), ("128", "rows,"))
    ]
    assert all(re.search(" trial[ ,]", line) and "ours " in line and "NumPy " in line for line in lines)
    assert last.startswith("3 only tried\n")
    written = json.loads(output.read_text(encoding="utf-8"))
    assert written["dataset"] == "tiny" and written["quick"] and len(written["values"]) == 3
    value = written["values"][0]
    assert value["verdict"] == "trial" and value["value"] > 0 and value["probe_gflops"] > 0
    ours, *theirs = (np.median(times) for times in value["times"].values())
    assert value["value"] == pytest.approx(min(theirs) / ours)


def test_interrupted(trial, monkeypatch, capsys):
    def cases(_setting):
        yield Case("this", at_most("s", 2, 1), lambda: Reading(1.0))
        raise KeyboardInterrupt

    monkeypatch.setitem(targets.TARGETS, "fit", (cases, ""))
    assert targets.main("--only", "fit") == 130
    assert capsys.readouterr().out.splitlines()[-1] == "interrupted after 1 values: 1 at the goal"


def test_against_numpy_in_processes(trial):
    reading = peers._against_peers(trial, 5, others=("numpy",))
    assert reading.value == pytest.approx(reading.times["numpy"][1] / reading.times["fastmlp"][1])
    assert reading.detail.startswith("ours ") and ", numpy " in reading.detail


@pytest.mark.parametrize(
    "name",
    [
        "fit",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("dense-share", "two-fits", "many-threads", "growth-units", "growth-samples")
        ),
    ],
)
def test_trials_of_training(trial, name):
    for value in targets.measure_all([name], trial):
        assert value.reason == "" and value.reading.value > 0 and value.verdict == "trial"


def test_busy_programs_end(trial, monkeypatch):
    started, popen = [], sharing.subprocess.Popen
    monkeypatch.setattr(sharing.subprocess, "Popen", lambda *words: started.append(popen(*words)) or started[-1])
    for value in targets.measure_all(["busy"], trial):
        assert value.reading.value > 0
    assert started and all(process.returncode == -9 for process in started)


def test_sparse_inputs():
    X = peers.random_inputs(100, 0.05)
    assert X.dtype == np.float32 and np.count_nonzero(X) / X.size == pytest.approx(0.05, abs=0.005)
    assert len(np.unique(X)) > 256 and np.count_nonzero(peers.random_inputs(100, 1.0)) == X.size


def test_peak_memory_is_that_of_the_process_alone(monkeypatch):
    """Ours may be larger, and a system counts it for the processes that we start."""
    held = np.ones(50_000_000)
    child = 'print(\'{"results": {"train_seconds": 0}}\')'
    seconds, peak = setting.run_python(starting._TRAIN, setting.sys.executable, "-c", child)
    assert 0 < seconds < 60 and 1e6 < peak < held.nbytes / 4


@pytest.mark.long
def test_the_yardstick(trial):
    if not shutil.which(os.environ.get("CXX") or "c++"):
        pytest.skip("there is no C++ compiler on this machine")
    library, (X, y) = yardstick._compile(trial.folder), yardstick._as_bytes(trial)
    for H in (17, 30, 300):
        net = trial.net(H)
        start = [getattr(net, name) for name in yardstick.WEIGHTS]
        yardstick._check(library, X, y, start, 2)
        with pytest.raises(NotMeasuredError, match="differs from NumPy's"):
            yardstick._check(library, X, y, [start[0], start[1] + np.nan, *start[2:]], 2)
    value = measured("yardstick", trial)
    assert value.reason == "" and value.verdict == "trial" and "C++" in value.reading.detail


def test_the_yardstick_takes_bytes_only(trial):
    other = trial.data._replace(x_train=trial.data.x_train / 3)
    with pytest.raises(NotMeasuredError, match="takes only bytes, and tiny has other values"):
        yardstick._as_bytes(setting.Setting(other, 1, trial.folder, trial.probe))

"""The comparison: its protocol, its arithmetic, and what it does when something goes wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from runs import FASTMLP, NUMPY, tiny, write_fake

from fastmlp import contenders
from fastmlp.cli import main
from fastmlp.comparison.comparison import Comparison, ComparisonPlan
from fastmlp.files.scratch import scratch_folder
from fastmlp.network import NeuralNetwork


@pytest.fixture
def tiny_file(tmp_path):
    x_train, y_train, x_test, y_test = tiny()[:4]
    path = tmp_path / "tiny.npz"
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Write a contender that is NumPy's with another `fit`; return its module."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda body, name="fake_net": write_fake(tmp_path, body, name)


def plan(modules, **changes):
    settings = {"hidden_sizes": [4], "epochs": 1, "batch_size": 16, "lr": 0.1, "repeats": 1, "threads": 1, "seed": 5}
    return ComparisonPlan(modules=modules, dataset="tiny", **(settings | {"repeat_disturbed": False} | changes))


def compared(modules, **changes):
    comparison = Comparison(plan(modules, **changes), tiny())
    events = []
    comparison.measure(events.append)
    results = comparison.results()
    json.dumps(results, allow_nan=False)
    return results, events


def test_results_have_what_the_schema_says():
    results, events = compared({"fastmlp": FASTMLP, "numpy": NUMPY}, hidden_sizes=[4, 6], repeats=2)
    assert (results["schema"], results["kind"], results["complete"]) == (2, "comparison", True)
    assert results["parameters"]["nets"] == ["fastmlp", "numpy"]
    assert results["environment"]["peak_gflops"] > 0
    sizes = {"n_train": 60, "n_test": 20, "nonzeros": 180, "input_size": 3, "output_size": 2}
    assert results["data"] == {"name": "tiny", **sizes}
    assert results["rounds"]["planned"] == results["rounds"]["run"] == 4
    assert len(results["rounds"]["probe_gflops"]) == 4
    rows = results["results"]
    assert [(row["net"], row["hidden_size"]) for row in rows] == [
        ("fastmlp", 4),
        ("numpy", 4),
        ("fastmlp", 6),
        ("numpy", 6),
    ]
    for row in rows:
        assert len(row["repeats"]) == 2
        assert row["train_seconds"] > 0 and row["import_seconds"] > 0 and row["peak_memory_bytes"] > 1e6
        assert row["spread"]["train_seconds"][0] <= row["spread"]["train_seconds"][1]
        assert row["parity"]["passed"] and row["parity"]["relative"] < 1e-4
        assert set(row["seconds_to_accuracy"]) == {"0.95", "0.97", "0.975"}
        assert len(row["history"]["val_accuracy"]) == 1
    assert rows[0]["ratio"] == 1 and rows[0]["spread"]["ratio"] is None
    assert rows[1]["ratio"] > 0 and rows[1]["spread"]["ratio"][0] <= rows[1]["spread"]["ratio"][1]
    # Each size has its first round before any has its second.
    done = [(event.hidden_size, event.repeat, event.net) for event in events if event.result]
    assert done == [(size, r, net) for r in (0, 1) for size in (4, 6) for net in ("fastmlp", "numpy")]


def test_nets_take_turns_by_epochs(fake, tmp_path):
    diary = tmp_path / "diary"
    record = (
        "tell = options.get('callback')\n"
        "        def note(epoch, history):\n"
        f"            with open({str(diary)!r}, 'a') as file: file.write(f'{{__name__[-1]}}{{epoch}} ')\n"
        "            tell(epoch, history)\n"
        "        if number_epochs == 3: options['callback'] = note"
    )
    modules = {name: fake(record, f"fake_{name}") for name in "ab"}
    results, events = compared(modules | {"fastmlp": FASTMLP}, epochs=3)
    assert diary.read_text(encoding="utf-8") == "a1 b1 a2 b2 a3 b3 "
    assert [(event.net, event.epoch) for event in events] == [
        (net, epoch) for epoch in (1, 2, 3) for net in ("a", "b", "fastmlp")
    ]
    assert [len(row["history"]["seconds"]) for row in results["results"]] == [3, 3, 3]


def test_crash_between_turns_leaves_the_others_theirs(fake):
    body = (
        "tell = options.get('callback')\n"
        "        def fail(epoch, history):\n"
        "            if epoch == 2: raise RuntimeError('second epoch')\n"
        "            tell(epoch, history)\n"
        "        options['callback'] = fail"
    )
    results, _ = compared({"fake": fake(body), "numpy": NUMPY}, epochs=3)
    fails, numpy = results["results"]
    assert fails["error"] == "RuntimeError: second epoch"
    assert len(numpy["history"]["seconds"]) == 3


@pytest.mark.alone
def test_only_its_own_time_counts_for_the_timeout(fake):
    sleepy = (
        "tell = options.get('callback')\n"
        "        def sleep(epoch, history): time.sleep(4 * (epoch == 1)); tell(epoch, history)\n"
        "        options['callback'] = sleep"
    )
    results, _ = compared({"numpy": NUMPY, "fake": fake(sleepy)}, epochs=2, timeout=3.5)
    numpy, slow = results["results"]
    assert "error" not in numpy
    assert "stopped after 3.5 s" in slow["error"]


def test_all_start_from_the_weights_of_ours(fake):
    module = fake("raise ValueError(repr(self.W1.tolist()))")
    row = compared({"fake": module}, seed=7)[0]["results"][0]
    expected = NeuralNetwork(4, input_size=3, output_size=2, seed=7).W1
    assert row["error"] == f"ValueError: {expected.tolist()!r}"


def test_crash_is_a_row_and_the_rest_goes_on(fake):
    crashes = {
        "raise RuntimeError('no more paper')": "RuntimeError: no more paper",
        "os._exit(3)": "its process ended with exit code 3 and printed nothing",
        "os.kill(os.getpid(), 9)": "its process was ended by signal 9 (out of memory?)",
        "print('{\"result\": 1}'); raise KeyError('x')": "KeyError: 'x'",
    }
    modules = {f"crash{k}": fake(body, f"crash{k}") for k, body in enumerate(crashes)}
    results, _ = compared({"fastmlp": FASTMLP, **modules, "numpy": NUMPY})
    ours, *crashed, numpy = results["results"]
    assert [row["error"] for row in crashed] == list(crashes.values())
    assert ours["ratio"] == 1 and numpy["ratio"] > 0
    assert results["complete"]


def test_crash_in_a_later_repeat_keeps_the_earlier_one(fake, tmp_path):
    mark = tmp_path / "ran"
    module = fake(
        f"if number_epochs == 2 and os.path.exists({str(mark)!r}): raise OSError('disk')\n"
        f"        open({str(mark)!r}, 'w').close()"
    )
    row = compared({"fake": module}, epochs=2, repeats=3)[0]["results"][0]
    assert row["error"] == "OSError: disk"
    assert [run["repeat"] for run in row["repeats"]] == [0]


@pytest.mark.alone
def test_run_that_takes_too_long_is_given_up(fake):
    start = time.monotonic()
    results, _ = compared({"fake": fake("time.sleep(60)"), "numpy": NUMPY}, timeout=3)
    assert time.monotonic() - start < 30
    assert "stopped after 3 s" in results["results"][0]["error"]
    assert results["results"][1]["train_seconds"] > 0


def test_net_that_computes_something_else_is_not_ranked(fake):
    results, _ = compared({"fastmlp": FASTMLP, "fake": fake("self.W1 = 1.5 * self.W1")})
    ours, other = results["results"]
    assert ours["ratio"] == 1
    assert other["parity"]["relative"] > 1e-3 and not other["parity"]["passed"]
    assert other["ratio"] is None and other["spread"]["ratio"] is None
    assert other["train_seconds"] > 0


def test_without_ours_there_is_parity_but_no_ratio():
    row = compared({"numpy": NUMPY})[0]["results"][0]
    assert row["parity"]["passed"] and row["ratio"] is None


def test_loss_that_is_no_number_is_null():
    with np.errstate(all="ignore"):
        results, _ = compared({"numpy": NUMPY}, lr=1e30)
    row = results["results"][0]
    assert row["train_loss"] is None and not row["parity"]["passed"]
    row = compared({"fastmlp": FASTMLP}, lr=1e30)[0]["results"][0]
    assert row["error"].startswith("DivergenceError: training diverged in epoch 1")


def test_size_that_no_memory_holds_is_a_row_and_the_rest_goes_on():
    results, _ = compared({"fastmlp": FASTMLP, "numpy": NUMPY}, hidden_sizes=[10**15, 4], repeats=2)
    rows = results["results"]
    assert ["error" in row for row in rows] == [True, True, False, False]
    assert rows[0]["error"] and "Traceback" not in rows[0]["error"]


def test_disturbed_rounds_are_repeated_and_counted():
    comparison = Comparison(plan({"numpy": NUMPY}, repeats=2, repeat_disturbed=True), tiny())
    comparison._rates = [100]
    rates = iter([100, 100, 90, 50, 90, 85])  # before and after each round
    comparison._probe.gflops = lambda: next(rates)
    rounds = []
    comparison.measure(on_round=lambda *numbers: rounds.append(numbers))
    results = comparison.results()
    assert results["rounds"] == {"planned": 2, "run": 3, "disturbed": 1, "probe_gflops": [100, 50, 85]}
    assert rounds == [(1, 2), (2, 3), (3, 3)]
    assert [run["repeat"] for run in results["results"][0]["repeats"]] == [0, 1]


def test_disturbed_round_in_which_every_net_failed_is_not_repeated(fake):
    comparison = Comparison(plan({"fake": fake("raise ValueError")}, repeat_disturbed=True), tiny())
    comparison._rates = [100]
    comparison._probe.gflops = lambda: 10
    comparison.measure()
    assert comparison.results()["rounds"]["run"] == 1


def test_rounds_end_where_the_machine_never_comes_to_rest():
    comparison = Comparison(plan({"numpy": NUMPY}, repeat_disturbed=True), tiny())
    comparison._rates = [100]
    comparison._probe.gflops = lambda: 10
    comparison.measure()
    rounds = comparison.results()["rounds"]
    assert (rounds["run"], rounds["disturbed"]) == (2, 2)


def compare(*args, **environment):
    return CliRunner(env=environment).invoke(main, ["compare", *map(str, args)])


QUICKLY = ("--net", "fastmlp", "--net", "numpy", "-H", 4, "-e", 1, "-r", 1, "-b", 16, "--threads", 1)


def test_command_prints_json_and_says_first_what_it_runs(tiny_file):
    result = compare(*QUICKLY, "--dataset", tiny_file, "--json")
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)
    assert [row["net"] for row in results["results"]] == ["fastmlp", "numpy"]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("tiny.npz: the 3 inputs are standardised by the training part")
    assert lines[1].startswith("comparing fastmlp, numpy at 4 hidden units on tiny.npz (60 samples): sgd, epochs 1")
    assert "about" in lines[1]
    assert lines[2].startswith("fastmlp, 4 hidden units, repeat 1 of 1: ")


def test_command_compares_with_another_optimizer(tiny_file):
    """From the same weights on the same standardised numbers, with the rate that goes with it."""
    result = compare(*QUICKLY, "--dataset", tiny_file, "--optimizer", "adam", "--json")
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)
    assert results["parameters"]["optimizer"] == "adam" and results["parameters"]["lr"] == 0.001
    assert all(row["parity"]["passed"] for row in results["results"])
    plain = json.loads(compare(*QUICKLY, "--dataset", tiny_file, "--lr", "0.001", "--json").stdout)["results"]
    assert plain[0]["train_loss"] != results["results"][0]["train_loss"]


def test_command_standardises_a_table_for_all_nets(tmp_path):
    """Raw columns, on which a net with plain descent diverges."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)) * (1, 1000, 1e6) + 5000, rng.integers(0, 2, 60)
    np.savez(tmp_path / "raw.npz", x_train=X[:40], y_train=y[:40], x_test=X[40:], y_test=y[40:])
    rows = json.loads(compare(*QUICKLY, "--dataset", tmp_path / "raw.npz", "--json").stdout)["results"]
    assert all(row["parity"]["passed"] and row["train_loss"] < 2 for row in rows)
    rows = json.loads(compare(*QUICKLY, "--dataset", tmp_path / "raw.npz", "--preprocess", "none", "--json").stdout)[
        "results"
    ]
    assert "diverged" in rows[0]["error"]


@pytest.mark.parametrize("form", [(), ("--csv",), ("--markdown",)])
def test_command_prints_tables(tiny_file, form):
    result = compare(*QUICKLY, "--dataset", tiny_file, *form)
    assert result.exit_code == 0, result.stderr
    assert "numpy" in result.stdout and "comparing" not in result.stdout


def test_output_holds_the_results(tiny_file, tmp_path):
    folder = tmp_path / "report"
    result = compare(*QUICKLY, "--dataset", tiny_file, "--json", "-o", folder)
    assert result.exit_code == 0, result.stderr
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == json.loads(result.stdout)
    again = compare(*QUICKLY, "--dataset", tiny_file, "-o", folder)
    assert again.exit_code == 2
    assert "use --force" in again.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--net", "nett"), "there is no net 'nett'; the nets are fastmlp, numpy"),
        (("-H", 0), "'-H': 0 "),
        (("--json", "--csv"), "exclude each other"),
        (("-o", "no/such/folder"), "the folder no/such does not exist"),
        (("-o", "/proc"), "cannot be written"),
        (("--timeout", 0), "'--timeout': 0"),
    ],
)
def test_wrong_usage_is_told_before_any_work(args, message):
    result = compare(*args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "comparing" not in result.stderr


def test_missing_library_is_told_with_its_command(tiny_file, monkeypatch):
    absent = contenders._Module("nowhere", ("no_such_library",), "pip install no-such-library")
    monkeypatch.setitem(contenders.MODULES, "absent", absent)
    result = compare(*QUICKLY, "--net", "absent", "--dataset", tiny_file, "--json")
    assert result.exit_code == 0, result.stderr
    sentence = "the net 'absent' needs no_such_library: pip install no-such-library"
    assert json.loads(result.stdout)["results"][-1]["error"] == sentence
    assert f"left out: {sentence}" in result.stderr
    alone = compare("--net", "absent", "--dataset", tiny_file)
    assert alone.exit_code == 1 and "none of these nets is installed" in alone.stderr


def test_only_crashes_is_a_failure(tiny_file, fake, monkeypatch):
    broken = contenders._Module(fake("raise ValueError('broken')"), ("numpy",), "")
    monkeypatch.setitem(contenders.MODULES, "broken", broken)
    result = compare("--net", "broken", "-H", 4, "-e", 1, "-r", 1, "--threads", 1, "--dataset", tiny_file, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["results"][0]["error"] == "ValueError: broken"
    assert "Traceback" not in result.stderr


def test_the_original_scripts_flag_compares(tiny_file, monkeypatch):
    for name in list(contenders.MODULES)[2:]:
        monkeypatch.delitem(contenders.MODULES, name)
    words = ["--compare_nets", "--hidden_size", "4", "--number_epochs", "1", "--batch_size", "16", "--threads", "1"]
    result = CliRunner().invoke(main, ["train", *words, "--dataset", str(tiny_file), "--json"])
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)
    assert results["parameters"]["hidden_sizes"] == [4]
    assert [row["net"] for row in results["results"]] == ["fastmlp", "numpy"]
    result = CliRunner().invoke(main, ["train", "--compare-nets", "--output", "model.npz"])
    assert result.exit_code == 2 and "does not go with --output" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal")
def test_ctrl_c_keeps_what_is_finished(tiny_file):
    command = [sys.executable, "-m", "fastmlp", "compare", *map(str, QUICKLY), "-r", "500", "--dataset", str(tiny_file)]
    process = subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    for line in process.stderr:
        if line.startswith("numpy, 4 hidden units, repeat 1"):
            break
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    results = json.loads(stdout)
    assert process.returncode == 130
    assert not results["complete"]
    assert [row["net"] for row in results["results"]] == ["fastmlp", "numpy"]
    assert "interrupted" in stderr and "Traceback" not in stderr


# --- What a run leaves behind: nothing --------------------------------------------------------------------------------

# The fake forks a process that holds its pipes, writes the numbers of both, and goes on as the test has it.
FORKS = (
    "child = os.fork()\n"
    "        if child == 0: time.sleep(120) or os._exit(0)\n"
    "        with open({pids!r}, 'w') as file: file.write(f'{{os.getpid()}} {{child}}\\n')\n"
    "        {then}"
)


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize(
    ("then", "error"),
    [
        ("os._exit(3)", "its process ended with exit code 3 and printed nothing"),
        ("raise ValueError('broken')", "ValueError: broken"),
        ("time.sleep(120)", "it was stopped after 5 s; --timeout sets another limit"),
        ("pass", None),
    ],
    ids=["crash", "error", "timeout", "result"],
)
def test_what_a_run_has_started_ends_with_it(fake, tmp_path, then, error):
    pids, start = tmp_path / "pids", time.monotonic()
    results, _ = compared({"fake": fake(FORKS.format(pids=str(pids), then=then))}, timeout=5)
    assert time.monotonic() - start < 30
    assert results["results"][0].get("error") == error
    numbers = pids.read_text(encoding="utf-8").split()
    assert len(numbers) == 2
    wait_until(lambda: not any(map(is_running, numbers)))


COMPARE = """
import sys
from fastmlp import contenders
from fastmlp.cli import main
contenders.MODULES["fake"] = contenders._Module("fake_net", ("numpy",), "")
main(["compare", "--net", "fake", "-H", "4", "-e", "1", "-r", "1", "--threads", "1", "--dataset", sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_however_it_ends_no_process_and_no_folder_remains(fake, tiny_file, tmp_path, monkeypatch, name):
    pids, temporary = tmp_path / "pids", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    fake(FORKS.format(pids=str(pids), then="time.sleep(120)"))
    process = subprocess.Popen(
        [sys.executable, "-c", COMPARE, tiny_file],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # which nohup has it ignore
    )
    wait_until(lambda: pids.exists() and pids.read_text(encoding="utf-8").endswith("\n"))
    assert len(list(temporary.iterdir())) == 1
    process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=30)
    assert "Traceback" not in stderr
    wait_until(lambda: not any(map(is_running, pids.read_text(encoding="utf-8").split())))
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
        monkeypatch.setattr("tempfile.tempdir", None)
        with scratch_folder("fastmlp-compare-") as folder:
            assert list(temporary.iterdir()) == [folder]
    else:
        assert process.returncode == 128 + getattr(signal, name)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / ("n" * 300), "its name is too long"),
        (lambda folder: (folder / "a").symlink_to(folder / "a") or folder / "a", "Too many levels of symbolic links"),
        (lambda folder: (folder / "file").touch() or folder / "file", "is a file"),
        (lambda folder: (folder / "file").touch() or folder / "file" / "report", "Not a directory"),
        (lambda folder: (folder / "results.json").mkdir() or folder, "results.json is a folder"),
    ],
    ids=["too long", "circle", "file", "below a file", "folder in place of a file"],
)
def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path, make, says):
    folder = tmp_path / "here"
    folder.mkdir()
    path = make(folder)
    before = sorted(folder.rglob("*"))
    result = compare("-o", path, "--force")
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert "comparing" not in result.stderr
    assert sorted(folder.rglob("*")) == before

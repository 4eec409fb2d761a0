"""The comparison: its protocol, its arithmetic, and what it does when something goes wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import contenders
from fastmlp.cli import main
from fastmlp.comparison.child import come_to_rest
from fastmlp.comparison.comparison import Comparison, Plan
from fastmlp.comparison.intervals import intervals, t_quantile
from fastmlp.comparison.run import ContenderRun
from fastmlp.datasets import Dataset
from fastmlp.network import NeuralNetwork

FASTMLP = contenders.MODULES["fastmlp"].name
NUMPY = contenders.MODULES["numpy"].name


def tiny():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 80)
    x = rng.random((80, 3), np.float32)
    x[:, 0] += y
    return Dataset(x[:60], y[:60], x[60:], y[60:], "tiny")


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

    def write(body, name="fake_net"):
        code = f"""
import os, time
from {NUMPY} import NeuralNetwork as _Net

class NeuralNetwork(_Net):
    def fit(self, X, Y, batch_size, number_epochs, **options):
        {body}
        return super().fit(X, Y, batch_size, number_epochs, **options)
"""
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return write


def plan(modules, **changes):
    settings = {"hidden_sizes": [4], "epochs": 1, "batch_size": 16, "lr": 0.1, "repeats": 1, "threads": 1, "seed": 5}
    return Plan(modules=modules, dataset="tiny", **(settings | {"repeat_disturbed": False} | changes))


def compared(modules, **changes):
    comparison = Comparison(plan(modules, **changes), tiny())
    events = []
    comparison.run(events.append)
    results = comparison.results()
    json.dumps(results, allow_nan=False)
    return results, events


def test_results_have_what_the_schema_says():
    results, events = compared({"fastmlp": FASTMLP, "numpy": NUMPY}, hidden_sizes=[4, 6], repeats=2)
    assert (results["schema"], results["kind"], results["complete"]) == (1, "comparison", True)
    assert results["parameters"]["nets"] == ["fastmlp", "numpy"]
    assert results["environment"]["peak_gflops"] > 0
    assert results["data"] == {"name": "tiny", "n_train": 60, "n_test": 20, "input_size": 3, "output_size": 2}
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
    assert diary.read_text() == "a1 b1 a2 b2 a3 b3 "
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
    assert "given up after 3.5 s" in slow["error"]


def test_run_that_nobody_listens_to_ends(tmp_path):
    comparison = Comparison(plan({"numpy": NUMPY}, epochs=3), tiny())
    for name, array in zip(("x_train", "y_train", "x_test", "y_test"), tiny(), strict=False):
        np.save(tmp_path / f"{name}.npy", array)
    comparison._prepare(4, 0, tmp_path)
    with ContenderRun(comparison._spec(NUMPY, 4, 0, tmp_path), 60) as run:
        assert run.epoch() is None
        run._process.stdin.close()
        assert run._process.wait(30) == 1


def test_a_process_comes_to_rest_when_its_threads_do():
    def work():
        while time.monotonic() < end:
            pass

    end = time.monotonic() + 0.3
    thread = threading.Thread(target=work)
    thread.start()
    come_to_rest()
    assert time.monotonic() >= end
    thread.join()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux locks pages as they come")
def test_a_process_keeps_its_memory_where_it_may(run_python):
    code = "from fastmlp.comparison.child import keep_memory; keep_memory(); print(open('/proc/self/status').read())"
    status = dict(line.split(":", 1) for line in run_python(code).stdout.splitlines() if line)
    may_lock = int(status["CapEff"], 16) >> 14 & 1  # CAP_IPC_LOCK
    assert bool(int(status["VmLck"].split()[0])) == bool(may_lock)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no users' rights like these")
def test_a_process_without_the_right_locks_nothing_and_so_can_get_more_memory(run_python):
    run_python(
        "import ctypes, os\n"
        "from fastmlp.comparison.child import keep_memory\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "ctypes.CDLL = None  # a call fails\n"
        "keep_memory()"
    )


def test_all_start_from_the_weights_of_ours(fake):
    module = fake("raise ValueError(repr(self.W1.tolist()))")
    row = compared({"fake": module}, seed=7)[0]["results"][0]
    expected = NeuralNetwork(4, input_size=3, output_size=2, seed=7).W1
    assert row["error"] == f"ValueError: {expected.tolist()!r}"


def test_run_has_its_threads_and_processors(fake, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    names = "('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE')"
    module = fake(f"raise ValueError([len(os.sched_getaffinity(0)), *(os.environ.get(n) for n in {names})])")
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not pin processes")
    row = compared({"fake": module})[0]["results"][0]
    assert row["error"] == "ValueError: [1, '1', '1', None, None]"


def test_crash_is_a_row_and_the_rest_goes_on(fake):
    crashes = {
        "raise RuntimeError('no more paper')": "RuntimeError: no more paper",
        "os._exit(3)": "its process ended with exit code 3 and without a word",
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
    assert "given up after 3 s" in results["results"][0]["error"]
    assert results["results"][1]["train_seconds"] > 0


def test_files_of_the_current_folder_do_not_get_in(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)
    assert "error" not in compared({"numpy": NUMPY})[0]["results"][0]


def test_net_that_computes_something_else_is_not_ranked(fake):
    results, _ = compared({"fastmlp": FASTMLP, "fake": fake("self.lr *= 1.5")})
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
    comparison.run(on_round=lambda *numbers: rounds.append(numbers))
    results = comparison.results()
    assert results["rounds"] == {"planned": 2, "run": 3, "disturbed": 1, "probe_gflops": [100, 50, 85]}
    assert rounds == [(1, 2), (2, 3), (3, 3)]
    assert [run["repeat"] for run in results["results"][0]["repeats"]] == [0, 1]


def test_rounds_end_where_the_machine_never_comes_to_rest():
    comparison = Comparison(plan({"numpy": NUMPY}, repeat_disturbed=True), tiny())
    comparison._rates = [100]
    comparison._probe.gflops = lambda: 10
    comparison.run()
    rounds = comparison.results()["rounds"]
    assert (rounds["run"], rounds["disturbed"]) == (2, 2)


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


def run(*args, **environment):
    return CliRunner(env=environment).invoke(main, ["compare", *map(str, args)])


QUICKLY = ("--net", "fastmlp", "--net", "numpy", "-H", 4, "-e", 1, "-r", 1, "-b", 16, "--threads", 1)


def test_command_prints_json_and_says_first_what_it_runs(tiny_file):
    result = run(*QUICKLY, "--dataset", tiny_file, "--json")
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)
    assert [row["net"] for row in results["results"]] == ["fastmlp", "numpy"]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("comparing fastmlp, numpy at 4 hidden units on tiny.npz (60 samples)")
    assert "about" in lines[0]
    assert lines[1].startswith("fastmlp, 4 hidden units, repeat 1 of 1: ")


@pytest.mark.parametrize("form", [(), ("--csv",), ("--markdown",)])
def test_command_prints_tables(tiny_file, form):
    result = run(*QUICKLY, "--dataset", tiny_file, *form)
    assert result.exit_code == 0, result.stderr
    assert "numpy" in result.stdout and "comparing" not in result.stdout


def test_output_holds_the_results(tiny_file, tmp_path):
    folder = tmp_path / "report"
    result = run(*QUICKLY, "--dataset", tiny_file, "--json", "-o", folder)
    assert result.exit_code == 0, result.stderr
    assert json.loads((folder / "results.json").read_text()) == json.loads(result.stdout)
    again = run(*QUICKLY, "--dataset", tiny_file, "-o", folder)
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
    result = run(*args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "comparing" not in result.stderr


def test_missing_library_is_told_with_its_command(tiny_file, monkeypatch):
    absent = contenders._Module("nowhere", ("no_such_library",), "pip install no-such-library")
    monkeypatch.setitem(contenders.MODULES, "absent", absent)
    result = run(*QUICKLY, "--net", "absent", "--dataset", tiny_file, "--json")
    assert result.exit_code == 0, result.stderr
    sentence = "the net 'absent' needs no_such_library: pip install no-such-library"
    assert json.loads(result.stdout)["results"][-1]["error"] == sentence
    assert f"left out: {sentence}" in result.stderr
    alone = run("--net", "absent", "--dataset", tiny_file)
    assert alone.exit_code == 1 and "none of these nets is installed" in alone.stderr


def test_only_crashes_is_a_failure(tiny_file, fake, monkeypatch):
    broken = contenders._Module(fake("raise ValueError('broken')"), ("numpy",), "")
    monkeypatch.setitem(contenders.MODULES, "broken", broken)
    result = run("--net", "broken", "-H", 4, "-e", 1, "-r", 1, "--threads", 1, "--dataset", tiny_file, "--json")
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

"""The report of a comparison: the rows, the tables, the page and the plots, and the file that they are made from."""

import csv
import io
import json
import re
import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

from fastmlp.cli import main
from fastmlp.comparison.report import csv_text, markdown, print_tables, write_report
from fastmlp.comparison.report.page import headline
from fastmlp.comparison.report.plots import PLOTS, dense_epoch_seconds
from fastmlp.comparison.report.tables import ranking
from fastmlp.comparison.results import add_spread, make_row, read_results, write_results
from fastmlp.errors import ResultsFileError


def run_of(seconds, parity_loss=0.5, repeat=0):
    """What a run of two epochs tells, `seconds` each."""
    return {
        "repeat": repeat,
        "import_seconds": 1.0,
        "compile_seconds": 2.0,
        "train_seconds": 2 * seconds,
        "peak_memory_bytes": 300_000_000,
        "test_accuracy": 0.971,
        "test_loss": 0.11,
        "train_accuracy": 0.98,
        "train_loss": 0.09,
        "parity_loss": parity_loss,
        "history": {
            "loss": [0.5, 0.2],
            "accuracy": [0.9, 0.96],
            "seconds": [seconds, seconds],
            "val_accuracy": [0.951, 0.971],
            "val_loss": [0.2, 0.11],
        },
    }


@pytest.fixture
def results():
    """Four nets at two sizes: ours, one twice as slow, one that computes something else, one that fails."""
    rows = []
    for size, seconds in ((30, 0.1), (300, 1.0)):
        rounds = [
            {
                "fastmlp": run_of(slow * seconds, repeat=repeat),
                "numpy": run_of(2 * slow * seconds * jitter, repeat=repeat),
                "jax": run_of(0.5 * seconds, parity_loss=0.6, repeat=repeat),
            }
            for repeat, (slow, jitter) in enumerate(((1.0, 1.0), (3.0, 1.1), (1.0, 0.9)))
        ]
        for net in ("fastmlp", "numpy", "jax"):
            row = make_row(net, 0.5, [runs[net] for runs in rounds], rounds)
            rows.append({"net": net, "hidden_size": size, "dataset": "tiny"} | row)
        rows.append({"net": "torch", "hidden_size": size, "dataset": "tiny", "error": "RuntimeError: no [paper] | ink"})
    add_spread(rows)
    return {
        "schema": 1,
        "kind": "comparison",
        "parameters": {
            "hidden_sizes": [30, 300],
            "nets": ["fastmlp", "numpy", "jax", "torch"],
            "epochs": 2,
            "batch_size": 128,
            "lr": 0.1,
            "repeats": 3,
            "threads": 2,
            "dataset": "tiny.npz",
            "seed": 0,
        },
        "environment": {"peak_gflops": 100.0, "cpu": "<znver3>", "python": "3.11", "platform": "Linux"},
        "rounds": {"planned": 6, "run": 7, "disturbed": 1, "probe_gflops": [100.0] * 7},
        "complete": True,
        "data": {"name": "tiny", "n_train": 60000, "n_test": 100, "input_size": 784, "output_size": 10},
        "results": rows,
    }


@pytest.fixture
def saved(results, tmp_path):
    path = tmp_path / "results.json"
    write_results(results, path)
    return path


def terminal(results):
    console = Console(file=io.StringIO(), width=40, highlight=False)
    print_tables(results, console)
    return console.file.getvalue()


# --- Rows -------------------------------------------------------------------------------------------------------------


def test_stall_in_an_epoch_stands_in_the_time_and_not_in_the_ratio():
    ours, other = run_of(0.5), run_of(1.0)
    for run, seconds in ((ours, [0.5, 1.0, 0.5]), (other, [1.0, 2.0, 50.0])):  # the second epoch is slow for both
        run["history"] |= {"seconds": seconds, "val_accuracy": [0.9, 0.9, 0.9]}
        run["train_seconds"] = sum(seconds)
    row = make_row("numpy", 0.5, [other], [{"fastmlp": ours, "numpy": other}])
    assert row["train_seconds"] == 53 and row["ratio"] == 2


def test_ratio_is_taken_within_a_round(results):
    numpy = results["results"][1]
    assert numpy["ratio"] == pytest.approx(2.0)  # of 2, 2.2, 1.8; the slow round of both does not count
    low, high = numpy["spread"]["ratio"]
    assert 1.3 < low < 1.4 and 2.8 < high < 3.0  # of two nets with three repeats: t is 3.5 with 4 degrees of freedom
    ours, failed = results["results"][0], results["results"][3]
    assert ours["spread"]["ratio"] is None and len(ours["spread"]["train_seconds"]) == 2 and "spread" not in failed
    assert numpy["seconds_to_accuracy"] == {"0.95": pytest.approx(0.2), "0.97": pytest.approx(0.4), "0.975": None}


def test_net_that_computes_something_else_has_no_ratio(results):
    jax = results["results"][2]
    assert jax["ratio"] is None and jax["parity"] == {"loss": 0.6, "relative": pytest.approx(0.2), "passed": False}


# --- Tables -----------------------------------------------------------------------------------------------------------


def test_tables_are_whole_and_ranked(results):
    text = terminal(results)
    assert "…" not in text
    first = text.index("30 hidden units")
    assert first < text.index("fastmlp") < text.index("numpy") < text.index("jax")  # quicker, yet not ranked: last
    assert "2.00 (1.33 to 2.99)" in text and "not ranked" in text and "2.0e-01" in text
    for column in ("Time", "Test accuracy", "Test loss", "Train accuracy", "Train loss", "Peak memory", "To 0.975"):
        assert column in text
    assert "torch: RuntimeError: no [paper] | ink" in text
    assert "of which disturbed: 1" in text and "Not complete" not in text
    assert "Not complete" in terminal(results | {"complete": False})


def test_markdown_is_one_table(results):
    text = markdown(results)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2 * 3
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "| 30 | numpy | 0.40 s |" in text
    assert "- torch: RuntimeError" in text


def test_csv_holds_every_row(results):
    rows = list(csv.DictReader(io.StringIO(csv_text(results))))
    assert len(rows) == 8
    assert float(rows[1]["ratio"]) == pytest.approx(2) and float(rows[1]["ratio_low"]) < 2 < float(
        rows[1]["ratio_high"]
    )
    assert rows[2]["ratio"] == rows[2]["ratio_low"] == "" and float(rows[2]["parity"]) == pytest.approx(0.2)
    assert rows[3]["error"] == "RuntimeError: no [paper] | ink" and rows[3]["train_seconds"] == ""


def test_rank_is_by_the_ratio_which_a_stall_does_not_move(results):
    results["results"][1]["train_seconds"] *= 100
    results["results"][1]["ratio"] = 0.5
    assert [row["net"] for row in ranking(results, 30)] == ["numpy", "fastmlp", "jax"]  # jax is not ranked
    for row in results["results"][:3]:
        row["ratio"] = None  # as without our own net
    assert [row["net"] for row in ranking(results, 30)] == ["fastmlp", "numpy", "jax"]


def test_headline_says_where_we_lose(results):
    assert headline(results) == (
        "The quickest other net takes 2.00 (numpy, 30 hidden units) to 2.00 times (numpy, 300) fastmlp's training time."
    )
    results["results"][1]["ratio"] = 0.5
    assert "takes 0.50 (numpy, 30 hidden units)" in headline(results)
    results["results"][1]["spread"]["ratio"] = [0.4, 1.1]
    assert headline(results).endswith("Not sure from so few repeats at 30: its interval includes 1 there.")
    results["results"][5]["spread"]["ratio"] = None  # as where the comparison was interrupted after a round
    assert "From a single run at 300: how far it varies is not known. Not sure from so few" in headline(results)
    results["results"] = [row for row in results["results"] if row["net"] != "numpy"]
    assert headline(results) == "No other net could be ranked beside fastmlp."


# --- Page and plots ---------------------------------------------------------------------------------------------------


def test_report_holds_the_page_the_plots_and_the_results(results, tmp_path):
    pytest.importorskip("matplotlib")
    page = write_report(results, tmp_path / "report")
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"report.html", "results.json", *(f"{plot}.{kind}" for plot in PLOTS for kind in ("png", "svg"))}
    assert read_results(page.parent / "results.json") == results
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/svg+xml;base64,") == len(PLOTS)
    assert not re.search(r"(src|href)=['\"](?!data:)", text)  # it needs no other file
    assert "&lt;znver3&gt;" in text and "<znver3>" not in text
    assert "not ranked" in text and "no [paper] | ink" in text and "Parity" in text
    assert "interrupted" not in text


def test_report_without_matplotlib_says_so(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    text = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert "they need matplotlib (pip install" in text and "<table>" in text


def test_report_of_one_size_and_nothing_else(results, tmp_path):
    pytest.importorskip("matplotlib")
    results["parameters"]["hidden_sizes"] = [30]
    results["results"] = results["results"][:1]
    assert "No other net could be ranked" in write_report(results, tmp_path).read_text(encoding="utf-8")


def test_report_of_failures_alone(results, tmp_path):
    results["results"] = [row for row in results["results"] if "error" in row]
    text = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert "no [paper] | ink" in text and "matplotlib" not in text


def test_dense_count(results):
    # 60,000 samples of 4 D H + 6 H C operations: 57.5 GFLOP at 300 hidden units
    assert dense_epoch_seconds(results, 300) == pytest.approx(57.528 / 100, rel=1e-3)


# --- The file ---------------------------------------------------------------------------------------------------------


def without(results, *keys):
    *path, last = keys
    for key in path:
        results = results[key]
    del results[last]


def put(results, value, *keys):
    *path, last = keys
    for key in path:
        results = results[key]
    results[last] = value


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: put(r, 99, "schema"), "is of schema 99 and this fastmlp reads schema 1"),
        (lambda r: without(r, "schema"), "is of schema None"),
        (lambda r: put(r, "training", "kind"), "holds no results of `fastmlp compare`"),
        (lambda r: without(r, "environment", "peak_gflops"), "environment lacks 'peak_gflops'"),
        (lambda r: put(r, {}, "results"), "results is no list"),
        (lambda r: put(r, 3, "results", 1), "results[1] is 3"),
        (lambda r: put(r, "fast", "results", 1, "train_seconds"), 'results[1].train_seconds is "fast"'),
        (lambda r: put(r, True, "results", 0, "test_accuracy"), "results[0].test_accuracy is true"),
        (lambda r: put(r, [1], "results", 0, "spread", "ratio"), "results[0].spread.ratio is [1]"),
        (lambda r: put(r, [None], "results", 0, "history", "seconds"), "results[0].history.seconds[0] is null"),
        (lambda r: without(r, "results", 7, "error"), "results[7] lacks 'version'"),
    ],
)
def test_damaged_results_are_told_by_place(results, tmp_path, damage, message):
    damage(results)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    with pytest.raises(ResultsFileError, match=re.escape(message)):
        read_results(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b'{"kind": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_told(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(ResultsFileError, match="results"):
        read_results(path)


def test_cut_off_anywhere_is_told(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole) - 2, 997):
        saved.write_bytes(whole[:length])
        with pytest.raises(ResultsFileError, match="is damaged"):
            read_results(saved)


# --- The command ------------------------------------------------------------------------------------------------------


def test_command_makes_the_report_again(saved, tmp_path, results):
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(main, ["report", str(saved), "--output", str(tmp_path / "again")])
    assert result.exit_code == 0, result.stderr
    assert "hidden units" in result.stdout and "report written to" in result.stderr
    assert (tmp_path / "again" / "report.html").is_file()
    assert json.loads(CliRunner().invoke(main, ["report", str(saved), "--json"]).stdout) == results
    assert CliRunner().invoke(main, ["report", str(saved), "--csv"]).stdout == csv_text(results)
    assert CliRunner().invoke(main, ["report", str(saved), "--markdown"]).stdout == markdown(results)


def test_command_tells_bad_input(saved, tmp_path):
    saved.write_bytes(saved.read_bytes()[:500])
    result = CliRunner().invoke(main, ["report", str(saved)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {saved} is damaged") and "Traceback" not in result.stderr
    assert CliRunner().invoke(main, ["report", str(tmp_path / "none.json")]).exit_code == 2
    folder = CliRunner().invoke(main, ["report", str(saved), "--output", "/proc/report"])
    assert folder.exit_code == 2 and "cannot be written" in folder.stderr
    assert CliRunner().invoke(main, ["report", str(saved), "--csv", "--json"]).exit_code == 2

"""The report of a comparison: the tables, the page, the plots, and the command that makes them again."""

import csv
import io
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from fastmlp.cli import main
from fastmlp.comparison.report import csv_text, markdown, print_tables, write_report
from fastmlp.comparison.report.page import headline
from fastmlp.comparison.report.plots import PLOTS, alternative_text, draw
from fastmlp.comparison.report.reached import accuracy_to_reach, reached
from fastmlp.comparison.report.tables import SPEEDS, cells, ranking
from fastmlp.comparison.results_file import read_results, write_results
from fastmlp.plots import save_figure

ROOT = Path(__file__).parents[1]


def terminal(results):
    console = Console(file=io.StringIO(), width=40, highlight=False)
    print_tables(results, console)
    return console.file.getvalue()


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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character(results, saved_results, encoding):
    """What it lacks is shown by number, and nothing else is lost."""
    results["results"][-1]["error"] = "no 墨水"
    write_results(results, saved_results)
    done = subprocess.run(
        [sys.executable, "-m", "fastmlp", "report", saved_results],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    text = done.stdout.decode("ascii")
    assert "300 hidden units" in text and r"no \u58a8\u6c34" in text
    assert text.count("\\") == 2


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
        "The fastest other net takes 2.00 (numpy, 30 hidden units) to 2.00 times (numpy, 300) fastmlp's training time."
    )
    results["results"][1]["ratio"] = 0.5
    assert "takes 0.50 (numpy, 30 hidden units)" in headline(results)
    results["results"][1]["spread"]["ratio"] = [0.4, 1.1]
    assert headline(results).endswith("At 30 so few repeats leave it open which is faster: the interval includes 1.")
    results["results"][5]["spread"]["ratio"] = None  # as where the comparison was interrupted after a round
    assert "At 300 there is only a single run, so its variation is unknown. At 30 so few" in headline(results)
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


def test_epochs_stand_beside_their_arithmetic(results):
    row = ranking(results, 300)[0]
    assert row["net"] == "fastmlp" and row["epoch_seconds"] == 1.0
    texts = dict(zip(SPEEDS, cells(row, SPEEDS), strict=True))
    assert (texts["/ its arithmetic"], texts["/ that of nonzeros"]) == ("1.7", "8.4")  # of 0.575 and 0.119 s
    assert (texts["Score of 1 row"], texts["Score of the test set"]) == ("0.10 ms", "20.00 ms")


# --- Seconds to an accuracy -------------------------------------------------------------------------------------------


def reach(results, net, size, *epochs):
    """Let each repeat of a net reach 0.975 in this epoch, 1 or 2, or not at all for None."""
    for row in results["results"]:
        if (row["net"], row["hidden_size"]) == (net, size):
            for run, epoch in zip(row["repeats"], epochs, strict=True):
                run["history"]["val_accuracy"] = [0.976 if epoch and k >= epoch else 0.96 for k in (1, 2)]


def test_seconds_to_an_accuracy_are_those_of_the_best_size(results):
    assert accuracy_to_reach(results) == "0.97"
    reach(results, "fastmlp", 30, 1, 2, 2)
    reach(results, "fastmlp", 300, 1, 1, 1)
    reach(results, "numpy", 300, 2, 2, 2)
    assert accuracy_to_reach(results) == "0.975"
    ours, numpy = reached(results, "0.975")  # jax failed the parity check, torch has no result
    assert (ours.net, ours.hidden_size, ours.seconds, ours.start) == ("fastmlp", 30, 0.2, 3.0)  # 0.1, 0.6 and 0.2
    assert (numpy.net, numpy.hidden_size, numpy.seconds) == ("numpy", 300, 4.0)  # 4.0, 13.2 and 3.6
    assert ours.interval[0] < 0.1 and ours.interval[1] > 0.6
    assert numpy.interval[0] < 3.6 and numpy.interval[1] > 13.2


def test_what_not_every_repeat_reached_has_no_seconds(results):
    reach(results, "fastmlp", 300, 2, 2, 2)
    reach(results, "numpy", 30, 1, None, 1)
    numpy = reached(results, "0.975")[1]
    assert (numpy.net, numpy.hidden_size, numpy.seconds, numpy.interval) == ("numpy", 30, None, None)
    assert (numpy.n_reached, numpy.repeats, numpy.highest) == (2, 3, 0.976)
    assert alternative_text("to-accuracy", results) == (
        "Seconds of training to 97.5 % test accuracy: fastmlp 2.00 s, numpy not reached"
    )
    texts = texts_of(draw("to-accuracy", results))
    assert "only in 2 of 3 repeats; at best 97.6 %" in texts
    reach(results, "numpy", 30, None, None, None)
    assert "not in 2 epochs; at best 97.1 %" in texts_of(draw("to-accuracy", results))  # with 300


def test_accuracy_that_nobody_reached(results):
    for row in results["results"]:
        for run in row["repeats"] if "error" not in row else ():
            run["history"]["val_accuracy"] = [0.5, 0.6]
    assert accuracy_to_reach(results) == "0.95"
    assert "not in 2 epochs; at best 60.0 %" in texts_of(draw("to-accuracy", results))


def test_single_repeats_have_seconds_and_no_interval(results):
    for row in results["results"]:
        row["repeats"] = row["repeats"][:1] if "error" not in row else []
    ours = reached(results, "0.95")[0]
    assert (ours.net, ours.seconds, ours.interval) == ("fastmlp", 0.1, None)
    assert "0.20 s" in texts_of(draw("to-accuracy", results))


# --- How plots look ---------------------------------------------------------------------------------------------------


def drawn_texts(figure):
    """The texts that are drawn of a figure, each with its box."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    found, draw_text = [], Text.draw

    def spy(text, renderer, *args, **kwargs):
        if text.get_visible() and text.get_text().strip():
            x0, y0, x1, y1 = Text.get_window_extent(text, renderer).extents
            empty = text.get_text().startswith("\n")  # the first of two lines
            found.append((text.get_text(), Bbox.from_extents(x0, y0, x1, (y0 + y1) / 2 if empty else y1)))
        return draw_text(text, renderer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # so that all is in its place
        patch.setattr(Text, "draw", spy)
        canvas.draw()
    return found


def texts_of(figure):
    return {text for text, _ in drawn_texts(figure)}


def collisions(figure):
    """The pairs of texts that touch, and those that are cut off."""
    texts = drawn_texts(figure)
    whole = figure.bbox
    pairs = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(texts, 2)
        if one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1
    ]
    return pairs + [
        (text, "the edge") for text, box in texts if box.x0 < 0 or box.y0 < 0 or box.x1 > whole.x1 or box.y1 > whole.y1
    ]


@pytest.mark.parametrize("name", PLOTS)
def test_no_texts_touch(name, results):
    pytest.importorskip("matplotlib")
    assert collisions(draw(name, results)) == []
    assert collisions(draw(name, read_results(ROOT / "bench" / "comparison.json"))) == []


@pytest.mark.parametrize(
    "sizes", [(256, 300), (30, 128, 250, 256, 300, 310), (1, 2, 3, 4, 5, 6, 7, 8, 9), (100_000, 100_001)]
)
def test_no_hidden_sizes_touch(results, sizes):
    """Not even those that lie close together: one line lower, or left out."""
    pytest.importorskip("matplotlib")
    first, others = results["results"][0], results["results"][1:]
    results["parameters"]["hidden_sizes"] = list(sizes)
    results["results"] = [dict(first, hidden_size=size) for size in sizes]
    results["results"] += [dict(row, hidden_size=sizes[-1]) for row in others[:1]]
    figure = draw("accuracy", results)
    assert collisions(figure) == []
    assert {str(sizes[0]), str(sizes[-1])} <= {text.strip() for text in texts_of(figure)}


def test_pictures_are_opaque_cards(results, tmp_path):
    """So that they can be read on a dark page as on a bright one; nothing comes nearer to the edge than a margin."""
    pytest.importorskip("matplotlib")
    Image = pytest.importorskip("PIL.Image")
    for name in PLOTS:
        path = tmp_path / f"{name}.png"
        save_figure(draw(name, results), path)
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
        assert pixels[..., 3].min() == 255
        for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
            assert edge.min() == 255


# --- The command ------------------------------------------------------------------------------------------------------


def test_command_makes_the_report_again(saved_results, tmp_path, results):
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(main, ["report", str(saved_results), "--output", str(tmp_path / "again")])
    assert result.exit_code == 0, result.stderr
    assert "hidden units" in result.stdout and "report written to" in result.stderr
    assert (tmp_path / "again" / "report.html").is_file()
    assert json.loads(CliRunner().invoke(main, ["report", str(saved_results), "--json"]).stdout) == results
    assert CliRunner().invoke(main, ["report", str(saved_results), "--csv"]).stdout == csv_text(results)
    assert CliRunner().invoke(main, ["report", str(saved_results), "--markdown"]).stdout == markdown(results)


def test_command_tells_bad_input(saved_results, tmp_path):
    saved_results.write_bytes(saved_results.read_bytes()[:500])
    result = CliRunner().invoke(main, ["report", str(saved_results)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {saved_results} is damaged") and "Traceback" not in result.stderr
    assert CliRunner().invoke(main, ["report", str(tmp_path / "none.json")]).exit_code == 2
    folder = CliRunner().invoke(main, ["report", str(saved_results), "--output", "/proc/report"])
    assert folder.exit_code == 2 and "cannot be written" in folder.stderr
    assert CliRunner().invoke(main, ["report", str(saved_results), "--csv", "--json"]).exit_code == 2


# --- Names that are no names ------------------------------------------------------------------------------------------

NASTY = "a|b\\c`d<script>alert(1)</script>\n# e $x$ *f* [g](h)\x1b[2J"


@pytest.fixture
def nasty(results):
    """The results of a comparison whose names are what nobody would call anything."""
    results["data"]["name"] = NASTY
    results["parameters"]["nets"] = [*results["parameters"]["nets"], NASTY]
    for row in results["results"]:
        if row["net"] == "numpy":
            row["net"] = NASTY
    results["results"][-1]["error"] = f"=HYPERLINK({NASTY})"
    results["environment"]["cpu"] = NASTY
    return results


def test_names_are_escaped_in_markdown(nasty):
    text = markdown(nasty)
    shown = r"a\|b\\c\`d\<script\>alert(1)\</script\>\\n\# e $x$ \*f\* \[g](h)\\x1b\[2J"
    assert f"| {shown} |" in text
    assert f"\n{shown}, 60,000 samples" in text
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}) == 1
    assert "\x1b" not in text and "\n#" not in text


def test_names_are_escaped_in_the_page_and_in_plots(nasty, tmp_path):
    page = write_report(nasty, tmp_path / "report").read_text(encoding="utf-8")
    assert "<script>" not in page and "\x1b" not in page
    assert r"a|b\c`d&lt;script&gt;alert(1)&lt;/script&gt;\n# e $x$" in page


def test_names_are_escaped_on_a_terminal_and_are_no_formulas(nasty):
    text = terminal(nasty)
    assert "\x1b" not in text and r"</script>\n# e $x$" in text
    rows = list(csv.DictReader(io.StringIO(csv_text(nasty))))
    assert rows[-1]["error"] == f"'=HYPERLINK({NASTY})"
    assert {row["net"] for row in rows} > {NASTY}
    assert all(float(row["train_seconds"]) > 0 for row in rows if not row["error"])

"""The measured figures on README.md and docs/comparison.md are those of the results file, and so are their pictures."""

import re

import pytest
import readme
from PIL import Image

from fastmlp.comparison.report.reached import accuracy_to_reach, reached
from fastmlp.comparison.results_file import read_results
from fastmlp.contenders import MODULES

PAGES = pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)


@pytest.fixture(scope="module")
def results():
    return read_results(readme.RESULTS)


@PAGES
def test_figures_are_those_of_the_results(page, results):
    text = page.read_text(encoding="utf-8")
    assert readme.with_block(text, readme.PAGES[page](results)) == text, "run `make readme`"


@PAGES
def test_a_changed_figure_would_be_seen(page, results):
    rows = [row | {"train_seconds": row["train_seconds"] * 1.01 + 0.01} for row in results["results"]]
    assert readme.PAGES[page](results | {"results": rows}) not in page.read_text(encoding="utf-8")


def test_a_page_without_marks_is_an_error():
    with pytest.raises(ValueError, match="comparison:end"):
        readme.with_block(f"# A page\n{readme.BEGIN}", "figures\n")


def test_readme_has_a_row_for_each_hidden_size(results):
    rows = [line.split(" | ") for line in readme.summary(results).splitlines() if re.match(r"\| \d", line)]
    assert [row[0] for row in rows] == ["| 30", "| 128", "| 256", "| 300"]
    for hidden_size, (_, _, net, _, ratio, *_) in zip((30, 128, 256, 300), rows, strict=True):
        others = [r for r in results["results"] if r["hidden_size"] == hidden_size and r["net"] != "fastmlp"]
        fastest = min(others, key=lambda row: row["ratio"])
        assert net == fastest["net"]
        assert ratio.startswith(f"{fastest['ratio']:.2f} (")


def test_ours_is_the_fastest_at_every_size_as_the_readme_says(results):
    others = [row for row in results["results"] if row["net"] != "fastmlp"]
    assert all(row["parity"]["passed"] and row["spread"]["ratio"][0] > 1 for row in others)


def test_pictures_were_drawn_from_the_results():
    for path in readme.PICTURES.values():
        with Image.open(path) as picture:
            assert picture.text["Description"] == readme.digest(), "run `make readme`"
        assert f"]({path.name})" in (readme.ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    assert f"]({readme.PICTURES['to-accuracy'].relative_to(readme.ROOT)})" in (readme.ROOT / "README.md").read_text(
        encoding="utf-8"
    )


def test_every_net_reaches_what_the_first_picture_says(results):
    """The captions say 97.5 %, seven nets, and the best size of each."""
    assert accuracy_to_reach(results) == "0.975"
    ones = reached(results, "0.975")
    assert {one.net for one in ones} == set(MODULES)
    assert ones[0].net == "fastmlp"
    for one in ones:
        times = [row["seconds_to_accuracy"]["0.975"] for row in results["results"] if row["net"] == one.net]
        assert one.seconds == min(seconds for seconds in times if seconds is not None)


def test_results_are_of_the_whole_comparison(results):
    assert results["complete"]
    assert results["parameters"]["hidden_sizes"] == [30, 128, 256, 300]
    assert results["parameters"]["epochs"] == 20
    assert results["data"]["name"] == "mnist"
    assert {row["net"] for row in results["results"]} == set(MODULES)

"""What the README says of measurements is what the results file says, and what it names is there."""

import re

import pytest
import readme
from PIL import Image

from fastmlp.cli import COMMANDS
from fastmlp.comparison.results import read_results
from fastmlp.contenders import MODULES

README = readme.README.read_text()


@pytest.fixture(scope="module")
def results():
    return read_results(readme.RESULTS)


def test_table_is_that_of_the_results(results):
    assert readme.with_block(README, results) == README, "run `make readme`"


def test_a_changed_figure_would_be_seen(results):
    row = next(row for row in results["results"] if "error" not in row)
    changed = results | {"results": [row | {"train_seconds": row["train_seconds"] * 1.01 + 0.01}]}
    assert readme.with_block(README, changed) != README


def test_pictures_were_drawn_from_the_results():
    for path in readme.PICTURES.values():
        with Image.open(path) as picture:
            assert picture.text["Description"] == readme.digest(), "run `make readme`"
        assert f"]({path.relative_to(readme.ROOT)})" in README


def test_results_are_of_the_whole_comparison(results):
    assert results["complete"]
    assert results["parameters"]["hidden_sizes"] == [30, 128, 256, 300]
    assert results["parameters"]["epochs"] == 20
    assert results["data"]["name"] == "mnist"
    assert {row["net"] for row in results["results"]} == set(MODULES)


def test_every_command_is_named():
    for name in COMMANDS:
        assert re.search(rf"^fastmlp {name}\b", README, re.MULTILINE), name


def test_pictures_that_it_shows_are_there():
    for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README):
        assert (readme.ROOT / path).is_file()

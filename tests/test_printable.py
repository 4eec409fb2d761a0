"""Names in the output of every command: nothing in them reaches the terminal as a command to it."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp.cli import main
from fastmlp.files.spreadsheet import as_text_cell
from fastmlp.printable import printable

UGLY = "\x1b[31mred\x07\x9b2J\u202e"
ESCAPED = r"\x1b[31mred\x07\x9b2J\u202e"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (UGLY, ESCAPED),
        ("plain", "plain"),
        ("róża 墨水 👩‍🔬 می‌خواهم", "róża 墨水 👩‍🔬 می‌خواهم"),
        ("a\tb\r\nc\u2028\x7f", r"a\tb\r\nc\u2028\x7f"),
        ("not\udcffUnicode", r"not\udcffUnicode"),
        (r"a\x1b", r"a\x1b"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "-", "=", "-1+1", "+1e", "-١"])
def test_what_looks_like_a_formula_is_quoted(text):
    assert as_text_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "rose", "1", "-1", "+1.5", "-.5e-3", "1=1", "a-b", "'=1"])
def test_other_text_stays_as_it_is(text):
    assert as_text_cell(text) == text


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset with an ugly name and ugly classes, and a model that was trained on it."""
    folder = tmp_path_factory.mktemp("ugly")
    rng, y = np.random.default_rng(0), np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + 4 * y[:, None]
    np.savez(folder / f"{UGLY}.npz", X=X, y=np.array([UGLY, "=1+1"])[y])
    np.savez(folder / f"={UGLY}.npz", X=X[:2])
    done = run("train", "--dataset", folder / f"{UGLY}.npz", "-H", 3, "-e", 2, "-o", folder / f"{UGLY}.model")
    assert done.exit_code == 0, done.output
    assert_harmless(done, times=3)
    return folder


def assert_harmless(done, times=1):
    """No control character was printed, and the name as it is shown was, at least so often."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.output)
    assert done.output.count(ESCAPED) >= times


def test_commands_show_names_harmlessly(folder):
    data, model = folder / f"{UGLY}.npz", folder / f"{UGLY}.model"
    for times, *args in (
        (2, "data", "--dataset", data),
        (3, "evaluate", model),
        (3, "predict", model, folder / f"={UGLY}.npz"),
        (1, "export", model, "--to", "onnx", "-o", folder / f"{UGLY}.onnx"),
    ):
        done = run(*args)
        assert done.exit_code == 0, done.output
        assert_harmless(done, times)
    for args in (
        ("data", "--dataset", folder / f"{UGLY}.csv"),
        ("evaluate", data),
        ("predict", model, folder / f"{UGLY}.csv"),
        ("train", "--dataset", data, "-o", model),
        (UGLY,),
    ):
        done = run(*args)
        assert done.exit_code > 0
        assert_harmless(done)


def test_predictions_as_csv_hold_no_formula(folder):
    done = CliRunner().invoke(main, ["predict", str(folder / f"{UGLY}.model"), str(folder / f"={UGLY}.npz"), "--csv"])
    assert done.exit_code == 0, done.output
    assert "'=1+1" in done.stdout
    assert not re.search(r"(^|,|\")[=@+-](?!\d)", done.stdout, re.MULTILINE)
    as_json = json.loads(run("predict", folder / f"{UGLY}.model", folder / f"={UGLY}.npz", "--json").stdout)
    assert set(as_json["classes"]) == {"=1+1", UGLY}

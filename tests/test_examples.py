"""The examples run, and what they print is what they promise."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
NEEDS = {"one_hot": ("sklearn", "pandas"), "parts_on_disk": (), "text": ("sklearn",)}


def accuracies(printed):
    return [float(each) for each in re.findall(r"(?:accuracy|\}:) (\d\.\d+)", printed)]


def test_each_example_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*NEEDS, "sweep_on_a_cluster"}


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs_without_a_warning_learns_and_leaves_nothing(name, tmp_path, monkeypatch, capsys):
    for library in NEEDS[name]:
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    found = accuracies(capsys.readouterr().out)
    assert found
    assert min(found) > 0.9
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_the_example_of_a_cluster_runs_and_learns(tmp_path):
    for library in ("sklearn", "distributed"):
        pytest.importorskip(library)
    command = [sys.executable, str(FOLDER / "sweep_on_a_cluster.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    found = accuracies(done.stdout)
    assert len(found) == 4
    assert max(found) > 0.9
    assert "ConvergenceWarning" not in done.stderr

"""What is a caller's mistake, what is a bug of ours, and what each looks like on the command line."""

import builtins
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastmlp import errors
from fastmlp.cli import main

ROOT = Path(__file__).parents[1]
KINDS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_a_fastmlp_error(kind):
    assert issubclass(kind, errors.FastmlpError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (errors.InvalidValueError, ValueError),
        (errors.InvalidTypeError, TypeError),
        (errors.DataError, ValueError),
        (errors.ModelFileError, ValueError),
        (errors.ResultsFileError, ValueError),
        (errors.DivergenceError, ArithmeticError),
        (errors.MissingLibraryError, ImportError),
    ],
)
def test_a_callers_mistake_is_what_python_calls_it_too(kind, base):
    assert issubclass(kind, base)


@pytest.mark.parametrize("kind", ["TypeError", "ValueError", "ArithmeticError", "ImportError", "KeyError"])
def test_a_defect_of_ours_shows_its_traceback(kind, monkeypatch):
    def defective():
        raise getattr(builtins, kind)("planted")

    monkeypatch.setattr("fastmlp.environment.environment", defective)
    result = CliRunner().invoke(main, ["info"])
    assert type(result.exception).__name__ == kind
    assert result.exit_code == 1
    assert "please report it" in result.exception.__notes__[0]


def test_the_traceback_ends_with_the_request_to_report_it():
    program = (
        "import fastmlp.environment\n"
        "def defective(): return 1 + 'x'\n"
        "fastmlp.environment.environment = defective\n"
        "from fastmlp.cli import main; main(['info'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Traceback")
    assert "in defective" in done.stderr
    assert "please report it to its developers" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (errors.InvalidValueError("the value is wrong"), 1, "the value is wrong"),
        (errors.DataError("there is no data"), 3, "there is no data"),
        (errors.ModelFileError("there is no net"), 3, "there is no net"),
        (errors.ResultsFileError("there are no results"), 3, "there are no results"),
        (errors.DivergenceError("it diverged"), 1, "it diverged"),
        (errors.MissingLibraryError("this needs a library"), 1, "this needs a library"),
        (OSError(28, "No space left on device", "model.npz"), 1, "model.npz: No space left on device"),
        (MemoryError("Unable to allocate 7 TiB"), 1, "there is not enough memory. Unable to allocate 7 TiB"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_person_can_mend_is_one_sentence(error, code, says, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr("fastmlp.environment.environment", fail)
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == code
    assert result.stderr == f"Error: {says}\n"

"""README and docs: what they show runs, what they name exists, and their links lead somewhere.

The code of a page runs in the order of its blocks, in one folder and with one set of Python names, as a reader would
type it. MNIST and the synthetic digits are cut to a few images; nothing else is changed.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import click
import numpy as np
import pytest
from click.testing import CliRunner

import fastmlp
from fastmlp import Dataset, NeuralNetwork, errors
from fastmlp.cli import COMMANDS, main
from fastmlp.datasets.synthetic.digits import draw_digits
from fastmlp.files.model import read_model

ROOT = Path(__file__).parents[1]
README, INDEX = ROOT / "README.md", ROOT / "docs" / "index.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
LONG_PAGES = {"command-line.md", "dask.md", "files.md", "sweeps.md", "tables.md", "tutorial.md"}  # much to run
LIBRARIES = {  # that the code of a page needs
    "command-line.md": ["joblib"],
    "dask.md": ["distributed"],
    "data.md": ["sklearn"],
    "python.md": ["scipy"],
    "sklearn.md": ["sklearn", "skl2onnx", "onnxruntime", "pandas"],
    "sweeps.md": ["joblib", "distributed"],
    "tables.md": ["sklearn", "pandas"],
    "text.md": ["sklearn"],
    "tutorial.md": ["joblib", "onnx", "onnxruntime"],
}
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
COMMAND_LINE = ROOT / "docs" / "command-line.md"

MOST_WORDS = 900  # in the README, outside tables and code
SLOW = ("compare", "demo", "warmup")  # and what needs Keras: their options are checked, and they are tested elsewhere
N_TRAIN, N_TEST = 1500, 300


class Block(NamedTuple):
    """A fenced block: its language, what else its first line says, its code, and the line where the code begins."""

    language: str
    title: str
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = re.finditer(r"^```(\w*) ?(.*)\n((?s:.*?))^```$", text, re.MULTILINE)
    return [Block(m[1], m[2], m[3], text.count("\n", 0, m.start(3)) + 1) for m in found]


def without_code(text: str) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```(?s:.*?)^```$", "", text, flags=re.MULTILINE)


def prose(text: str) -> str:
    """Return a page without its code and tables."""
    text = re.sub(r"^\|.*$", "", without_code(text), flags=re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", text)


def words(text: str) -> int:
    """Count the words that a person reads: pictures and the targets of links are none."""
    return len(re.sub(r"!\[.*?\]\(.*?\)|(?<=\])\(.*?\)", "", prose(text)).split())


# --- Words and links --------------------------------------------------------------------------------------------------


def test_readme_is_short():
    assert words(README.read_text(encoding="utf-8")) <= MOST_WORDS


def test_words_are_counted():
    assert (
        words("Two [words](and/a/target.md)\n| a | table |\n```sh\nfastmlp info\n```\n![a picture](b.png)\nthree\n")
        == 3
    )


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead to no file or no heading of this repository."""
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", without_code(text)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            broken.append(target)
    return broken


@EACH_PAGE
def test_links_lead_somewhere(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_broken_links_are_found():
    text = "[a](docs/files.md#pictures) [b](docs/nowhere.md) ![c](docs/no.png) [d](docs/files.md#no-such) [e](#limits)"
    assert broken_links(README, text) == ["docs/nowhere.md", "docs/no.png", "docs/files.md#no-such"]


def test_front_page_leads_to_every_page():
    """Also because the table of contents of the site is made of its links."""
    linked = {(INDEX.parent / target).resolve() for target in links(INDEX)}
    reference = set((ROOT / "docs").rglob("*.rst"))
    assert linked | {INDEX} >= {*PAGES, *reference} - {README}
    assert INDEX in {(README.parent / target).resolve() for target in links(README)}


def links(page: Path) -> list[str]:
    """Return the files that a page links to, as it names them."""
    return re.findall(r"\]\(([\w./-]+)", page.read_text(encoding="utf-8"))


def test_every_picture_is_shown():
    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r"!\[.+?\]\((.+?)\)", page.read_text(encoding="utf-8"))
    }
    assert {path.resolve() for path in (ROOT / "docs").glob("*.png")} == shown


def test_the_seconds_of_an_epoch_are_those_of_the_comparison():
    results = json.loads((ROOT / "bench" / "comparison.json").read_text(encoding="utf-8"))["results"]
    rows = ""
    for row in results:
        if row["net"] == "fastmlp":
            H, seconds = row["hidden_size"], row["train_seconds"] / 20
            count = 60_000 * (2 * 150 + 3 * 10) * H / 1e9
            rows += f"| {H} | {count:.1f} billion | {1000 * seconds:.0f} ms | {count / seconds:.0f} billion |\n"
    assert rows in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


# --- Names ------------------------------------------------------------------------------------------------------------


@EACH_PAGE
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:fastmlp|bench|tests|docs)/[\w./-]*)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def names_without_a_definition(page: Path, text: str) -> list[str]:
    """Return the names in code that link to a file of Python which does not define them."""
    missing = []
    for name, target in re.findall(r"\[`(\w+)`\]\(([^)]+\.py)\)", text):
        defined = re.compile(rf"^(?:(?:    )?def |class )?{name}\b(?=[(:]| =)", re.MULTILINE)
        if not defined.search((page.parent / target).read_text(encoding="utf-8")):
            missing.append(name)
    return missing


@EACH_PAGE
def test_names_that_link_to_a_file_are_defined_there(page):
    assert names_without_a_definition(page, page.read_text(encoding="utf-8")) == []


def test_a_name_that_is_not_defined_is_found():
    text = "[`softmax`](fastmlp/kernels/softmax.py) [`Targets`](fastmlp/kernels/softmax.py) [`add`](fastmlp/cli.py)"
    assert names_without_a_definition(README, text) == ["add"]
    assert names_without_a_definition(README, "[`load`](fastmlp/kernels/softmax.py)") == ["load"]  # only used


def lines_that_are_quoted_wrongly(text: str) -> list[str]:
    """Return the first line of each block of language `py` whose lines do not stand in the file that it names."""
    wrong = []
    for block in blocks(text):
        if block.language == "py":
            lines = [line.strip() for line in (ROOT / block.title).read_text(encoding="utf-8").splitlines()]
            quoted = [line.strip() for line in block.code.splitlines()]
            if not any(lines[k : k + len(quoted)] == quoted for k in range(len(lines))):
                wrong.append(quoted[0])
    return wrong


@EACH_PAGE
def test_lines_that_are_quoted_stand_in_their_file(page):
    assert lines_that_are_quoted_wrongly(page.read_text(encoding="utf-8")) == []


def test_a_wrong_quotation_is_found():
    right, wrong = "hidden += self.b1\nnp.maximum(hidden, 0, out=hidden)\n", "hidden += b1\n"
    page = "".join(f"```py fastmlp/contenders/numpy_net.py\n{code}```\n" for code in (right, wrong))
    assert lines_that_are_quoted_wrongly(page) == ["hidden += b1"]


@EACH_PAGE
def test_modules_that_are_named_exist(page):
    for name in re.findall(r"`fastmlp\.([\w.]+)`", page.read_text(encoding="utf-8")):
        first, _, rest = name.partition(".")
        try:
            found = getattr(fastmlp, first) if first in fastmlp.__all__ else import_module(f"fastmlp.{first}")
        except errors.MissingLibraryError:  # it exists, and needs what is not installed here
            continue
        assert not rest or hasattr(found, rest), name


@EACH_PAGE
def test_extras_and_targets_exist(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for named in re.findall(r"(?:fastmlp|\.)\[([a-z,]+)\]'", page.read_text(encoding="utf-8")):
        assert set(named.split(",")) <= extras.keys()
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"`(?:\w+=\S+ )?make ([\w-]+)", page.read_text(encoding="utf-8"))) <= set(targets)


def test_every_command_is_described_with_its_options():
    text = COMMAND_LINE.read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    for name in COMMANDS:
        assert f"[`fastmlp {name}`](#" in text
        section = next(part for title, part in sections.items() if name in title.split())
        command = main.get_command(click.Context(main), name)
        shared = "`compare`" in sections["Options for data"] and f"`{name}`" in sections["Options for data"]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                where = section + (sections["Options for data"] if shared else "")
                assert option.opts[-1] in where or option.opts[0] in where, f"{name} {option.opts}"


def test_every_kind_of_error_is_described():
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \|", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    kinds = {name: getattr(errors, name) for name in errors.__all__ if name != "FastmlpError"}
    assert dict(rows) == {name: kind.__bases__[1].__name__ for name, kind in kinds.items()}


def test_every_public_name_is_in_the_reference():
    entries = set()
    for page in (ROOT / "docs" / "reference").glob("*.rst"):
        text = page.read_text(encoding="utf-8")
        for module, options in re.findall(r"^\.\. automodule:: (\S+)\n((?:   .*\n)*)", text, re.MULTILINE):
            members = re.search(r":members:(.*)", options)[1]
            entries |= {f"{module}.{name.strip()}" for name in members.split(",")} if members else {module}
        for name in re.findall(r"^\.\. auto(?:class|function):: (\w+)$", text, re.MULTILINE):
            entries.add(f"fastmlp.{name}")
    public = set(fastmlp.__all__) | {"FastMLPClassifier"}
    elsewhere = {name for name in public if not name.startswith("_") and name not in errors.__all__}
    assert {f"fastmlp.{name}" for name in elsewhere} <= entries
    assert {f"fastmlp.{module}" for module in ("errors", "evaluation", "keras_import", "runtime")} <= entries
    export = import_module("fastmlp.export").__all__
    assert {f"fastmlp.export.{name}" for name in export if name.startswith("to_")} <= entries
    plots = import_module("fastmlp.plots").__all__
    assert {f"fastmlp.plots.{name}" for name in plots if name.startswith("plot_")} <= entries
    assert "fastmlp.dask.fit" in entries


# --- Code -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """A few synthetic digits, in MNIST's form and under its name."""
    labels = np.random.default_rng(0).permutation(np.arange(N_TRAIN + N_TEST) % 10)
    X = draw_digits(labels, seed=0) / np.float32(255)
    return Dataset(X[:N_TRAIN], labels[:N_TRAIN], X[N_TRAIN:], labels[N_TRAIN:], "mnist", input_scale=1 / 255)


@pytest.fixture
def folder(tmp_path, monkeypatch, digits):
    """A clone of which only the drawings and some results are there, on a machine with a very small MNIST."""
    for home in ("fastmlp", "fastmlp.datasets", "fastmlp.datasets.mnist", "fastmlp.contenders.fastmlp_net"):
        monkeypatch.setattr(import_module(home), "load_mnist", lambda *_: digits)
    for home in ("fastmlp", "fastmlp.datasets", "fastmlp.datasets.synthetic.digits"):
        monkeypatch.setattr(import_module(home), "load_synthetic", lambda *_: digits._replace(name="synthetic"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "report").mkdir()
    shutil.copy(ROOT / "bench" / "comparison.json", tmp_path / "report" / "results.json")
    with mock.patch.dict(os.environ):
        yield tmp_path


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.long if page.name in LONG_PAGES else ()) for page in PAGES],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_code_runs(page, folder):
    for library in LIBRARIES.get(page.name, []):
        pytest.importorskip(library)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python":
            lines = "\n" * (block.line - 1)  # so that a traceback names the line of the page
            exec(compile(lines + block.code, page, "exec"), names)
        elif block.language == "sh":
            for line in block.code.splitlines():
                run_line(line)
        elif block.language == "csv":
            (folder / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "c":
            run_c(block.code, folder)
        else:
            assert block.language in ("text", "py")


def run_line(line: str) -> None:
    """Run a line of a shell if it is one of ours and quick; of any other see that what it names exists."""
    command, *arguments = shlex.split(line, comments=True)
    if command == "cat":
        file, pipe, *rest = arguments
        assert (pipe, rest.pop(0)) == ("|", "fastmlp")
        run_fastmlp(rest, Path(file).read_bytes())
    elif command == "fastmlp":
        run_fastmlp(arguments)
    elif command == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert arguments[0] in targets
        assert all(
            f"$({argument.split('=')[0]})" in (ROOT / "Makefile").read_text(encoding="utf-8")
            for argument in arguments[1:]
        )
    elif command in ("pytest", "python"):
        assert all((ROOT / name).exists() for name in arguments if name.startswith("bench"))
    elif command == "cp":
        assert Path(arguments[0]).exists() and (ROOT / arguments[1]).exists()
    else:
        known = re.fullmatch(
            r"source \.venv/bin/activate|pip install -e '\.\[[a-z,]+\]'( onnxruntime)?",
            line.partition("  #")[0].strip(),
        )
        assert known, f"no test knows what to make of {line!r}"


def run_c(code: str, folder: Path) -> None:
    """Compile and run a program, where there is a C compiler."""
    if shutil.which("cc") is not None:
        (folder / "main.c").write_text(code, encoding="utf-8")
        subprocess.run(["cc", "-std=c99", "-o", "main", "main.c", "-lm"], cwd=folder, check=True)
        subprocess.run([folder / "main"], check=True, capture_output=True)


def run_fastmlp(arguments: list[str], stdin: bytes | None = None) -> None:
    """Run a command of ours, or see that it takes its arguments where running it is slow or needs Keras."""
    name, *rest = arguments
    if name in SLOW or "keras" in " ".join(rest):
        if name == "import":
            Path(rest[0]).touch()
        group = main.make_context("fastmlp", [name])
        main.get_command(group, name).make_context(name, rest, parent=group)
        return
    result = CliRunner().invoke(main, arguments, stdin)
    assert result.exit_code == 0, f"fastmlp {shlex.join(arguments)}: {result.output}"


def test_a_wrong_line_would_be_seen(folder):
    for line in (
        "fastmlp compare --no-such",
        "fastmlp train --hidden-size many",
        "make tea",
        "python bench/no.py",
        "ls",
    ):
        with pytest.raises((AssertionError, click.UsageError)):
            run_line(line)


@pytest.mark.long
def test_make_train_ends_as_the_readme_shows(mnist):
    """Not to the last digit: another width of vectors sums in another order."""
    assert "fastmlp train --hidden-size 300\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    row = re.search(
        r"^│ [\d.]+ s │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │$",
        README.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    net = NeuralNetwork(hidden_size=300, seed=0, n_threads=1)  # other tests run beside this one
    net.fit(mnist.x_train, mnist.y_train)
    test, train = net.predict(mnist.x_test, mnist.y_test), net.predict(mnist.x_train, mnist.y_train)
    measured = test.accuracy, test.loss, train.accuracy, train.loss
    np.testing.assert_allclose([float(cell) for cell in row.groups()], measured, atol=0.003)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["mnist", "synthetic"])
def test_first_nets_of_the_tutorial_are_as_good_as_it_says(kind, request):
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    if kind == "mnist":
        data = request.getfixturevalue("mnist")
        five, ten = re.search(r"so that ([\d.]+) is what", text)[1], re.search(r"now says ([\d.]+) \(", text)[1]
    else:
        data = fastmlp.load_synthetic()
        five, ten = re.findall(r"\(synthetic: (0\.\d+)\)", text)
    net = NeuralNetwork(hidden_size=30, seed=0, n_threads=1)
    for shown in (five, ten):
        net.fit(data.x_train, data.y_train, number_epochs=5)
        assert net.score(data.x_test, data.y_test).accuracy == pytest.approx(float(shown), abs=0.003)


# --- The session that is killed ---------------------------------------------------------------------------------------

_START = """
import numpy as np
import fastmlp
from fastmlp import *
with np.load("digits.npz") as stored:
    data = Dataset(**stored, name="mnist", input_scale=1 / 255)
"""
_KILLED_AT_THE_SECOND_CHECKPOINT = """
import os, signal, sys
renames = 0
def kill(event, arguments):
    global renames
    if event == "os.rename" and str(arguments[1]).endswith("session.npz"):
        renames += 1
        if renames == 2:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_killed_session_goes_on_to_the_same_bits(tmp_path, digits, run_python):
    """The README's lines, killed between two checkpoints, give the net of a training that never stopped."""
    (code,) = (
        block.code for block in blocks(README.read_text(encoding="utf-8")) if "TrainingSession.resume" in block.code
    )
    before, resume, after = code.partition("session = TrainingSession.resume")
    arrays = {name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "digits.npz", **arrays)

    killed = subprocess.run(
        [sys.executable, "-c", _START + _KILLED_AT_THE_SECOND_CHECKPOINT + before],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert read_model(tmp_path / "session.npz").metadata["training"]["epochs"] == 5
    run_python(_START + resume + after, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})

    resumed = NeuralNetwork.load(tmp_path / "session.npz")
    whole = NeuralNetwork(hidden_size=300, seed=0)
    whole.fit(digits.x_train, digits.y_train, batch_size=128, number_epochs=20)
    for name in ("W1", "b1", "W2", "b2"):
        assert (getattr(resumed, name) == getattr(whole, name)).all()

"""The house: who imports whom, how large things are, what is loaded when, and what a wheel holds."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from fastmlp.cli import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastmlp"

# Lines of code: a docstring is for the reader of the reference, who wants each parameter named.
MOST_LINES = 55
MOST_PARAMETERS = 8
FILES = {"fastmlp/network.py": 207, "fastmlp/commands/train.py": 125}  # lines that a file must stay below

# Each part may import the parts of the floors below its own, and itself.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"commands"},
    {"demo"},
    {"comparison", "sweep"},
    {"plots"},
    {"__init__"},  # loads the public names when they are asked for
    {"session"},
    {"keras_import"},
    {"evaluation", "environment", "export", "classifier_onnx"},
    {"classifier"},
    {"classifier_solver"},
    {"c_header", "contenders", "dask", "model_inputs", "training_record"},
    {"network", "datasets", "progress"},
    {"engine"},
    {"files"},
    {"kernels"},
    {"html"},
    {"machine", "errors", "arrays", "printable", "palette", "caller", "runtime"},
]
ALLOWED = {part: set().union(*FLOORS[floor + 1 :]) for floor, parts in enumerate(FLOORS) for part in parts}


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """The parts of fastmlp that a file imports, anywhere in it."""
    parts = set()
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names = [module] if module != "fastmlp" else [f"fastmlp.{alias.name}" for alias in node.names]
        for name in names:
            pieces = name.split(".")
            if pieces[0] == "fastmlp" and len(pieces) > 1 and pieces[1] != "__version__":
                parts.add(pieces[1])
    return parts


CODE = sorted(path for folder in ("fastmlp", "bench", "examples", "tests") for path in (ROOT / folder).rglob("*.py"))
BINARY = re.compile(r"(Image|archive|os|self|source|Source\.at\(path\))\.open")  # what opens no text


def texts_without_encoding(code: str) -> list[str]:
    """The calls in `code` that read or write text in the encoding of the locale, which may be ASCII."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            modes = [value.value for value in [*node.args, *given.values()] if isinstance(value, ast.Constant)]
            if (
                called.split(".")[-1] in ("open", "read_text", "write_text")
                and "encoding" not in given
                and not {"rb", "wb", "xb", "ab"} & set(modes)
                and not BINARY.fullmatch(called)
            ):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_opened_with_its_encoding(path):
    assert texts_without_encoding(path.read_text(encoding="utf-8")) == []


def test_text_in_the_encoding_of_the_locale_is_noticed():
    code = "open('a'); Path('b').open('w'); c.read_text(); d.write_text('rb2'); open('e', 'rb'); source.open()"
    assert texts_without_encoding(code) == ["open('a')", "Path('b').open('w')", "c.read_text()", "d.write_text('rb2')"]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    part = part_of(path)
    assert part in ALLOWED, f"say in FLOORS where {part} belongs"
    assert imports_of(path) <= ALLOWED[part] | {part}


def test_the_table_of_the_house_is_that_of_the_floors():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \| (.+) \|$", text, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", parts)) for parts, _ in rows] == FLOORS
    for parts, what in rows:
        assert len(parts.split(", ")) <= len(what.split("; "))  # each part is described


def lines_of_docstrings(tree: ast.AST) -> int:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    described = (node for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node, clean=False))
    return sum(node.body[0].end_lineno - node.body[0].lineno + 1 for node in described)


def too_large(code: str) -> dict[str, list[str]]:
    """The functions in `code` with too many lines or parameters, under "lines" and "parameters".

    Any number of parameters is allowed to a click command, which has one for each option, and to a constructor.
    """
    large: dict[str, list[str]] = {"lines": [], "parameters": []}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = node.args
            parameters = len(given.posonlyargs + given.args + given.kwonlyargs)
            is_command = any(ast.unparse(each).startswith("click.command(") for each in node.decorator_list)
            lines = node.end_lineno - node.lineno + 1  # without its decorators
            if lines - lines_of_docstrings(node) > MOST_LINES:
                large["lines"].append(node.name)
            if parameters > MOST_PARAMETERS and node.name != "__init__" and not is_command:
                large["parameters"].append(node.name)
    return large


@pytest.mark.parametrize(
    "path",
    [path for path in CODE if path.parts[len(ROOT.parts)] != "tests"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_functions_are_short(path):
    assert too_large(path.read_text(encoding="utf-8")) == {"lines": [], "parameters": []}


def test_a_large_function_is_noticed():
    eight, nine = (", ".join(f"p{k}" for k in range(n)) for n in (8, 9))
    code = (
        f"def f({eight}): pass\ndef g(p, *, {eight}): pass\n"
        f"class A:\n    def __init__({nine}): pass\n"
        f"@click.command()\ndef command({nine}): pass\n"
    )
    assert too_large(code) == {"lines": [], "parameters": ["g"]}
    lines = "    pass\n"
    assert too_large(f"def h():\n{54 * lines}\ndef i():\n{55 * lines}")["lines"] == ["i"]
    described = '    """What it does.\n\n    More.\n    """\n'
    assert too_large(f"def h():\n{described}{54 * lines}\ndef i():\n{described}{55 * lines}")["lines"] == ["i"]


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name):
    code = (ROOT / name).read_text(encoding="utf-8")
    assert len(code.splitlines()) - lines_of_docstrings(ast.parse(code)) < FILES[name]


def test_kernels_import_numpy_and_numba_only():
    allowed = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}
    for path in (PACKAGE / "kernels").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path
            elif (
                isinstance(node, ast.ImportFrom)
                and node.level == 0
                and node.module not in ("fastmlp.arrays", "fastmlp.errors")
            ):
                assert (node.module or "").split(".")[0] in allowed, path


@pytest.mark.parametrize(
    "program",
    ["import fastmlp", "import fastmlp; dir(fastmlp)", "import fastmlp.cli", "import fastmlp.contenders"],
)
def test_light_imports_load_no_numba(program):
    code = f"import sys; {program}; print([m for m in ('numba', 'numpy', 'rich', 'pooch') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).strip() == "[]"


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_loads_no_numba(command):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('loaded', [m for m in ('numba', 'numpy') if m in sys.modules]))\n"
        f"from fastmlp.cli import main; main({[*command, '--help']})"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert "Usage:" in out
    assert out.endswith("loaded []\n")


def test_public_names_are_there():
    import fastmlp

    for name in fastmlp.__all__:
        assert getattr(fastmlp, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fastmlp.nothing


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = {"3.11", "3.12", "3.13", "3.14"}


def test_the_pythons_named_are_those_that_are_tested():
    named = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)}
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert named == PYTHONS == set(re.findall(r'"(3\.\d+)"', workflow))
    assert PROJECT["requires-python"] == ">=3.11"


def test_python_too_new_for_tensorflow_is_the_same_in_the_extra_and_in_the_sentence():
    from fastmlp.machine import how_to_get_keras

    (requirement,) = PROJECT["optional-dependencies"]["keras"]
    minor = int(re.search(r"python_version < '3\.(\d+)'", requirement)[1])
    assert how_to_get_keras((3, minor - 1)) == "pip install 'fastmlp[keras]'"
    assert f"3.11 to 3.{minor - 1}: there is no TensorFlow for 3.{minor}" in how_to_get_keras((3, minor))


HIDE_POSIX = """
import os, signal, sys
sys.modules["resource"] = sys.modules["fcntl"] = None
for name in ("geteuid", "fork", "mkfifo", "killpg", "getpgrp", "sched_setaffinity", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGSTOP", "SIGCONT", "SIGALRM", "SIGUSR1"):
    if hasattr(signal, name):
        delattr(signal, name)
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests"]))
"""


@pytest.mark.long
def test_the_tests_are_found_where_only_posix_has_what_they_use():
    """Windows has neither: one name that it lacks, at the top of a file, and all tests are lost."""
    done = subprocess.run([sys.executable, "-c", HIDE_POSIX], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.long
def test_a_wheel_installs_into_a_fresh_environment_and_trains(tmp_path):
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "fastmlp/py.typed" in names
    assert {f"fastmlp/demo/pages/{name}" for name in ("index.html", "demo.css", "demo.js")} <= set(names)
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"fastmlp"}
    assert not [name for name in names if name.endswith((".gz", ".npz", ".nbi", ".nbc"))]

    # The libraries are those of the test's own environment: what is tested is the wheel, not the registry.
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages")) if os.name == "posix" else home / "Lib/site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    libraries = Path(__import__("numpy").__file__).parents[1]
    (site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    python = home / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    where = subprocess.check_output(
        [python, "-c", "import fastmlp; print(fastmlp.__file__)"], text=True, cwd=tmp_path, env=environment
    )
    assert str(home) in where
    script = "import sys; from fastmlp.cli import main; sys.argv[0] = 'fastmlp'; main()"
    command = [python, "-c", script, "train", "--hidden-size", "2", "--epochs", "1", "--dataset", "synthetic"]
    done = subprocess.run(command, text=True, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Test accuracy" in done.stdout

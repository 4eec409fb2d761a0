"""Compiled kernels on disk: the next process loads them, never stale; and they fit the CPU."""

import ctypes
import json
import os
import platform
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
import oracle
import pytest

import fastmlp
from fastmlp.kernels.checked_files import CheckedFiles
from fastmlp.kernels.compiled import _source_digest, entry
from fastmlp.kernels.softmax import update_b2

PACKAGE = Path(fastmlp.__file__).parent
KERNEL_FILES = sorted(path.name for path in (PACKAGE / "kernels").glob("*.py"))

# Train in a fresh process and print what was loaded or compiled, and what came out.
PROGRAM = """
import json, sys, warnings
from pathlib import Path
import numpy as np

with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import fastmlp
    from fastmlp import NeuralNetwork
    rng = np.random.default_rng(0)
    X = (rng.random((64, 20)) * (rng.random((64, 20)) < DENSITY)).astype(np.float32)
    y = rng.integers(0, 3, 64)
    net = NeuralNetwork(7, input_size=20, output_size=3, seed=0, n_threads=2)
    start = {name: getattr(net, name).tolist() for name in ("W1", "b1", "W2", "b2")}
    history = net.fit(X, y, 16, 1, shuffle=False)
    score = net.predict(X, y)
    end = {name: getattr(net, name).tolist() for name in ("W1", "b1", "W2", "b2")}

from numba.core.dispatcher import Dispatcher
from fastmlp.kernels.tiles import target
kernels = {}
for module in [m for name, m in sys.modules.items() if name.startswith("fastmlp.kernels")]:
    for value in vars(module).values():
        if isinstance(value, Dispatcher) and value.signatures:
            stats = value.stats
            kernels[value.py_func.__qualname__] = (
                sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
            )
print(json.dumps({
    "file": fastmlp.__file__, "start": start, "end": end, "X": X.tolist(), "y": y.tolist(),
    "loss": history.loss[0], "score": score, "compile_seconds": history.compile_seconds,
    "kernels": kernels, "width": target().width, "compiler_loaded": "numba.np.arraymath" in sys.modules,
    "warnings": [str(w.message) for w in seen],
}))
"""


class Installed(NamedTuple):
    """A copy of the package, a cache that one process has filled, and what that process said."""

    folder: Path
    cache: Path
    first: dict[str, Any]


@pytest.fixture(scope="module")
def train(run_python):
    """Run PROGRAM on the package in a folder, with a cache of its own; what it printed."""

    def run(folder: Path, cache: Path, density: float = 0.2, **env: str) -> dict[str, Any]:
        done = run_python(
            PROGRAM.replace("DENSITY", str(density)),
            cwd=folder,
            env={"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(folder), **env},
        )
        outcome = json.loads(done.stdout)
        assert Path(outcome["file"]).is_relative_to(folder)
        return outcome

    return run


@pytest.fixture(scope="module")
def installed(train, tmp_path_factory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, folder / "fastmlp", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path_factory.mktemp("cache")
    return Installed(folder, cache, train(folder, cache))


@pytest.fixture
def cache(installed, tmp_path) -> Path:
    """A copy of the filled cache, to be spoilt. (The package stays: its path is in the key.)"""
    shutil.copytree(installed.cache, tmp_path / "cache")
    return tmp_path / "cache"


def assert_right(outcome: dict[str, Any]) -> None:
    """The training step is the oracle's."""
    X, y = np.array(outcome["X"]), np.array(outcome["y"])
    start = oracle.Net(*(np.array(outcome["start"][name]) for name in oracle.Net._fields))
    expected = oracle.epoch(start, X, y, 0.1, 16)
    assert outcome["loss"] == pytest.approx(expected.loss, rel=1e-5)
    for name, exact in zip(oracle.Net._fields, expected.net, strict=True):
        np.testing.assert_allclose(outcome["end"][name], exact, rtol=1e-4, atol=1e-6)
    loss, accuracy = outcome["score"]
    assert loss == pytest.approx(oracle.loss(expected.net, X, y), rel=1e-5)
    assert accuracy == pytest.approx(oracle.accuracy(expected.net, X, y))


@pytest.mark.long  # compiles all in an empty cache
def test_a_second_process_loads_what_the_first_compiled(train, installed, cache):
    first = installed.first
    assert_right(first)
    assert first["warnings"] == []
    assert sum(misses for _, misses in first["kernels"].values()) > 0
    assert sum(hits for hits, _ in first["kernels"].values()) == 0

    second = train(installed.folder, cache)
    assert {name: misses for name, (_, misses) in second["kernels"].items() if misses} == {}
    assert all(hits > 0 for hits, _ in second["kernels"].values())
    assert second["kernels"]
    assert second["compile_seconds"] < 0.5 * first["compile_seconds"]
    assert second["end"] == first["end"]
    assert (first["compiler_loaded"], second["compiler_loaded"]) == (True, False)


@pytest.fixture
def edit(installed) -> Iterator[Any]:
    """Change a kernel file of the copy by a function of its text, until the test is over."""
    kept: dict[Path, tuple[str, os.stat_result]] = {}

    def change(name: str, function) -> None:
        path = installed.folder / "fastmlp" / "kernels" / name
        text = path.read_text(encoding="utf-8")
        assert function(text) != text, f"the edit finds nothing to change in {name}"
        kept[path] = text, path.stat()
        path.write_text(function(text), encoding="utf-8")

    yield change
    for path, (text, stat) in kept.items():
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.long
@pytest.mark.parametrize("name", KERNEL_FILES)
def test_after_an_edit_of_any_kernel_file_nothing_old_is_served(train, installed, cache, edit, name):
    edit(name, lambda text: text + "\n# edited\n")
    outcome = train(installed.folder, cache)
    assert {kernel: hits for kernel, (hits, _) in outcome["kernels"].items() if hits} == {}
    assert sum(misses for _, misses in outcome["kernels"].values()) > 0
    assert outcome["end"] == installed.first["end"]


@pytest.mark.long
def test_an_edit_that_changes_results_is_seen(train, installed, cache, edit):
    """Numba alone would miss it: lanewise.py, where ReLU becomes max(1, x), caches no function."""
    old, new = ("zero = constant(vector_of(tile), " + value for value in ("0.0", "1.0"))
    edit("lanewise.py", lambda text: text.replace(old, new))
    outcome = train(installed.folder, cache)
    assert outcome["loss"] != pytest.approx(installed.first["loss"], rel=0.01)


def test_the_digest_covers_subfolders(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "outer.py").write_text("x = 1\n", encoding="utf-8")
    (inner / "kernel.py").write_text("y = 1\n", encoding="utf-8")
    first = _source_digest(tmp_path)
    (inner / "notes.txt").write_text("no code", encoding="utf-8")
    assert _source_digest(tmp_path) == first
    (inner / "kernel.py").write_text("y = 2\n", encoding="utf-8")
    edited = _source_digest(tmp_path)
    (inner / "kernel.py").rename(tmp_path / "kernel.py")
    assert len({first, edited, _source_digest(tmp_path)}) == 3


SMALL_KERNEL = """
from typing import NamedTuple
from fastmlp.kernels.compiled import entry

class Pair(NamedTuple):
    x: int

@entry
def double(pair):
    return 2 * pair.x

print(double(Pair(21)), sum(double.stats.cache_hits.values()))
"""


def rename_the_class(folder: Path) -> None:
    (folder / "small.py").write_text(SMALL_KERNEL.replace("Pair", "Couple"), encoding="utf-8")


def fill_with(content: bytes):
    def damage(folder: Path) -> None:
        (path,) = folder.rglob("*.nbc")
        path.write_bytes(content)

    return damage


def cut_off(folder: Path) -> None:
    (path,) = folder.rglob("*.nbc")
    path.write_bytes(path.read_bytes()[:-1000])


def alter_machine_code(folder: Path) -> None:
    """What Numba alone would load, and end in a crash."""
    (path,) = folder.rglob("*.nbc")
    content = path.read_bytes()
    start = content.index(b"\x7fELF")
    path.write_bytes(content[: start + 64] + bytes(len(content) - start - 64))


def test_what_only_kernels_call_is_refused_to_python():
    with pytest.raises(TypeError, match="update_b2 is for kernels to call"):
        update_b2(*range(7))


@pytest.mark.long
@pytest.mark.parametrize(
    "damage",
    [rename_the_class, fill_with(b""), fill_with(b"garbage"), cut_off, alter_machine_code],
    ids=["renamed class", "empty", "garbage", "cut off", "altered code"],
)
def test_what_cannot_be_loaded_is_compiled_again(run_python, tmp_path, damage):
    """Numba unpickles what an older fastmlp left, with the names of its classes, before it sees that it is old."""
    (tmp_path / "small.py").write_text(SMALL_KERNEL, encoding="utf-8")

    def run() -> str:
        env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{tmp_path}"}
        return run_python("import small", env=env, cwd=tmp_path).stdout.strip()

    assert [run(), run()] == ["42 0", "42 1"]
    damage(tmp_path)
    assert [run(), run()] == ["42 0", "42 1"]


def hold_root_to_permissions() -> None:
    """Let file permissions count for root, in the program to be started, as for everybody else."""
    if os.geteuid() == 0:
        PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def read_only_install(tmp_path) -> Iterator[Path]:
    """A copy of the package in a folder where nothing can be written."""
    folder = tmp_path / "read_only"
    shutil.copytree(PACKAGE, folder / "fastmlp", ignore=shutil.ignore_patterns("__pycache__"))
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    yield folder
    for path in folders:
        path.chmod(0o755)


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_read_only_install_works_with_one_warning(run_python, read_only_install):
    cannot_write = """
import pathlib
try:
    pathlib.Path("fastmlp/kernels/__pycache__").mkdir()
except PermissionError:
    pass
else:
    raise SystemExit("this folder can be written: the test tests nothing")
"""
    nowhere = str(read_only_install / "nowhere")
    done = run_python(
        cannot_write + PROGRAM.replace("DENSITY", "0.2"),
        cwd=read_only_install,
        env={
            "HOME": nowhere,
            "XDG_CACHE_HOME": nowhere,
            "NUMBA_CACHE_DIR": "",
            "PYTHONPATH": str(read_only_install),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        preexec_fn=hold_root_to_permissions,
    )
    outcome = json.loads(done.stdout)
    assert_right(outcome)
    (warning,) = outcome["warnings"]
    assert "NUMBA_CACHE_DIR" in warning
    assert "\n" not in warning


def run_small_kernel(run_python, folder: Path, **env: str) -> str:
    """Run SMALL_KERNEL as somebody who can write nowhere in `folder`; what it and its warnings said."""
    done = run_python(
        "import warnings; warnings.simplefilter('always'); import small",
        cwd=folder,
        env={"PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1", **env},
        preexec_fn=hold_root_to_permissions,
    )
    return done.stdout.strip() + (" and a warning" if "no folder is writable" in done.stderr else "")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.parametrize("place", ["NUMBA_CACHE_DIR", "__pycache__", "HOME"])
@pytest.mark.parametrize("home", ["that can be written", "that cannot"])
def test_kernels_of_a_folder_that_cannot_be_written_are_loaded(run_python, tmp_path, place, home):
    """As in a container: compiled when the image was built, run by another user or on a read-only file system."""
    (tmp_path / "small.py").write_text(SMALL_KERNEL, encoding="utf-8")
    warm, empty = tmp_path / "warm", tmp_path / "empty"
    for path in (warm, empty):
        path.mkdir()
    nowhere = {"NUMBA_CACHE_DIR": "", "HOME": str(empty), "XDG_CACHE_HOME": str(empty)}
    warmed = {
        "NUMBA_CACHE_DIR": {"NUMBA_CACHE_DIR": str(warm)},
        "__pycache__": {},
        "HOME": {"HOME": str(warm), "XDG_CACHE_HOME": str(warm)},
    }[place]
    if place == "HOME":
        (tmp_path / "__pycache__").mkdir(mode=0o555)  # or else it is the first that can be written
    assert run_small_kernel(run_python, tmp_path, **nowhere | warmed) == "42 0"
    if home == "that cannot":
        empty.chmod(0o555)
    kept = set(tmp_path.rglob("*.nbc"))
    folders = [tmp_path, *(path.parent for path in kept), *(path.parents[1] for path in kept)]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert run_small_kernel(run_python, tmp_path, **nowhere | warmed) == "42 1"
        assert set(tmp_path.rglob("*.nbc")) == kept
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_folder_that_is_named_and_can_be_written_is_the_only_one(run_python, tmp_path):
    """Or else an empty one would not show what a first run takes (`make targets ONLY=cold-fit`)."""
    (tmp_path / "small.py").write_text(SMALL_KERNEL, encoding="utf-8")
    assert run_small_kernel(run_python, tmp_path, NUMBA_CACHE_DIR="") == "42 0"
    assert run_small_kernel(run_python, tmp_path, NUMBA_CACHE_DIR="") == "42 1"  # from __pycache__
    assert run_small_kernel(run_python, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == "42 0"
    assert run_small_kernel(run_python, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == "42 1"


@pytest.mark.long
def test_a_cache_folder_that_cannot_be_made_falls_back(train, tmp_path):
    """NUMBA_CACHE_DIR below a file: Numba's next place is used, or none with one warning."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    shutil.copytree(PACKAGE, tmp_path / "fastmlp", ignore=shutil.ignore_patterns("__pycache__"))
    outcome = train(tmp_path, tmp_path / "file" / "cache")
    assert_right(outcome)
    assert len(outcome["warnings"]) <= 1


@pytest.mark.long
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processors")
@pytest.mark.parametrize("density", [0.2, 1.0])
@pytest.mark.parametrize(
    ("cpu", "features", "width"),
    [
        ("haswell", "+sse4.2,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe", 8),
        ("x86-64", "+sse,+sse2", 4),
    ],
)
def test_the_tile_is_made_for_the_processor_that_is_named(
    train, installed, tmp_path_factory, cpu, features, width, density
):
    if width == 8 and not {"avx2", "fma"} <= host_features():
        pytest.skip("this processor cannot run AVX2 code")
    cache = tmp_path_factory.getbasetemp() / f"cache-{cpu}"
    outcome = train(installed.folder, cache, density, NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features)
    assert outcome["width"] == width
    assert_right(outcome)


def host_features() -> set[str]:
    return {name for name, present in llvm.get_host_cpu_features().items() if present}


@pytest.mark.long
@pytest.mark.parametrize("damage", [b"", b"garbage " * 4000, None], ids=["empty", "garbage", "cut off"])
def test_with_every_file_damaged_everything_is_compiled_again(train, installed, cache, damage):
    paths = list(cache.rglob("*.nbc"))
    compiled = [kernel for kernel, (_, misses) in installed.first["kernels"].items() if misses]
    assert 2 < len(paths) < len(compiled)  # a file for each entry; what only kernels call is within
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    outcome = train(installed.folder, cache)
    assert {kernel: hits for kernel, (hits, _) in outcome["kernels"].items() if hits} == {}
    assert outcome["end"] == installed.first["end"]
    again = train(installed.folder, cache)
    assert {kernel: misses for kernel, (_, misses) in again["kernels"].items() if misses} == {}


@pytest.mark.long
@pytest.mark.parametrize(
    ("program", "environment"),
    [
        ("import numba; numba.__version__ = '0.1.2'", {}),
        ("", {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse,+sse2"}),
        ("", {"NUMBA_CPU_FEATURES": "+sse,+sse2"}),
    ],
    ids=["another Numba", "another processor", "other features"],
)
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processors")
def test_what_was_compiled_for_another_numba_or_processor_is_not_loaded(
    run_python, installed, cache, program, environment
):
    done = run_python(
        f"{program}\n" + PROGRAM.replace("DENSITY", "0.2"),
        cwd=installed.folder,
        env={"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(installed.folder), **environment},
    )
    kernels = json.loads(done.stdout)["kernels"]
    assert {kernel: hits for kernel, (hits, _) in kernels.items() if hits} == {}
    assert sum(misses for _, misses in kernels.values()) > 0


def test_without_the_compiler_a_sentence_says_so(run_python):
    done = run_python(
        "try:\n    from fastmlp import NeuralNetwork\n"
        "except Exception as error:\n    print(type(error).__name__, error)",
        env={"NUMBA_DISABLE_JIT": "1"},
    )
    assert done.stdout == (
        "FastmlpError NUMBA_DISABLE_JIT is set, and fastmlp's kernels exist only compiled: unset it\n"
    )


def test_what_is_on_disk_is_loaded_without_what_compiling_needs(run_python, tmp_path):
    """Numba's implementation of NumPy, and SciPy with it, take longer to import than the kernels to load."""
    (tmp_path / "small.py").write_text(SMALL_KERNEL, encoding="utf-8")
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{tmp_path}"}
    code = "import small, sys; print('numba.np.arraymath' in sys.modules)"
    assert run_python(code, cwd=tmp_path, env=env).stdout.split() == ["42", "0", "True"]
    assert run_python(code, cwd=tmp_path, env=env).stdout.split() == ["42", "1", "False"]


@entry
def twice(x):
    return 2 * x


def test_ctrl_c_while_a_kernel_is_loaded_waits_until_it_is(monkeypatch):
    """In LLVM's calls of Python it would be lost, and the kernel without its code."""
    load, loaded = CheckedFiles.load, []

    def interrupted(self, key):
        signal.raise_signal(signal.SIGINT)
        loaded.append(load(self, key))
        return loaded[-1]

    monkeypatch.setattr(CheckedFiles, "load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        twice(1.5)
    assert len(loaded) == 1
    monkeypatch.undo()
    assert twice(1.5) == 3

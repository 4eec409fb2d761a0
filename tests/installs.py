"""Trials of the installation: `python tests/installs.py [PYTHON ...]`, in an environment with hatchling.

Builds the sdist, and the wheel from it, and has pip install both into fresh environments of each Python that is named,
or else that is found here; uv and pipx install the wheel, where these are. With the wheel a net is trained, asked and
exported, far from this clone, and `fastmlp.runtime` predicts in an environment that has NumPy alone.

    python tests/installs.py --platforms

asks pip for which platforms and Pythons there are wheels of all that fastmlp needs. Both need a package registry. Exits
with 1 if a trial failed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINORS = range(11, 15)  # of Python 3
PLATFORMS = {
    "Linux, x86-64": "manylinux_2_28_x86_64",
    "Linux, aarch64": "manylinux_2_28_aarch64",
    "Linux with musl, x86-64": "musllinux_1_2_x86_64",
    "macOS, arm64": "macosx_14_0_arm64",
    "macOS, x86-64": "macosx_14_0_x86_64",
    "Windows, x86-64": "win_amd64",
}
PROGRAMS = "Scripts" if os.name == "nt" else "bin"

TABLE = "length,width,kind\n" + "".join(f"{k % 7},{k % 5},{'lily' if k % 7 > k % 5 else 'rose'}\n" for k in range(60))
COMMANDS = (
    "train --dataset flowers.csv --epochs 2 --hidden-size 4 --output net.npz",
    "predict net.npz new.csv",
    "export net.npz --to c --output net.h",
)
PREDICT = "from fastmlp import runtime; m = runtime.load('net.npz'); m.predict(m.inputs([{'length': 5, 'width': 1}]))"


def run(*command: str | Path, folder: Path, **more: str) -> str:
    """Return what a command prints; CalledProcessError where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    kept |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "NUMBA_CACHE_DIR": str(folder / "kernels"), **more}
    words = [str(word) for word in command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(words, cwd=folder, env=kept, check=True, text=True, errors="replace", **pipes).stdout


def tried(what: str, trial: Callable[[Path], object]) -> bool:
    """Run a trial in a folder of its own; say how long it took, and what was printed where it failed."""
    start, fault = time.perf_counter(), ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            trial(Path(folder))
        except subprocess.CalledProcessError as error:
            fault = f"\n{' '.join(error.cmd)}\n{error.output[-2000:]}"
        except OSError as error:
            fault = f"\n{error}"
    print(f"{'FAILED' if fault else 'ok'}: {what}, {time.perf_counter() - start:.0f} s{fault}", flush=True)
    return not fault


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel, as pip does; return the wheel and the sdist."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, sdist, folder=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel, sdist


def pythons() -> dict[str, Path]:
    """Return the Pythons that are found here, by version."""
    names = [shutil.which(f"python3.{minor}") for minor in MINORS]
    paths = [*filter(None, names), *Path.home().glob(".pyenv/versions/3.*/bin/python")]
    code = "import sys, ensurepip; print(sys.version_info[1], sys.executable)"
    found = {}
    for path in paths:
        try:
            minor, where = run(path, "-c", code, folder=ROOT).strip().split(maxsplit=1)
        except (OSError, subprocess.CalledProcessError):  # pyenv's shim of a version that is not chosen, say
            continue
        if int(minor) in MINORS:
            found.setdefault(f"3.{minor}", Path(where))
    return dict(sorted(found.items()))


def use(fastmlp: Path, folder: Path) -> None:
    """Train, predict and export with an installed fastmlp."""
    (folder / "flowers.csv").write_text(TABLE, encoding="utf-8")
    (folder / "new.csv").write_text("length,width\n5,1\n", encoding="utf-8")
    for line in COMMANDS:
        run(fastmlp, *line.split(), folder=folder)


def with_pip(python: Path, package: Path, folder: Path) -> Path:
    """Install with pip into a fresh environment; return the program."""
    run(python, "-m", "venv", folder / "venv", folder=folder)
    pip = [folder / "venv" / PROGRAMS / "python", "-m", "pip"]
    run(*pip, "install", package, folder=folder)
    run(*pip, "check", folder=folder)
    program = folder / "venv" / PROGRAMS / "fastmlp"
    run(program, "info", folder=folder)
    return program


def with_use(python: Path, package: Path, model: Path, folder: Path) -> None:
    """Install with pip, and use what is installed; keep the net as `model`."""
    use(with_pip(python, package, folder), folder)
    shutil.copy(folder / "net.npz", model)


def without_numba(python: Path, package: Path, model: Path, folder: Path) -> None:
    """Predict in a fresh environment that has NumPy alone."""
    run(python, "-m", "venv", folder / "venv", folder=folder)
    own = folder / "venv" / PROGRAMS / "python"
    run(own, "-m", "pip", "install", "numpy", folder=folder)
    run(own, "-m", "pip", "install", "--no-deps", package, folder=folder)
    shutil.copy(model, folder / "net.npz")
    run(own, "-c", PREDICT, folder=folder)


def with_uv(python: Path, package: Path, folder: Path) -> None:
    """Install as a tool of uv."""
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "programs")}
    run("uv", "tool", "install", "--python", python, package, folder=folder, **places)
    run(folder / "programs" / "fastmlp", "info", folder=folder)


def with_pipx(python: Path, package: Path, folder: Path) -> None:
    """Install with pipx."""
    places = {"PIPX_HOME": str(folder / "tools"), "PIPX_BIN_DIR": str(folder / "programs")}
    run("pipx", "install", "--python", python, package, folder=folder, **places)
    run(folder / "programs" / "fastmlp", "info", folder=folder)


def all_trials(named: list[str], folder: Path) -> bool:
    wheel, sdist = build(folder)
    model = folder / "net.npz"
    tools = {name: trial for name, trial in (("uv", with_uv), ("pipx", with_pipx)) if shutil.which(name)}
    works = []
    for version, python in ({path: Path(path) for path in named} or pythons()).items():
        trials: dict[str, Callable[[Path], object]] = {
            "pip, wheel": functools.partial(with_use, python, wheel, model),
            "pip, sdist": functools.partial(with_pip, python, sdist),
            "NumPy alone": functools.partial(without_numba, python, wheel, model),
            **{f"{name}, wheel": functools.partial(trial, python, wheel) for name, trial in tools.items()},
        }
        works += [tried(f"Python {version}, {what}", trial) for what, trial in trials.items()]
    for name in {"uv", "pipx"} - tools.keys():
        print(f"not tried: {name}, which is not here")
    return bool(works) and all(works)


def platforms(folder: Path) -> bool:
    """Say for which platforms pip finds wheels of all that is needed; that some have none is no failure."""
    wheel, _ = build(folder)
    for name, platform in PLATFORMS.items():
        for minor in MINORS:
            words = ["install", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--target", folder / "none"]
            where = ["--platform", platform, "--python-version", f"3.{minor}"]
            try:
                run(sys.executable, "-m", "pip", *words, *where, wheel, folder=folder)
                answer = "yes"
            except subprocess.CalledProcessError as error:
                answer = next((line for line in error.output.splitlines() if "No matching" in line), "no")
            print(f"{name}, Python 3.{minor}: {answer}", flush=True)
    return True


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        only = platforms if arguments == ["--platforms"] else functools.partial(all_trials, arguments)
        return 0 if only(Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

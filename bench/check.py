"""The regression gate: is HEAD slower than BASE? `make bench-check`, or `python bench/check.py [--base REV] [-k EXPR]`.

Both commits are laid out in a temporary folder and measured by the benchmarks of HEAD in pairs of fresh processes,
which take turns benchmark by benchmark, so that a slow moment of the machine hits both. A benchmark that looks slower
after the first pairs is measured in more of them, and counts as slower only if it still looks so (`check_rule.py`).

Exit codes: 0 nothing got slower, 1 something did, 2 there is no answer, 130 interrupted.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from check_rule import SLOWER, Times, is_faster, is_slower, is_suspect

ROOT = Path(__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("check_child.py")

KERNELS = "test_kernels and not 128-units and not 1024-units"  # the default of -k: two widths of the tile
SECONDS = 0.05  # that each benchmark is measured in each process
SCREEN_PAIRS = 5  # pairs of processes for all benchmarks
PAIRS = 10  # pairs of processes for those that look slower
START_SECONDS = 4.0  # that a pair of processes needs for imports and data, for the forecast


class CannotCheckError(Exception):
    """Why there is no answer, in one sentence."""


class Side(NamedTuple):
    """One of the two commits, laid out for measuring."""

    name: str  # BASE or HEAD
    commit: str
    folder: Path  # holds the fastmlp of this commit, its compiled kernels, and what its processes write


class Outcome(NamedTuple):
    """What one process measured, as it wrote it to RESULT.json (`check_child.py`)."""

    fastest: dict[str, float]  # name of a benchmark -> seconds of its fastest round
    total: dict[str, float]  # name of a benchmark -> seconds of all its rounds
    chosen: int  # benchmarks, by -k
    failed: dict[str, str]  # name of a benchmark or a file -> reason
    misused: str | None  # why pytest rejects its arguments, such as the expression after -k
    broken: str | None  # why nothing can be run


# ---------------------------------------------------------------------- the commits


def git(*arguments: str) -> str:
    """What git prints, in English and UTF-8; it must succeed."""
    command, environment = ["git", *arguments], os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()


def commit_of(revision: str) -> str | None:
    """The commit that a revision names, or None."""
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    except subprocess.CalledProcessError:
        return None


def check_tree() -> None:
    """Refuse to compare commits where they are not what the person has in mind."""
    try:
        top = git("rev-parse", "--show-toplevel")
    except FileNotFoundError:
        raise CannotCheckError("git is not installed, and the gate compares commits") from None
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().partition("\n")[0].removeprefix("fatal: ")
        raise CannotCheckError(f"{ROOT} is not a git checkout, and the gate compares commits ({why})") from None
    if Path(top).resolve() != ROOT:
        raise CannotCheckError(f"{ROOT} is not a git checkout of its own, and the gate compares commits")
    changed = git("status", "--porcelain", "--untracked-files=no").splitlines()
    changed += git("status", "--porcelain", "--", "fastmlp", "bench", "tests", "pyproject.toml").splitlines()
    files = sorted({line.split(maxsplit=1)[1] for line in changed})
    if files:
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        raise CannotCheckError(f"uncommitted changes ({shown}): the gate compares commits, so commit or stash first")


def choose_commits(base: str) -> tuple[str, str]:
    """The commits BASE and HEAD."""
    head_commit = commit_of("HEAD")
    if head_commit is None:
        raise CannotCheckError("there is no commit yet, so there is nothing to compare")
    base_commit = commit_of(base or "HEAD^")
    if base_commit:
        return base_commit, head_commit
    if base:
        raise CannotCheckError(f"BASE: {base!r} is not a commit of this checkout")
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise CannotCheckError("this shallow clone lacks the parent of HEAD: `git fetch --deepen=1`, or name a BASE=")
    raise CannotCheckError("HEAD is the first commit and has no parent: name a commit to compare with (BASE=)")


def lay_out(commit: str, folder: Path, *paths: str) -> None:
    """Write these paths of a commit into a folder. Unlike a worktree, it leaves nothing behind in the repository."""
    archive = folder.with_suffix(".zip")
    try:
        git("archive", "--format=zip", f"--output={archive}", commit, *paths)
    except subprocess.CalledProcessError as error:
        raise CannotCheckError(f"commit {commit[:10]} lacks {' or '.join(paths)} ({error.stderr.strip()})") from None
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)


# ---------------------------------------------------------------------- the processes


def start(side: Side, suite: Path, seconds: float, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a process that runs the suite's benchmarks with this side's fastmlp."""
    # Options that a person has set for all runs of pytest are not meant for these.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(side.folder), os.environ.get("PYTHONPATH")]))
    environment["NUMBA_CACHE_DIR"] = str(side.folder / "numba-cache")
    # -P: PYTHONPATH alone decides which fastmlp is imported.
    command = [sys.executable, "-P", str(CHILD), str(side.folder), str(side.folder / "result.json"), *arguments]
    command += ["--benchmark-only", f"--benchmark-max-time={seconds}", "--continue-on-collection-errors", "-p"]
    command += ["no:cacheprovider", f"--rootdir={suite}", f"--config-file={suite / 'pyproject.toml'}"]
    (side.folder / "result.json").unlink(missing_ok=True)
    pipe = subprocess.PIPE
    with (side.folder / "output.txt").open("wb") as output:
        return subprocess.Popen(command, bufsize=0, cwd=suite, env=environment, stdin=pipe, stdout=pipe, stderr=output)


def take_turns(processes: Sequence[subprocess.Popen[bytes]], turns: int) -> None:
    """Let the processes run `turns` benchmarks in turns: A B, B A, ... One that has ended is passed over."""
    for process in processes:
        assert process.stdout
        process.stdout.readline()  # until it is ready
    for turn in range(turns):
        for process in processes if turn % 2 == 0 else reversed(processes):
            assert process.stdin and process.stdout
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"\n")
                process.stdout.readline()  # until it is ready for the next one


def finish(side: Side, process: subprocess.Popen[bytes]) -> Outcome:
    """Wait for a process; return what it measured."""
    process.wait()
    try:
        outcome = Outcome(**json.loads((side.folder / "result.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        why = f"their process ended with exit code {process.returncode} and no result"
        raise CannotCheckError(f"the benchmarks do not run with {side.name}: {why}") from None
    if outcome.broken:
        raise CannotCheckError(f"the benchmarks do not run with {side.name}: {outcome.broken}")
    return outcome


def run(sides: Sequence[Side], suite: Path, seconds: float, *arguments: str, turns: int = 0) -> list[Outcome]:
    """Run a process for each side: the first `turns` benchmarks in turns, the rest at the same time."""
    with contextlib.ExitStack() as stack:
        processes = []
        for side in sides:
            processes.append(stack.enter_context(start(side, suite, seconds, *arguments)))
            stack.callback(processes[-1].kill)
        if turns:
            take_turns(processes, turns)
        for process in processes:
            assert process.stdin
            process.stdin.close()
        return [finish(side, process) for side, process in zip(sides, processes, strict=True)]


def compile_both(base: Side, head: Side, suite: Path, expression: str) -> tuple[list[str], float, dict[str, str]]:
    """Run everything once, so that both sides have compiled it; the times do not count.

    Returns the benchmarks that both sides can run, the least number of seconds that they take, and the others with the
    reason.
    """
    files = [str(path.relative_to(suite)) for path in sorted((suite / "bench").rglob("test_*.py"))]
    of_base, of_head = run([base, head], suite, SECONDS / 50, "-k", expression, *files)
    if of_head.misused:
        raise CannotCheckError(f"BENCH: pytest cannot use {expression!r}: {of_head.misused}")
    if of_head.failed:
        name, why = next(iter(of_head.failed.items()))
        raise CannotCheckError(f"HEAD's own benchmark fails: {name}: {why}")
    if not of_head.chosen:
        raise CannotCheckError(f"BENCH: no benchmark of HEAD matches {expression!r}")
    if not of_head.fastest:
        raise CannotCheckError(f"BENCH: HEAD skips every benchmark that matches {expression!r}")
    missing: dict[str, str] = {}
    for name in of_head.fastest:
        reason = of_base.failed.get(name) or of_base.failed.get(name.partition("::")[0])
        if reason or name not in of_base.fastest:
            missing[name] = reason or "it is skipped, or not there"
    both = [name for name in of_head.fastest if name not in missing]
    return both, sum(max(of_head.total[name], SECONDS) for name in both), missing


def measure_pairs(base: Side, head: Side, suite: Path, names: list[str]) -> dict[str, Times]:
    """Measure these benchmarks in pairs of processes; the two sides begin a pair alternately.

    After the first `SCREEN_PAIRS` pairs, only the benchmarks that look slower are measured further.
    """
    times = {name: Times((), ()) for name in names}
    for pair in range(1, PAIRS + 1):
        suspects = names[0] if len(names) == 1 else f"{len(names)} that look slower"
        tell(f"all: pair {pair} of {SCREEN_PAIRS}" if pair <= SCREEN_PAIRS else f"{suspects}: pair {pair} of {PAIRS}")
        fastest = {}
        sides = (base, head) if pair % 2 else (head, base)
        for side, outcome in zip(sides, run(sides, suite, SECONDS, *names, turns=len(names)), strict=True):
            if outcome.failed or set(outcome.fastest) != set(names):
                name = next(iter(outcome.failed), "a benchmark")
                raise CannotCheckError(f"{name} ran once with {side.name} and then failed: {outcome.failed.get(name)}")
            fastest[side] = outcome.fastest
        times |= {name: times[name].and_a_pair(fastest[base][name], fastest[head][name]) for name in names}
        if pair >= SCREEN_PAIRS:
            names = [name for name in names if is_suspect(times[name])]
        if not names:
            break
    return times


# ---------------------------------------------------------------------- what is printed


def tell(text: str) -> None:
    """Print progress, or why there is no answer, on stderr."""
    print(f"bench-check: {text}", file=sys.stderr, flush=True)


def described(commit: str) -> str:
    """A commit's short hash and subject."""
    return git("log", "-1", "--format=%h (%s)", commit)


def print_table(times: dict[str, Times], slower: set[str], missing: dict[str, str]) -> None:
    """Print a row for each benchmark: the fastest time of each side, and the ratio."""
    width = max(map(len, [*times, *missing]))
    print(f"{'benchmark':{width}} {'BASE ms':>10} {'HEAD ms':>10}  ratio")
    for name, one in times.items():
        mark = "slower" if name in slower else "faster" if is_faster(one) else ""
        row = f"{name:{width}} {min(one.base) * 1e3:10.4f} {min(one.head) * 1e3:10.4f} {one.ratio:6.2f}  {mark}"
        print(row.rstrip())
    for name, why in missing.items():
        print(f"{name:{width}} not comparable (BASE: {why})")


# ---------------------------------------------------------------------- the gate


def check(base_revision: str, expression: str, scratch: Path) -> int:
    """Compare the commits, print the result, and return the exit code."""
    check_tree()
    base_commit, head_commit = choose_commits(base_revision)
    for module in ("pytest", "pytest_benchmark"):
        if importlib.util.find_spec(module) is None:
            raise CannotCheckError(f"{module.replace('_', '-')} is not installed here: pip install --group bench")
    tell(f"HEAD {described(head_commit)} against BASE {described(base_commit)}, benchmarks -k {expression!r}")
    suite = scratch / "suite"  # HEAD's benchmarks, without its fastmlp
    lay_out(head_commit, suite, "bench", "tests", "pyproject.toml")
    base, head = Side("BASE", base_commit, scratch / "base"), Side("HEAD", head_commit, scratch / "head")
    for side in (base, head):
        lay_out(side.commit, side.folder, "fastmlp")
    tell("compiling both, which can take half a minute")
    names, seconds, missing = compile_both(base, head, suite, expression)
    if not names:
        name, why = next(iter(missing.items()))
        raise CannotCheckError(f"BASE can run none of these benchmarks ({name}: {why})")
    forecast = SCREEN_PAIRS * (START_SECONDS + 2 * 1.5 * seconds)
    tell(
        f"{len(names)} benchmarks in {SCREEN_PAIRS} pairs of processes: "
        f"about {forecast:.0f} s, longer if something looks slower"
    )
    times = measure_pairs(base, head, suite, names)
    slower = {name for name in names if len(times[name].head) == PAIRS and is_slower(times[name])}
    print_table(times, slower, missing)
    for name in sorted(slower, key=lambda name: -times[name].ratio):
        print(f"slower: {name} takes {times[name].ratio:.2f} times as long as in BASE")
    if not slower:
        print(f"nothing got slower by {SLOWER} or more")
    return 1 if slower else 0


def stop(*_: object) -> NoReturn:
    """Treat a polite request to end (SIGTERM) as Ctrl-C."""
    raise KeyboardInterrupt


def main(*words: str) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench-check", description="Is HEAD slower than BASE?")
    parser.add_argument("--base", default="", metavar="REV", help="the commit to compare with (default: HEAD's parent)")
    parser.add_argument(
        "-k", default=KERNELS, metavar="EXPR", help=f"which benchmarks, as in pytest -k (default: {KERNELS!r})"
    )
    arguments = parser.parse_args(words)
    try:
        with tempfile.TemporaryDirectory(prefix="fastmlp-bench-check-") as scratch:
            return check(arguments.base, arguments.k, Path(scratch).resolve())
    except CannotCheckError as error:
        tell(str(error))
        return 2
    except KeyboardInterrupt:
        tell("interrupted")
        return 130


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(*sys.argv[1:]))

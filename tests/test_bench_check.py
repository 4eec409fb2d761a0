"""The regression gate: when it decides that something got slower, and what it says when it has no answer."""

import importlib.util
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import check
import check_trial
import pytest
from check_rule import Times, is_faster, is_slower, is_suspect

BENCH = Path(check.__file__).parent

# ---------------------------------------------------------------------- the decision


def noisy(seed: int, factor: float, pairs: int = check.PAIRS, disturbed: float = 1 / 12) -> Times:
    """Pairs of processes on a machine whose speed varies by up to 5 % and which disturbs a share of the processes."""
    rng = random.Random(seed)

    def second() -> float:
        return rng.uniform(1, 1.05) * (rng.uniform(1.3, 3) if rng.random() < disturbed else 1)

    return Times(tuple(second() for _ in range(pairs)), tuple(factor * second() for _ in range(pairs)))


def test_noise_raises_no_alarm():
    assert not any(is_slower(noisy(seed, 1.0)) for seed in range(300))
    assert not any(is_slower(noisy(seed, 1.0, disturbed=1 / 4)) for seed in range(300))


def test_three_tenths_more_work_does():
    assert all(is_suspect(noisy(seed, 1.3, pairs=check.SCREEN_PAIRS)) for seed in range(300))
    assert all(is_slower(noisy(seed, 1.3)) for seed in range(300))


def test_three_tenths_more_work_does_on_a_shared_machine_too():
    assert sum(is_suspect(noisy(seed, 1.3, check.SCREEN_PAIRS, 1 / 4)) for seed in range(300)) >= 297
    assert sum(is_slower(noisy(seed, 1.3, disturbed=1 / 4)) for seed in range(300)) >= 299


def test_less_work_is_faster_and_not_slower():
    assert all(is_faster(noisy(seed, 0.7)) and not is_slower(noisy(seed, 0.7)) for seed in range(300))


@pytest.mark.parametrize("disturbed", range(3))
def test_one_disturbed_process_changes_nothing(disturbed):
    head = [1.0, 1.01, 0.99]
    head[disturbed] *= 4
    assert not is_suspect(Times((1.0, 1.0, 1.0), tuple(head)))
    assert is_slower(Times(tuple(head), (1.3, 1.3, 1.3)))


@pytest.mark.parametrize("name", check_trial.PLANTS)
def test_the_slowdowns_of_the_trial_fit_the_kernels(name):
    planted = check_trial.PLANTS[name]
    text = (BENCH.parent / "fastmlp" / "kernels" / planted.file).read_text(encoding="utf-8")
    assert text.count(planted.old) == 1
    compile(text.replace(planted.old, planted.new), planted.file, "exec")


def test_one_lucky_process_is_no_alarm():
    assert is_suspect(Times((1.0, 0.8, 1.0), (1.0, 1.0, 1.0)))  # measured again
    assert not is_slower(Times((1.0, 0.8, 1.0), (1.0, 1.0, 1.0)))


# ---------------------------------------------------------------------- on small repositories

SUITE = """
import pytest
import fastmlp

def test_adds(benchmark):
    benchmark.pedantic(fastmlp.adds, (2000,), rounds=100)

@pytest.mark.skipif(not hasattr(fastmlp, "adds"), reason="no adds")
def test_counts(benchmark):
    benchmark.pedantic(fastmlp.counts, (2000,), rounds=100)
"""
PACKAGE = """
def adds(n):
    return sum(i * i for i in range(n))

def counts(n):
    return sum(1 for i in range(n))
"""
SLOW_AND_RENAMED = PACKAGE.replace("range(n)", "range(5 * n)", 1).replace("counts(n)", "old_counts(n)")


class Repository:
    """A git checkout with a fastmlp and a bench of a few lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, package: str, suite: str = SUITE) -> str:
        self.write("fastmlp/__init__.py", package)
        self.write("bench/test_kernels.py", suite)
        self.write("tests/oracle.py", "")
        self.write(".gitignore", "__pycache__/\n")
        self.write("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:  # set when git runs the tests from a hook
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # keeps a person's own hooks and signatures out
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = Repository(tmp_path / "checkout")
    monkeypatch.setattr(check, "ROOT", made.folder)
    monkeypatch.setattr(check, "SCREEN_PAIRS", 1)
    monkeypatch.setattr(check, "PAIRS", 2)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield made
    assert not list(temporary.iterdir())


def refused(capsys, *words: str) -> str:
    """Run the gate, which has no answer: exit code 2 and a last line that says why."""
    assert check.main(*words) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    return err.splitlines()[-1].removeprefix("bench-check: ")


def test_what_got_slower_and_what_cannot_be_compared_is_named(repository, capsys):
    repository.commit(SLOW_AND_RENAMED.replace("5 * n", "n"))
    repository.commit(SLOW_AND_RENAMED.replace("old_counts", "counts"))
    assert check.main() == 1
    out, err = capsys.readouterr()
    assert "slower: bench/test_kernels.py::test_adds takes " in out
    assert re.search("^bench/test_kernels.py::test_counts not comparable .BASE: AttributeError: .*counts", out, re.M)
    assert "1 benchmarks in 1 pairs" in err and "bench-check: bench/test_kernels.py::test_adds: pair 2 of 2" in err
    assert repository.git("worktree", "list").count("\n") == 0 and repository.git("status", "--porcelain") == ""


@pytest.mark.long
def test_what_got_faster_is_no_alarm(repository, capsys):
    base = repository.commit(SLOW_AND_RENAMED)
    repository.commit(PACKAGE)
    repository.commit(PACKAGE)
    assert check.main("--base", base, "-k", "test_adds") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].endswith("faster") and "test_counts" not in out
    assert out.splitlines()[-1] == "nothing got slower by 1.15 or more"


@pytest.mark.long
def test_the_two_sides_take_turns(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "PAIRS", 1)
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    tells = "import os\n" + "".join(
        f"def {name}(n):\n    with open(os.environ['TOLD'], 'a') as file:\n        file.write('SIDE {name}\\n')\n"
        for name in ("adds", "counts")
    )
    once = SUITE.replace("rounds=100", "rounds=1")
    repository.commit(tells.replace("SIDE", "base"), once)
    repository.commit(tells.replace("SIDE", "head"), once)
    check.main()
    told = (tmp_path / "told").read_text(encoding="utf-8").splitlines()
    assert len(told) == 8  # the first four while both sides compile, at the same time
    assert told[4:] == ["base adds", "head adds", "head counts", "base counts"]


def test_no_git_checkout(repository, capsys):
    shutil.rmtree(repository.folder / ".git")
    assert "is not a git checkout" in refused(capsys)


def test_a_folder_in_another_checkout(repository, capsys, monkeypatch):
    repository.commit(PACKAGE)
    monkeypatch.setattr(check, "ROOT", repository.folder / "bench")
    assert "is not a git checkout of its own" in refused(capsys)


def test_no_git(repository, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert refused(capsys) == "git is not installed, and the gate compares commits"


def test_uncommitted_changes(repository, capsys):
    repository.commit(PACKAGE)
    repository.write("results.txt", "untracked, and measured by nobody")
    repository.write("bench/test_new.py", "untracked")
    repository.write("fastmlp/__init__.py", "changed")
    assert refused(capsys, "--base", "HEAD") == (
        "uncommitted changes (bench/test_new.py, fastmlp/__init__.py): "
        "the gate compares commits, so commit or stash first"
    )


def test_no_commit(repository, capsys):
    assert refused(capsys) == "there is no commit yet, so there is nothing to compare"


def test_the_first_commit(repository, capsys):
    repository.commit(PACKAGE)
    assert refused(capsys) == "HEAD is the first commit and has no parent: name a commit to compare with (BASE=)"


def test_a_shallow_clone(repository, capsys, monkeypatch, tmp_path):
    repository.commit(PACKAGE)
    repository.commit(PACKAGE)
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=1", repository.folder.as_uri(), str(shallow))
    monkeypatch.setattr(check, "ROOT", shallow)
    assert refused(capsys).startswith("this shallow clone lacks the parent of HEAD: `git fetch --deepen=1`")


@pytest.mark.parametrize("base", ["nowhere", "HEAD~7", "--all", "HEAD:fastmlp"])
def test_an_unknown_base(repository, capsys, base):
    repository.commit(PACKAGE)
    assert refused(capsys, f"--base={base}") == f"BASE: {base!r} is not a commit of this checkout"


def test_a_base_without_the_package(repository, capsys):
    repository.write("README.md", "")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "before all")
    repository.commit(PACKAGE)
    assert "lacks fastmlp (" in refused(capsys)


def test_no_pytest_benchmark(repository, capsys, monkeypatch):
    repository.commit(PACKAGE)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pytest_benchmark" else True)
    assert refused(capsys, "--base=HEAD") == "pytest-benchmark is not installed here: pip install --group bench"


def test_a_bench_that_matches_nothing(repository, capsys):
    repository.commit(PACKAGE)
    assert refused(capsys, "--base=HEAD", "-k", "nothing") == "BENCH: no benchmark of HEAD matches 'nothing'"


def test_a_bench_that_is_no_expression(repository, capsys):
    repository.commit(PACKAGE)
    said = refused(capsys, "--base=HEAD", "-k", "adds and (")
    assert said.startswith("BENCH: pytest cannot use 'adds and (': ") and len(said) > 50  # the reason is pytest's


def test_a_bench_of_which_everything_is_skipped(repository, capsys):
    repository.commit("def counts(n):\n    pass\n")
    assert refused(capsys, "--base=HEAD", "-k", "counts") == "BENCH: HEAD skips every benchmark that matches 'counts'"


@pytest.mark.long
@pytest.mark.parametrize(("unbuffered", "options"), [("", ""), ("1", "--tb=no -q"), ("", "-k nothing --collect-only")])
def test_the_environment_changes_no_answer(repository, capsys, monkeypatch, unbuffered, options):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    monkeypatch.setenv("FORCE_COLOR", "1")
    repository.commit(SLOW_AND_RENAMED)
    said = refused(capsys, "--base=HEAD")
    assert said.startswith("HEAD's own benchmark fails: bench/test_kernels.py::test_counts: AttributeError: ")


def test_a_benchmark_that_fails_with_head(repository, capsys):
    repository.commit(PACKAGE)
    repository.commit(SLOW_AND_RENAMED)
    said = refused(capsys)
    assert said.startswith("HEAD's own benchmark fails: bench/test_kernels.py::test_counts: AttributeError: ")
    assert "counts" in said


def test_a_base_that_runs_none_of_them(repository, capsys):
    repository.commit(PACKAGE)
    repository.commit(PACKAGE + "new = 1", SUITE + "\nfrom fastmlp import new")
    said = refused(capsys)
    assert said.startswith(
        "BASE can run none of these benchmarks (bench/test_kernels.py::test_adds: ImportError: cannot"
    )


def test_a_base_that_the_suite_cannot_start_with(repository, capsys):
    repository.commit(PACKAGE)
    repository.write("bench/conftest.py", "from fastmlp import new")
    repository.commit(PACKAGE + "new = 1")
    said = refused(capsys)
    assert said.startswith("the benchmarks do not run with BASE: ImportError: ") and "new" in said


def test_a_package_that_cannot_be_imported(repository, capsys):
    repository.commit(PACKAGE)
    repository.commit("raise LookupError('no engine')")
    assert refused(capsys) == ("HEAD's own benchmark fails: bench/test_kernels.py: LookupError: no engine")


def test_a_process_that_ends_without_a_word(repository, capsys):
    repository.commit(PACKAGE)
    repository.commit("import os\nos._exit(7)")
    assert refused(capsys) == (
        "the benchmarks do not run with HEAD: their process ended with exit code 7 and no result"
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_leaves_nothing(repository, tmp_path, name):
    repository.commit(PACKAGE, SUITE.replace("rounds=100", "rounds=10**7"))
    for path in BENCH.glob("check*.py"):
        shutil.copy(path, repository.folder / "bench")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "with the gate")
    temporary = tmp_path / "tmp"
    environment = os.environ | {"TMPDIR": str(temporary)}
    command = [sys.executable, "bench/check.py"]
    with subprocess.Popen(
        command, cwd=repository.folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert any("compiling" in line for line in process.stderr)
        while not list(temporary.glob("*/head/output.txt")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        assert process.stderr.read() == "bench-check: interrupted\n"
    assert process.returncode == 130

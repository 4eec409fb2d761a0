"""`fastmlp data`: what a dataset holds, and how it was read."""

from click.testing import CliRunner

from fastmlp.cli import main


def run(*args):
    return CliRunner().invoke(main, ["data", *map(str, args)])


def test_what_is_shown(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "Id;a;b;tree\n" + "".join(f"{k};{k},5;0;{('ash', 'elm')[k % 2]}\n" for k in range(20)), encoding="utf-8"
    )
    result = run("--dataset", path, "--test-fraction", 0.5)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "dataset        own.csv",
        "separated by   semicolons, decimal commas",
        "header         the first row",
        "labels         column 4 (tree)",
        "left out       column 1 (Id)",
        "scaling        none",
        "test part      0.5 of each class, chosen by the seed 0",
        "train          10 samples of 2 values",
        "  per class    5 5",
        "  nonzero      50.0%",
        "test           10 samples of 2 values",
        "  per class    5 5",
        "  nonzero      50.0%",
        "preprocess     train standardises, (value - centre) / spread, cut off beyond 3; centre and spread of "
        "a: 11, 7.413, b: 0, 1",
        "inputs         a, b",
        "classes        ash, elm",
    ]
    assert "column 1 (Id), which only numbers or names the rows, was left out" in result.stderr


def test_a_guess_is_told_on_stderr(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("".join(f"{k % 10},{k * 37 % 256},0\n" for k in range(60)), encoding="utf-8")
    result = run("--dataset", path)
    assert "labels         column 1" in result.stdout
    assert result.stderr == (
        f"warning: {path}: the first column, column 1, was taken for the labels; --label-column names another\n"
    )


def test_a_path_is_short_for_dataset(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,label\n" + "1,x\n2,y\n" * 9, encoding="utf-8")
    assert run(path, "--test-fraction", 0.5).stdout == run("--dataset", path, "--test-fraction", 0.5).stdout
    twice = run(path, "--dataset", "mnist")
    assert twice.exit_code == 2
    assert "and --dataset mnist are two datasets; name one" in twice.stderr

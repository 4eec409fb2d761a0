"""The command line as a person meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, __version__
from fastmlp.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small(tmp_path):
    """A folder of IDX files with 60 + 20 images of 4 x 4, in three classes."""
    import numpy as np

    rng = np.random.default_rng(5)
    for part, n in (("train", 60), ("t10k", 20)):
        y = (np.arange(n) % 3).astype(np.uint8)
        x = rng.integers(0, 30, (n, 4, 4)).astype(np.uint8)
        x[np.arange(n), y] += 200
        images = bytes([0, 0, 8, 3]) + b"".join(k.to_bytes(4, "big") for k in x.shape) + x.tobytes()
        labels = bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") + y.tobytes()
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return str(tmp_path)


def run(*args, **environment):
    return CliRunner(env=environment).invoke(main, [str(arg) for arg in args])


def test_version():
    assert run("--version").stdout == f"fastmlp {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"main {command}" in result.stdout or command in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="only POSIX counts the time of child processes")
def test_help_is_quick():
    def processor_seconds():
        times = os.times()
        return times.children_user + times.children_system

    seconds = []
    for _ in range(3):
        start = processor_seconds()
        subprocess.run([sys.executable, "-m", "fastmlp", "--help"], check=True, capture_output=True, cwd=ROOT)
        seconds.append(processor_seconds() - start)
    assert min(seconds) < 0.3


def test_train_prints_the_table_on_stdout_and_the_epochs_on_stderr(small):
    result = run("train", "--dataset", small, "--hidden-size", 5, "--epochs", 30, "--batch-size", 10)
    assert result.exit_code == 0, result.stderr
    for column in ("Time", "Test accuracy", "Test loss", "Train accuracy", "Train loss"):
        assert column in result.stdout
    assert "Compiling, or loading from disk, took" in result.stdout
    assert "epoch 30/30: loss" in result.stderr
    assert "samples/s" in result.stderr
    assert "epoch" not in result.stdout


def test_train_json_is_one_object(small):
    result = run("train", "--dataset", small, "-H", 5, "-e", 30, "-b", 10, "--json")
    report = json.loads(result.stdout)
    assert report["schema"] == 1
    assert report["parameters"]["hidden_size"] == 5
    assert report["environment"]["fastmlp"] == __version__
    row = report["results"]
    assert row["net"] == "fastmlp"
    assert row["test_accuracy"] == 1.0  # the classes are easily told
    assert len(row["history"]["loss"]) == 30
    assert row["train_seconds"] == pytest.approx(sum(row["history"]["seconds"]))
    assert set(row) >= {"dataset", "compile_seconds", "test_loss", "train_accuracy", "train_loss"}


def test_the_original_scripts_flags(small):
    result = run(
        "train", "--dataset", small, "--net_type", "my", "--hidden_size", 5,
        "--batch_size", 10, "--number_epochs", 2, "--lr", 0.1, "--json",
    )  # fmt: skip
    report = json.loads(result.stdout)
    assert report["parameters"]["net"] == "fastmlp"
    assert report["parameters"]["epochs"] == 2


def test_the_numpy_net_gives_the_same_numbers(small):
    rows = [
        json.loads(run("train", "--dataset", small, "-H", 5, "-e", 5, "-b", 10, "--net", net, "--json").stdout)
        for net in ("fastmlp", "numpy")
    ]
    ours, theirs = (row["results"]["history"]["loss"] for row in rows)
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["train", "--hidden-size", "0"], 2, "--hidden-size.* 0 "),
        (["train", "--hidden-size", "many"], 2, "--hidden-size.* 'many' "),
        (["train", "--lr", "0"], 2, "--lr is 0"),
        (["train", "--lr", "nan"], 2, "--lr is nan"),
        (["train", "--epochs", "-1"], 2, "--epochs.* -1 "),
        (["train", "--net", "caffe"], 2, "--net.* 'caffe' .*'fastmlp'"),
        (["train", "--threads", "0"], 2, "--threads.* 0 "),
        (["train", "--dataset", "/no/such/file.csv"], 3, "/no/such/file.csv"),
        (["train", "--data-dir", "/no/such/folder"], 3, "/no/such/folder"),
        (["data", "--data-dir", "/no/such/folder"], 3, "/no/such/folder"),
        (["trian"], 2, "'trian'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_sentence(args, code, says):
    done = subprocess.run(
        [sys.executable, "-m", "fastmlp", *args], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(error) == 1
    assert re.search(says, error[0])


def test_divergence_is_told_in_a_sentence(small):
    result = run("train", "--dataset", small, "-H", 5, "--lr", "1e30", "--batch-size", 10)
    assert result.exit_code == 1
    assert re.search(r"Error: training diverged in epoch 1: .* learning rate 1e\+30; try a smaller lr", result.stderr)


def test_a_batch_larger_than_the_data_is_told(small):
    result = run("train", "--dataset", small, "-H", 5, "-e", 1, "-b", 5000)
    assert result.exit_code == 0
    assert "warning: batch_size 5000 is larger than the data" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
def test_ctrl_c_reports_the_finished_epochs(small):
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "train", "--dataset", small, "-H", "5", "--epochs", "10000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 3/"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert re.search(r"interrupted after \d+ of 10000000 epochs", err)
    assert "Traceback" not in err


def test_data_and_info(small):
    result = run("data", "--dataset", small)
    assert "60 samples of 16 values" in result.stdout
    assert "20 20 20" in result.stdout
    environment = json.loads(run("info", "--json").stdout)["environment"]
    assert environment["threads"] >= 1
    assert environment["cpu"]
    assert "kernel_cache" in environment


@pytest.mark.long  # compiles every form of input
def test_warmup_tells_its_time():
    result = run("warmup", "--hidden-size", 5)
    assert result.exit_code == 0
    assert re.search(r"hidden size 5: \d+\.\d\d s", result.stderr)


def test_the_threads_of_another_net_are_set_before_numpy_is_loaded():
    """NumPy's BLAS reads them once, when it is loaded."""
    program = (
        "import sys\n"
        "from fastmlp.commands import make_session\n"
        "def spy(name, threads): print(threads, 'numpy' in sys.modules); sys.exit()\n"
        "make_session._load_net = spy\n"
        "from fastmlp.cli import main; main(['train', '--net', 'numpy', '--threads', '1', '--lr', '0.1'])\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT) == "1 False\n"


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
def test_ctrl_c_pressed_again_and_again_ends_with_130(small, tmp_path):
    path = tmp_path / "net.npz"
    args = ["train", "--dataset", small, "-H", "5", "--epochs", "10000000", "-o", str(path), "--checkpoint-every", "1"]
    process = subprocess.Popen([sys.executable, "-m", "fastmlp", *args], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    for line in process.stderr:
        if line.startswith("epoch 3/"):
            break
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    err = process.stderr.read()
    process.stderr.close()
    assert process.returncode == 130, err
    assert re.search(
        rf"interrupted after \d+ of 10000000 epochs, which are saved; continue with --resume {path}\n", err
    )
    assert "Traceback" not in err and "ignored" not in err


def test_ctrl_c_where_the_file_is_current_says_how_to_go_on(small, tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    assert run("train", "--dataset", small, "-H", 5, "-e", 2, "-o", path).exit_code == 0
    before = path.read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastmlp.session.fit_weights", interrupted)
    result = run("train", "--resume", path, "-e", 9)
    assert result.exit_code == 130
    assert f"interrupted after 2 of 9 epochs, which are saved; continue with --resume {path}\n" in result.stderr
    assert path.read_bytes() == before
    result = run("train", "--resume", path, "-e", 9, "-o", tmp_path / "other.npz")
    assert f"interrupted after 2 of 9 epochs, which are saved; continue with --resume {tmp_path}" in result.stderr
    assert (tmp_path / "other.npz").exists()  # it goes on from there
    result = run("train", "--dataset", small, "-e", 9, "-o", tmp_path / "new.npz")
    assert result.stderr.endswith("interrupted after 0 of 9 epochs\n")


def test_ctrl_c_while_the_finished_epochs_are_saved_says_what_the_file_has(small, tmp_path, monkeypatch):
    path, save = tmp_path / "net.npz", NeuralNetwork.save

    def interrupted(net, *args, **options):
        if options["training"]["epochs"] > 2:
            raise KeyboardInterrupt
        save(net, *args, **options)

    monkeypatch.setattr(NeuralNetwork, "save", interrupted)
    result = run("train", "--dataset", small, "-H", 5, "-e", 9, "-o", path, "--checkpoint-every", 1)
    assert result.exit_code == 130
    assert "interrupted after 3 of 9 epochs, 2 of which are saved; continue with --resume" in result.stderr


@pytest.mark.parametrize(
    "args", [["info"], ["info", "--json"], ["data", "--dataset"], ["evaluate"], ["predict", "--csv"]]
)
@pytest.mark.skipif(os.name != "posix", reason="the shell's pipes are POSIX's")
def test_a_reader_that_has_gone_ends_it_quietly(small, tmp_path, args):
    model, rows = tmp_path / "net.npz", tmp_path / "rows.csv"
    if args[0] in ("evaluate", "predict"):
        assert run("train", "--dataset", small, "-H", 5, "-e", 1, "-o", model).exit_code == 0
        rows.write_text(("0," * 15 + "0\n") * 20, encoding="utf-8")
    more = {"data": [small], "evaluate": [model], "predict": [model, rows]}.get(args[0], [])
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", *map(str, [*args, *more])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert [line for line in err.splitlines() if not line.startswith("warning: ")] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("args", [["info"], ["info", "--json"], ["data"]])
def test_output_that_cannot_be_written_gets_a_sentence(small, args):
    more = ["--dataset", small] if args == ["data"] else []
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fastmlp", *args, *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: No space left on device"
    assert "Traceback" not in done.stderr


def test_without_the_compiler_a_sentence_says_so():
    done = subprocess.run(
        [sys.executable, "-m", "fastmlp", "train", "--dataset", "synthetic"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: NUMBA_DISABLE_JIT is set, and fastmlp's kernels exist only compiled: unset it\n"


@pytest.mark.parametrize(
    "encoding",
    ["cp1252:strict", *(pytest.param(name, marks=pytest.mark.long) for name in ("cp437", "ascii", "utf-16"))],
)
def test_what_an_encoding_lacks_is_shown_by_number(tmp_path, encoding):
    table, model = tmp_path / "墨水.csv", tmp_path / "żółw.npz"
    table.write_text("a,b,label\n" + "1,2,墨水\n3,4,żółw\n" * 20, encoding="utf-8")
    rows = tmp_path / "ряд.csv"
    rows.write_text("1,2\n3,4\n", encoding="utf-8")
    for args in (
        ["train", "--dataset", table, "-H", 3, "-e", 1, "-o", model],
        ["data", "--dataset", table],
        ["evaluate", model],
        ["predict", model, rows],
        ["predict", model, rows, "--csv"],
        ["predict", model, tmp_path / "нет.csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "fastmlp", *map(str, args)],
            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            capture_output=True,
            cwd=ROOT,
            check=False,
        )
        printed = (done.stdout + done.stderr).decode(encoding.partition(":")[0], "replace")
        assert "Traceback" not in printed, printed
        assert done.returncode == (3 if args[-1] == tmp_path / "нет.csv" else 0), printed

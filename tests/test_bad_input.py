"""Whatever people feed it, the command line answers with an exit code and one sentence, and leaves nothing behind."""

import contextlib
import gzip
import hashlib
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_files import BAD
from test_mnist import SMALL, good
from test_npz import DAMAGED

from fastmlp.datasets import mnist
from fastmlp.datasets.idx import to_idx

MNIST_NAMES = tuple(mnist.SHA256)


@pytest.fixture
def fastmlp(tmp_path):
    """Run a command as a machine without MNIST would, its home in `tmp_path`; the mirrors are those given."""
    home = tmp_path / "home"
    home.mkdir()
    names = ("PATH", "PYTHONPATH", "NUMBA_CACHE_DIR", "COVERAGE_PROCESS_START")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment["PYTHONPATH"] = str(Path(mnist.__file__).parents[2])  # these sources, whatever is installed
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / "cache"), "NO_PROXY": "*"}

    def run(*args, mirrors=(), before="", check=False, cwd=home, **environment_too):
        code = (
            "import sys; from fastmlp.datasets import mnist\n"
            f"mnist.MIRRORS = {tuple(mirrors)!r}\n{before}\n"
            "from fastmlp.cli import main; sys.argv[0] = 'fastmlp'; main()"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, args)],
            env=environment | environment_too,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            check=check,
        )

    return run


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_sentence(done, code, words):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert re.search(words, sentence), sentence


QUICK = ("npz cut", "csv text", "idx lengths")  # one of each kind; `make test` leaves the others to test_files.py


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.long) for case in BAD]
)
def test_files_that_hold_no_data(tmp_path, fastmlp, case):
    make, words = BAD[case]
    folder = tmp_path / "data"
    folder.mkdir()
    path = make(folder)
    before = tree(tmp_path)
    done = fastmlp("train", "--epochs", 1, "--dataset", path, "--output", tmp_path / "net.npz")
    assert_one_sentence(done, 3, words)
    assert "bad" in done.stderr  # the file is named
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--label-column", "colour"], 3, "no column.*'?colour"),
        (["--label-column", "9"], 3, "column 9|9 "),
        (["--test-fraction", "1.5"], 2, "--test-fraction.* 1.5 "),
        (["--test-fraction", "nan"], 2, "test.fraction.* nan"),
        (["--dataset", "synthetic", "--test-fraction", "0.5"], 2, "has its own test set"),
        (["--dataset", ""], 3, "has no name; name an .npz"),
    ],
)
def test_options_that_do_not_fit(tmp_path, fastmlp, args, code, words):
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 5, encoding="utf-8")
    done = fastmlp("train", "--epochs", 1, *([] if "--dataset" in args else ["--dataset", path]), *args)
    assert done.returncode == code, done.stderr
    assert re.search(words, done.stderr)
    assert "Traceback" not in done.stderr


# MNIST in a folder that is named


@pytest.fixture
def folder(tmp_path):
    """A folder with MNIST's four names; the contents are not MNIST's."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in MNIST_NAMES:
        shape = (20, 28, 28) if "images" in name else (20,)
        (folder / f"{name}.gz").write_bytes(gzip.compress(to_idx(rng.integers(0, 10, shape, np.uint8))))
    return folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content, "is not MNIST.s: the SHA-256"),  # well-formed, another content
        (lambda content: content[:-9], "cut off|decompress"),
        (lambda content: content[:60] + b"????" + content[64:], "decompress|not the right|damaged"),
        (lambda _: b"<html>not found</html>", "not|IDX|3c 68"),
        (lambda _: gzip.compress(b"\0\0\7\1", mtime=0), "not|IDX"),
        (lambda _: b"", "empty|not|cut"),
    ],
    ids=["wrong hash", "truncated", "corrupted", "an error page", "wrong magic", "empty"],
)
def test_a_named_folder_with_a_bad_file(fastmlp, folder, damage, words):
    name = MNIST_NAMES[0]
    path = folder / f"{name}.gz"
    path.write_bytes(damage(path.read_bytes()))
    before = tree(folder)
    for dataset in ("auto", "mnist"):  # a folder that is named is never passed over
        done = fastmlp("data", "--dataset", dataset, "--data-dir", folder)
        assert_one_sentence(done, 3, words)
        assert str(folder) in done.stderr
    assert tree(folder) == before


def test_a_named_folder_that_lacks_a_file(fastmlp, folder):
    (folder / f"{MNIST_NAMES[2]}.gz").unlink()
    assert_one_sentence(fastmlp("data", "--data-dir", folder), 3, MNIST_NAMES[2])


# Permission. Root may read anything, so a command of root's first gives its privileges up (capset(2), version 3).

WITHOUT_PRIVILEGES = """
import ctypes, os
if os.geteuid() == 0:
    assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()) == 0
"""
needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or (os.geteuid() == 0 and sys.platform != "linux"), reason="nobody can be refused"
)


@contextlib.contextmanager
def mode(path, bits):
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@needs_permissions
@pytest.mark.parametrize("option", ["--data-dir", "--dataset"])
@pytest.mark.parametrize("refused", ["the folder", "its parent", "a file"])
def test_a_folder_without_permission(fastmlp, folder, option, refused):
    path = {"the folder": folder, "its parent": folder.parent, "a file": folder / f"{MNIST_NAMES[0]}.gz"}[refused]
    with mode(path, 0):
        done = fastmlp("data", option, folder, before=WITHOUT_PRIVILEGES, cwd=folder.parents[1])
    assert_one_sentence(done, 3, f"{re.escape(str(folder))}.* cannot be read: Permission denied")


@needs_permissions
@pytest.mark.parametrize("name", ["own.npz", "own.csv"])
def test_a_file_without_permission(tmp_path, fastmlp, name):
    path = tmp_path / name
    path.write_text("1,2,x\n3,4,y\n", encoding="utf-8")
    with mode(path, 0):
        done = fastmlp("data", "--dataset", path, before=WITHOUT_PRIVILEGES)
    assert_one_sentence(done, 3, f"{name} cannot be read: Permission denied")


@needs_permissions
def test_a_cache_without_permission(tmp_path, fastmlp):
    (tmp_path / "home" / "cache").mkdir()
    with mode(tmp_path / "home" / "cache", 0o500):
        done = fastmlp("data", "--dataset", "synthetic", before=FEW_DIGITS + WITHOUT_PRIVILEGES)
    assert done.returncode == 0, done.stderr
    assert "200 samples" in done.stdout
    assert tree(tmp_path / "home") == {}


# Mirrors


class ErrorPage(http.server.BaseHTTPRequestHandler):
    """Answers everything with a page of HTML."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Sign in to this network</html>")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def error_pages():
    return serving(ErrorPage)


@contextlib.contextmanager
def silence():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@contextlib.contextmanager
def nobody():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    ("mirror", "words"),
    [(error_pages, "not the right file"), (silence, "no answer"), (nobody, "no connection")],
    ids=["error page", "hangs", "no network"],
)
def test_mirrors(tmp_path, fastmlp, mirror, words):
    with mirror() as address:
        begin = time.monotonic()
        assert_one_sentence(fastmlp("data", "--dataset", "mnist", mirrors=[address]), 3, words)
        assert time.monotonic() - begin < 15  # it decides after 4; the rest is for starting Python on a busy machine
        assert tree(tmp_path / "home") == {}

        auto = fastmlp("data", mirrors=[address], before=FEW_DIGITS)
    assert auto.returncode == 0, auto.stderr
    assert "synthetic" in auto.stdout
    (line,) = auto.stderr.splitlines()
    assert re.fullmatch(f"warning: .*{words}.*Using the synthetic digits instead", line)


def test_a_damaged_copy_of_keras_is_passed_over(tmp_path, fastmlp):
    path = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(DAMAGED["deflate stream"])
    assert_one_sentence(fastmlp("data", "--dataset", "mnist"), 3, "not on this machine and cannot be downloaded")


# The cache

FEW_DIGITS = "from fastmlp.datasets.synthetic import digits as s; s.N_TRAIN, s.N_TEST = 200, 100\n"


FULL_DISK = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
)


@pytest.mark.long
def test_a_full_disk_while_caching(tmp_path, fastmlp):
    pytest.importorskip("resource")
    caches = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = fastmlp("data", "--dataset", "synthetic", before=FEW_DIGITS + FULL_DISK, **caches)
    assert done.returncode == 0, done.stderr
    assert "200 samples" in done.stdout
    assert not [path for path in (tmp_path / "home").rglob("*") if path.suffix in (".npz", ".tmp")]


FORTY_IMAGES = f"mnist.SHA256 = { {name: hashlib.sha256(content).hexdigest() for name, content in SMALL.items()} }\n"


@contextlib.contextmanager
def good_mirror():
    class Good(ErrorPage):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(good(self.path[1:]))

    with serving(Good) as address:
        yield address


def test_a_full_disk_while_caching_a_download(tmp_path, fastmlp):
    pytest.importorskip("resource")
    with good_mirror() as address:
        done = fastmlp("data", mirrors=[address], before=FORTY_IMAGES + FULL_DISK)
    assert done.returncode == 0, done.stderr
    assert "30 samples" in done.stdout
    assert re.fullmatch("warning: MNIST was downloaded but cannot be kept in .*File too large.*\n", done.stderr)
    for path, content in tree(tmp_path / "home").items():  # what did fit is whole
        assert gzip.decompress(content) == SMALL[path.name.removesuffix(".gz")]


@pytest.mark.parametrize(("dataset", "files"), [("synthetic", 1), ("mnist", 4)])
def test_two_processes_write_the_cache_at_once(tmp_path, fastmlp, dataset, files):
    def run(mirrors=()):
        options = {"mirrors": mirrors, "before": FEW_DIGITS + FORTY_IMAGES, "check": True}
        return fastmlp("data", "--dataset", dataset, **options).stdout

    with good_mirror() as address, ThreadPoolExecutor() as threads:
        two = list(threads.map(run, [[address]] * 2))
    assert [run(), run()] == two  # from the cache
    assert len(tree(tmp_path / "home" / "cache" / "fastmlp")) == files


# What is unusual and right


def write_csv(path, rows, columns, names):
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % len(names)
    X = rng.normal(size=(rows, columns)).round(2) + labels[:, None]
    with path.open("w", encoding="utf-8") as file:
        for values, label in zip(X, labels, strict=True):
            file.write(",".join(map(str, values)) + f",{names[label]}\n")


@pytest.mark.parametrize(
    ("rows", "columns", "names"),
    [(60, 4, ("Ahorn", "Föhre", "[b]")), (100_000, 2, (0, 1)), (2, 3, (0, 1)), (40, 5000, (0, 1, 2))],
    ids=["text names", "3 columns and 100,000 rows", "2 rows", "5,000 columns"],
)
def test_unusual_data_train(tmp_path, fastmlp, rows, columns, names):
    path = tmp_path / "data.csv"
    write_csv(path, rows, columns, names)
    done = fastmlp("train", "--dataset", path, "--epochs", 2, "--hidden-size", 4, check=True)
    assert "Test accuracy" in done.stdout
    shutil.rmtree(tmp_path / "home")


@pytest.mark.long  # several commands, one after the other
def test_names_of_classes_and_files_are_shown_as_they_are(tmp_path, fastmlp):
    """Letters beyond ASCII, and square brackets, which rich would take for markup."""
    names = ("Ahorn", "Föhre", "[b]", "[/b]")
    path, model, inputs = tmp_path / "trees[old].csv", tmp_path / "net.npz", tmp_path / "inputs.csv"
    write_csv(path, 120, 3, names)
    inputs.write_text("0,0,0\n", encoding="utf-8")

    def run(*args):
        return fastmlp(*args, check=True, PYTHONUTF8="1").stdout

    assert "[/b], [b]" in run("data", "--dataset", path)
    assert "trees[old].csv" in run("train", "--dataset", path, "--epochs", 2, "--output", model)
    evaluated = run("evaluate", model)
    assert "trees[old].csv" in evaluated
    predicted = run("predict", model, inputs, "--csv")
    for name in names:
        assert name in evaluated
        assert f"p({name})" in predicted

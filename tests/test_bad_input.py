"""Whatever people feed it, the command line answers with an exit code and one sentence, and leaves nothing behind."""

import contextlib
import gzip
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_files import BAD

from fastmlp.datasets.idx import to_idx
from fastmlp.datasets.mnist import SHA256

MNIST_NAMES = tuple(SHA256)


@pytest.fixture
def fastmlp(tmp_path):
    """Run a command as a machine without MNIST would, its home in `tmp_path`; the mirrors are those given."""
    home = tmp_path / "home"
    home.mkdir()
    names = ("PATH", "PYTHONPATH", "NUMBA_CACHE_DIR", "COVERAGE_PROCESS_START")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / "cache"), "NO_PROXY": "*"}

    def run(*args, mirrors=(), before="", check=False, **environment_too):
        code = (
            "import sys; from fastmlp.datasets import mnist\n"
            f"mnist.MIRRORS = {tuple(mirrors)!r}\n{before}\n"
            "from fastmlp.cli import main; sys.argv[0] = 'fastmlp'; main()"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, args)],
            env=environment | environment_too,
            cwd=home,
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


@pytest.mark.parametrize("case", BAD)
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
        (["--test-fraction", "1.5"], 2, "1.5 is not in the range"),
        (["--test-fraction", "nan"], 2, "nan"),
        (["--dataset", "synthetic", "--test-fraction", "0.5"], 2, "has its own test part"),
        (["--dataset", ""], 3, "name"),
    ],
)
def test_options_that_do_not_fit(tmp_path, fastmlp, args, code, words):
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 5)
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
        (lambda _: gzip.compress(b"\0\0\7\1"), "not|IDX"),
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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_a_folder_without_permission(fastmlp, folder):
    folder.chmod(0)
    try:
        assert_one_sentence(fastmlp("data", "--data-dir", folder), 3, "permission|Permission")
    finally:
        folder.chmod(0o700)


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
def error_pages():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ErrorPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


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
        assert_one_sentence(fastmlp("data", "--dataset", "mnist", mirrors=[address]), 3, words)
    assert not list((tmp_path / "home").rglob("*ubyte*"))


# The cache

FEW_DIGITS = "from fastmlp.datasets import synthetic as s; s.N_TRAIN, s.N_TEST = 200, 100\n"


def test_a_full_disk_while_caching(tmp_path, fastmlp):
    full = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
    )
    pytest.importorskip("resource")
    caches = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = fastmlp("data", "--dataset", "synthetic", before=FEW_DIGITS + full, **caches)
    assert done.returncode == 0, done.stderr
    assert "200 samples" in done.stdout
    assert not [path for path in (tmp_path / "home").rglob("*") if path.suffix in (".npz", ".tmp")]


def test_two_processes_write_the_cache_at_once(tmp_path, fastmlp):
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(fastmlp("data", "--dataset", "synthetic", before=FEW_DIGITS, check=True))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    third = fastmlp("data", "--dataset", "synthetic", before=FEW_DIGITS, check=True)  # from the cache
    assert {done.stdout for done in results} == {third.stdout}
    assert len(list((tmp_path / "home").rglob("*.npz"))) == 1
    assert not list((tmp_path / "home").rglob("*.tmp"))


# What is unusual and right


def write_csv(path, rows, columns, names):
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % len(names)
    X = rng.normal(size=(rows, columns)).round(2) + labels[:, None]
    with path.open("w") as file:
        for values, label in zip(X, labels, strict=True):
            file.write(",".join(map(str, values)) + f",{names[label]}\n")


@pytest.mark.parametrize(
    ("rows", "columns", "names"),
    [(30, 4, ("Ahorn", "Föhre")), (100_000, 2, (0, 1)), (2, 3, (0, 1)), (40, 5000, (0, 1, 2))],
    ids=["text names", "3 columns and 100,000 rows", "2 rows", "5,000 columns"],
)
def test_unusual_data_train(tmp_path, fastmlp, rows, columns, names):
    path = tmp_path / "data.csv"
    write_csv(path, rows, columns, names)
    done = fastmlp("train", "--dataset", path, "--epochs", 2, "--hidden-size", 4, check=True)
    assert "Test accuracy" in done.stdout
    if isinstance(names[0], str):
        assert "Ahorn, Föhre" in fastmlp("data", "--dataset", path, PYTHONUTF8="1", check=True).stdout
    shutil.rmtree(tmp_path / "home")

"""MNIST is found, verified or downloaded, or a sentence says why not; no test needs a network."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from test_npz import DAMAGED

from fastmlp.datasets import download, load_dataset, load_mnist, mnist
from fastmlp.datasets.idx import to_idx
from fastmlp.errors import DataError

TRAIN, TEST = 30, 10
random = np.random.default_rng(0)
SMALL = {
    "t10k-labels-idx1-ubyte": to_idx(random.integers(0, 10, TEST, np.uint8)),
    "train-labels-idx1-ubyte": to_idx(random.integers(0, 10, TRAIN, np.uint8)),
    "t10k-images-idx3-ubyte": to_idx(random.integers(0, 256, (TEST, 28, 28), np.uint8)),
    "train-images-idx3-ubyte": to_idx(random.integers(0, 256, (TRAIN, 28, 28), np.uint8)),
}
"""A data set of forty images in MNIST's files."""


@pytest.fixture(autouse=True)
def lonely_machine(tmp_path, monkeypatch):
    """No MNIST anywhere, no mirror, and the forty images are what counts as MNIST."""
    monkeypatch.setattr(mnist, "SHA256", {n: hashlib.sha256(c).hexdigest() for n, c in SMALL.items()})
    monkeypatch.setattr(mnist, "MIRRORS", ())
    monkeypatch.setattr(mnist, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("FASTMLP_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


def write_folder(folder, zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in SMALL.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)
    return folder


def check(data):
    assert data.name == "mnist"
    assert data.class_names is None
    for x, y, part, n in (
        (data.x_train, data.y_train, "train", TRAIN),
        (data.x_test, data.y_test, "t10k", TEST),
    ):
        assert x.shape == (n, 784)
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        pixels = np.frombuffer(SMALL[f"{part}-images-idx3-ubyte"], np.uint8, offset=16)
        np.testing.assert_array_equal(x.ravel(), pixels.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(y, np.frombuffer(SMALL[f"{part}-labels-idx1-ubyte"], np.uint8, offset=8))


# A named folder


@pytest.mark.parametrize("zipped", [True, False])
def test_named_folder(tmp_path, zipped):
    folder = write_folder(tmp_path / "named", zipped)
    before = sorted(path.name for path in folder.iterdir())
    check(load_mnist(folder))
    check(load_mnist(str(folder)))
    assert sorted(path.name for path in folder.iterdir()) == before
    assert not (tmp_path / "cache").exists()


def test_environment_names_the_folder_and_the_argument_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(write_folder(tmp_path / "named")))
    check(load_mnist())
    check(load_dataset("auto"))
    with pytest.raises(DataError, match="elsewhere does not exist"):
        load_mnist(tmp_path / "elsewhere")
    monkeypatch.setenv("FASTMLP_DATA_DIR", "")  # as good as not set
    with pytest.raises(DataError, match="not on this machine and cannot be downloaded"):
        load_mnist()


def test_home_in_a_folder_name(tmp_path):
    write_folder(tmp_path / "home" / "digits")
    check(load_mnist("~/digits"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def drop(path):
    path.unlink()


def other_content(path):
    path.write_bytes(gzip.compress(b"something else", mtime=0))


def one_bit(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[500] ^= 1
    path.write_bytes(gzip.compress(bytes(content), mtime=0))


def not_gzip(path):
    path.write_bytes(b"\x1f\x8b" + bytes(100))


def error_page(path):
    path.write_text("<html>404 Not Found</html>", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cannot be decompressed"),
        (drop, "incomplete: it lacks train-images-idx3-ubyte"),
        (other_content, "is not an IDX file"),
        (one_bit, "is damaged or is not MNIST's"),
        (not_gzip, "cannot be decompressed"),
        (error_page, "is not an IDX file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("name", ["mnist", "auto"])
def test_damage_in_a_named_folder_is_an_error_without_falling_back(tmp_path, damage, words, name):
    folder = write_folder(tmp_path / "named")
    write_folder(tmp_path / "cache" / "mnist")  # where a fallback would find it
    damage(folder / "train-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match=words) as caught:
        load_dataset(name, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is not a folder"):
        load_mnist(tmp_path / "file")


@pytest.mark.parametrize("method", ["stat", "open"])
def test_a_folder_without_permission(tmp_path, monkeypatch, method):
    folder = write_folder(tmp_path / "named")

    def refuse(self, *_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        load_mnist(folder)


# Copies on this machine


def test_our_cache(tmp_path):
    write_folder(tmp_path / "cache" / "mnist")
    check(load_mnist())


def write_keras(path, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = {"images": (-1, 28, 28), "labels": (-1,)}
    arrays = {
        f"{letter}_{part}": np.frombuffer(
            SMALL[f"{prefix}-{kind}-idx{digits}-ubyte"], np.uint8, offset=4 + 4 * digits
        ).reshape(shapes[kind])
        for part, prefix in (("train", "train"), ("test", "t10k"))
        for letter, kind, digits in (("x", "images", 3), ("y", "labels", 1))
    }
    np.savez(path, **(arrays | changes))


def test_keras_copy(tmp_path, monkeypatch):
    write_keras(tmp_path / "home" / ".keras" / "datasets" / "mnist.npz")
    check(load_mnist())
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError):
        load_mnist()
    write_keras(tmp_path / "elsewhere" / "datasets" / "mnist.npz")
    check(load_mnist())


@pytest.mark.parametrize("folder", ["data", "home", "home/data", "."])
def test_torchvision_copy(tmp_path, folder):
    write_folder(tmp_path / folder / "MNIST" / "raw", zipped=False)
    check(load_mnist())


@pytest.mark.parametrize(
    "keras",
    [b"no zip", *DAMAGED.values(), {"y_test": np.zeros(TEST, np.uint8)}, {"x_train": np.array([None])}],
    ids=["no zip", *DAMAGED, "other labels", "pickles"],
)
def test_damaged_copies_are_passed_over(tmp_path, keras):
    path = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
    if isinstance(keras, dict):
        write_keras(path, **keras)
    else:
        path.parent.mkdir(parents=True)
        path.write_bytes(keras)
    cut(write_folder(tmp_path / "cache" / "mnist") / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match="not on this machine and cannot be downloaded"):
        load_mnist()
    write_folder(tmp_path / "data" / "MNIST" / "raw")
    check(load_mnist())


# Download


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers with what the server's ``answers`` says for a file: bytes, a status, or a function."""

    def do_GET(self):
        answer = self.server.answer(self.path[1:])
        self.server.asked.append(self.path[1:])
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def start_mirror():
    """Return a function that starts a server and gives its address."""
    servers = []

    def start(answer):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        server.daemon_threads, server.block_on_close = True, False
        server.answer, server.asked, server.stop = answer, [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    start.servers = servers
    yield start
    for server in servers:
        server.stop.set()
        server.shutdown()
        server.server_close()


def good(name):
    return gzip.compress(SMALL[name.removesuffix(".gz")], mtime=0)


def hang(handler):
    handler.server.stop.wait(30)


def hang_midway(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b"\x1f\x8b")
    handler.server.stop.wait(30)


BAD = {
    "error page": lambda name: b"<html>Sorry, we are moving house</html>",
    "not found": lambda name: 404,
    "wrong file": lambda name: gzip.compress(b"another file altogether", mtime=0),
    "cut off": lambda name: good(name)[:-20],
    "swapped": lambda name: good("t10k-labels-idx1-ubyte"),
    "large files fail": lambda name: good(name) if "labels" in name else 503,
    "hangs": lambda name: hang,
    "hangs midway": lambda name: hang_midway,
}


def test_download_is_kept_in_the_cache(tmp_path, monkeypatch, start_mirror):
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(good),))
    check(load_mnist())
    kept = sorted(path.name for path in (tmp_path / "cache" / "mnist").iterdir())
    assert kept == sorted(f"{name}.gz" for name in SMALL)
    asked = len(start_mirror.servers[0].asked)
    assert asked == 4
    check(load_mnist())
    assert len(start_mirror.servers[0].asked) == asked


def test_a_damaged_cache_is_downloaded_anew(tmp_path, monkeypatch, start_mirror):
    one_bit(write_folder(tmp_path / "cache" / "mnist") / "train-images-idx3-ubyte.gz")
    with pytest.raises(DataError):
        load_mnist()
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(good),))
    check(load_mnist())
    monkeypatch.setattr(mnist, "MIRRORS", ())
    check(load_mnist())


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_mirror_is_passed_over(monkeypatch, start_mirror, bad):
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(BAD[bad]), start_mirror(good)))
    check(load_mnist())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("error page", "is not the right file"),
        ("not found", "it answered 404"),
        ("wrong file", "is not the right file"),
        ("cut off", "cannot be decompressed"),
        ("large files fail", "it answered 503"),
        ("hangs", "no answer"),
        ("hangs midway", "no answer"),
    ],
)
def test_without_a_good_mirror_a_sentence_says_why(tmp_path, monkeypatch, start_mirror, bad, reason):
    if reason == "no answer":  # or else a busy machine would not answer in time either
        monkeypatch.setattr(download, "DECIDE_SECONDS", 0.8)
    address = start_mirror(BAD[bad])
    monkeypatch.setattr(mnist, "MIRRORS", (address,))
    with pytest.raises(DataError, match=reason) as caught:
        load_mnist()
    for word in (address, "--data-dir", "FASTMLP_DATA_DIR"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_mirror_that_sends_without_end(monkeypatch, start_mirror):
    def pour(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not handler.server.stop.is_set():
                handler.wfile.write(bytes(2**16))

    monkeypatch.setattr(download, "MAX_BYTES", 2**20)
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(lambda name: pour),))
    with pytest.raises(DataError, match="it sends more than the file has"):
        load_mnist()


@pytest.mark.alone
def test_offline_it_decides_within_five_seconds(monkeypatch, start_mirror):
    """One mirror refuses, one hangs, one drips, and one name cannot even be looked up."""

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not handler.server.stop.wait(0.2):
                handler.wfile.write(b"x" * 1000)

    look_up = socket.getaddrinfo
    stop = threading.Event()

    def hanging_look_up(host, *arguments, **options):
        if host == "mirror.invalid":
            stop.wait(30)
        return look_up(host, *arguments, **options)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
    mirrors = closed, start_mirror(lambda name: hang), start_mirror(lambda name: drip)
    monkeypatch.setattr(mnist, "MIRRORS", (*mirrors, "http://mirror.invalid/"))
    monkeypatch.setattr(socket, "getaddrinfo", hanging_look_up)
    begin = time.monotonic()
    with pytest.raises(DataError, match="no connection"):
        load_mnist()
    assert time.monotonic() - begin < 5
    stop.set()


def test_auto_falls_back_to_the_synthetic_digits_and_says_so(monkeypatch):
    monkeypatch.setattr("fastmlp.datasets.synthetic.digits.load_synthetic", lambda: "the synthetic digits")
    with pytest.warns(UserWarning, match="Using the synthetic digits instead"):
        assert load_dataset("auto") == "the synthetic digits"
    with pytest.raises(DataError):
        load_dataset("mnist")


# A cache that cannot be written, or that another process writes


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path, monkeypatch, start_mirror, error):
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(good),))

    def refuse(path, write):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(mnist, "write_whole", refuse)
    with pytest.warns(UserWarning, match=f"cannot be kept in .*{os.strerror(error)}"):
        check(load_mnist())


def test_a_file_where_the_cache_should_be(tmp_path, monkeypatch, start_mirror):
    (tmp_path / "cache").write_text("in the way", encoding="utf-8")
    monkeypatch.setattr(mnist, "MIRRORS", (start_mirror(good),))
    with pytest.warns(UserWarning, match="cannot be kept"):
        check(load_mnist())


def test_two_processes_at_once_are_both_right(tmp_path, start_mirror):
    """Both find an empty cache, both download, both write; a third finds what they left."""

    def slowly(name):
        def answer(handler):
            time.sleep(0.1)
            content = good(name)
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return answer

    program = textwrap.dedent(f"""
        import hashlib, pathlib
        from fastmlp.datasets import mnist
        mnist.SHA256 = {mnist.SHA256!r}
        mnist.MIRRORS = ({start_mirror(slowly)!r},)
        mnist.cache_dir = lambda: pathlib.Path({str(tmp_path / "cache")!r})
        print(hashlib.sha256(mnist.load_mnist().x_train.tobytes()).hexdigest())
    """)
    root = str(Path(mnist.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    processes = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=60)[0].strip() for process in processes]
    check(load_mnist())
    expected = hashlib.sha256(load_mnist().x_train.tobytes()).hexdigest()
    assert printed == [expected, expected]
    assert len(list((tmp_path / "cache" / "mnist").iterdir())) == 4
    shutil.rmtree(tmp_path / "cache")

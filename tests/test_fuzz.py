"""Files that somebody altered: whatever they hold, a reader takes them or raises its documented error.

`python tests/test_fuzz.py N` tries N altered files of each kind instead of a few hundred.
"""

import contextlib
import gzip
import io
import json
import random
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from rich.console import Console

from fastmlp import Dataset, NeuralNetwork, Scaling, TrainingSession, load_files
from fastmlp.comparison.report import csv_text, markdown, print_tables
from fastmlp.comparison.report.page import _page
from fastmlp.comparison.results_file import read_results
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.datasets.idx import to_idx
from fastmlp.datasets.mnist import _read_keras_copy
from fastmlp.datasets.source import Source
from fastmlp.engine.table_columns import TableColumn
from fastmlp.errors import (
    DataError,
    InvalidTypeError,
    InvalidValueError,
    MissingLibraryError,
    ModelFileError,
    ResultsFileError,
)
from fastmlp.files.model import _digest, read_model
from fastmlp.keras_import import _steps_of
from fastmlp.model_inputs import read_inputs
from fastmlp.session import TrainingRecord

CASES = 150  # of each kind
RNG = np.random.default_rng(0)
Y = np.arange(30) % 3
X = RNG.normal(size=(30, 4)) + 3 * np.eye(4)[Y]
PIXELS = RNG.integers(0, 256, (30, 4, 4)).astype(np.uint8)

Altered = Callable[[bytes, random.Random], bytes]


# --- How files are altered --------------------------------------------------------------------------------------------

TOKENS = [
    b"", b"\0", b"\xff", b"\xff\xfe", b"-1", b"0", b"1e999", b"9" * 25, b"NaN", b"inf", b"1_0", b"\n", b"\r", b'"',
    b",", b";", b"\t", b"\xed\xa0\x80", b"(", b")", b"'", b"\\", b"[" * 50, b"{", b"True", b"None", b"1.5", b"L", b"O",
    b"|V0", b"\x1f\x8b", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06",
]  # fmt: skip


def altered_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change a few bytes, leave some out, repeat some, or put something else in."""
    parts = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place, length = rng.randrange(len(parts) + 1), rng.choice([0, 1, 1, 2, 4, 8, 50])
        kind = rng.randrange(6)
        if kind == 0 and place < len(parts):
            parts[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            parts[place : place + length] = rng.randbytes(length)
        elif kind == 2:
            del parts[place : place + length]
        elif kind == 3:
            parts[place:place] = parts[max(0, place - length) : place]
        elif kind == 4:
            del parts[place:]
        else:
            parts[place : place + rng.choice([0, length])] = rng.choice(TOKENS)
    return bytes(parts)


VALUES = [
    None, True, False, 0, -1, 1, 0.0, -0.5, 1e308, 10**400, -(10**30), 2**63, 2**53 + 1, "", "x", "\ud800", "\x1b[2J",
    "$x$", [], {}, [[]], [1], {"a": 1}, float("nan"), float("inf"), "1", "a" * 300, "../..", "\0",
]  # fmt: skip


def altered_json(value: Any, rng: random.Random) -> Any:
    """Put another value somewhere into what JSON holds, or leave something out; now and then nest it deeply."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice([1, 1, 2, 3])):
        holder, key = rng.choice(list(places(value)))
        if rng.random() < 0.15:
            del holder[key]
        elif rng.random() < 0.15 and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = rng.choice([-1, 0, 10**300, 1e300, 0.5]) * holder[key]
        elif rng.random() < 0.02:
            for _ in range(5000):
                holder[key] = [holder[key]]
        else:
            holder[key] = rng.choice(VALUES)
        if not list(places(value)):
            break
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All places in nested dicts and lists: the holder, and the key there. (Not too deep: it may be nested deeply.)"""
    queue = [value]
    while queue and len(queue) < 5000:
        holder = queue.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], (dict, list)):
                queue.append(holder[key])


def as_json(value: Any) -> bytes:
    """JSON text, also of what is nested deeper than Python's own encoder goes."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 100_000


def altered_archive(content: bytes, rng: random.Random) -> bytes:
    """Alter one member of a zip archive, most often in its first bytes, and pack it anew, its checksum being right."""
    if rng.random() < 0.3:
        return altered_bytes(content, rng)
    file = io.BytesIO()
    kind = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", kind) as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            member = old.read(name)
            if name == chosen:
                head = min(len(member), 128)
                member = rng.choice(
                    [
                        lambda m=member, head=head: altered_bytes(m[:head], rng) + m[head:],
                        lambda m=member: altered_header(m, rng),
                        lambda m=member: altered_bytes(m, rng),
                    ]
                )()
            new.writestr(name, member)
    packed = file.getvalue()
    return altered_bytes(packed, rng) if rng.random() < 0.3 else packed


def altered_header(member: bytes, rng: random.Random) -> bytes:
    """Put another shape, type or order into the header of an array."""
    header = member[10:128]
    shapes = [
        "(3.0, 4)",
        "(True,)",
        "('3',)",
        "(-1,)",
        "()",
        "(2**70,)",
        "(10**12, 4)",
        "(0, 4)",
        "(30, None)",
        "3",
        "[30]",
    ]
    types = [
        "'O'",
        "'<U0'",
        "'<U3'",
        "'V3'",
        "[('a', '<f8')]",
        "('<f8', (2,))",
        "'<M8[s]'",
        "'<c16'",
        "'>f4'",
        "'|b1'",
        "7",
    ]
    start, stop, new = rng.choice(
        [
            (b"'shape': ", b", }", rng.choice(shapes)),
            (b"'descr': ", b", 'for", rng.choice(types)),
            (b"order': ", b",", "2"),
        ]
    )
    before, found, rest = header.partition(start)
    _, _, after = rest.partition(stop)
    header = before + found + new.encode() + stop + after
    return member[:8] + len(header).to_bytes(2, "little") + header + member[128:] if found else member


# --- The files, and who reads them ------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A file as it should be, how it is altered, and how it is read."""

    name: str
    content: bytes
    alter: Altered
    read: Callable[[Path], object]
    error: type[Exception] | tuple[type[Exception], ...]


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("own.csv", content)
    return file.getvalue()


def model_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        net = NeuralNetwork(2, input_size=4, output_size=3, seed=0)
        data = Dataset(X.astype(np.float32), Y, X.astype(np.float32), Y, "trees", ("ash", "elm", "oak"))
        record = {"source": "trees.csv", "test_fraction": 0.1}
        TrainingSession(net, data, batch_size=8, output=path, dataset=record).train(2)
        return path.read_bytes()


def scaled_model_file() -> bytes:
    """A model that scales its inputs and makes them of columns of numbers and text."""
    net = NeuralNetwork(4, input_size=4, output_size=3, seed=0)
    net.scaling = Scaling.of(X)
    net.table_columns = [TableColumn("a", 5.0), TableColumn("b", None, ("", "u")), TableColumn("c")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.npz")
        net.save(path)
        return path.read_bytes()


def altered_metadata(content: bytes, rng: random.Random) -> bytes:
    """Alter the metadata of a model file, whose digest is then made right again."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    metadata = altered_json(json.loads(arrays["metadata"].tobytes()), rng)
    arrays["metadata"] = np.frombuffer(as_json(metadata), np.uint8)
    del arrays["digest"]
    return npz(**arrays, digest=np.frombuffer(_digest(arrays), np.uint8))


def resume(path: Path) -> None:
    """All that `train --resume` and `evaluate` read from a model file."""
    model = read_model(path)
    TrainingRecord.from_file(path, model)
    NeuralNetwork.from_file(path, model)
    choice = DatasetChoice.from_training(model.metadata["training"])
    if choice is not None:
        with pytest.raises((DataError, InvalidValueError, InvalidTypeError)):
            choice._replace(dataset="no-such-folder" + choice.dataset).load()


def load_mixed(path: Path) -> None:
    """A table of text and numbers, some missing: MissingLibraryError where scikit-learn is, and the table fits."""
    with contextlib.suppress(MissingLibraryError):
        DatasetChoice(str(path), preprocess="auto").load()


def show(path: Path) -> None:
    """All that is made of results but the plots."""
    results = read_results(path)
    csv_text(results), markdown(results), _page(results, None).encode()
    print_tables(results, Console(file=io.StringIO()))


def keras_file() -> bytes:
    layers = [("InputLayer", {}), ("Dense", {"activation": "relu", "use_bias": True})]
    layers.append(("Dense", {"activation": "softmax", "use_bias": True}))
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": a, "config": b} for a, b in layers]}}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    return file.getvalue()


def picture(kind: str) -> bytes:
    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[5:35, 18:22] = 0
    image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def samples_of(inputs: int) -> Callable[[Path], object]:
    net = NeuralNetwork(2, input_size=inputs, output_size=3, seed=0)
    return lambda path: read_inputs(Source.at(path), net)


LINES = [",".join(f"{value:.3f}" for value in row) for row in X]
ROWS = "\n".join(LINES) + "\n"
TABLE = "a,b,c,d,label\n" + "".join(f"{line},{'abc'[k]}\n" for line, k in zip(LINES, Y, strict=True))
MIXED = "a,b,c,d,label\n" + "".join(
    f"{line.rsplit(',', 1)[0] if k % 4 else ',,1.5'},{'uvw'[k % 3]},{'abc'[y]}\n"
    for k, (line, y) in enumerate(zip(LINES, Y, strict=True))
)
DIGITS = "".join(f"{k};{';'.join(map(str, row.ravel()[:6]))}\n" for k, row in zip(Y, PIXELS, strict=True))
ARRAYS = {"x_train": X, "y_train": Y, "x_test": X[:5], "y_test": Y[:5]}
KERAS = {"x_train": PIXELS, "y_train": Y.astype(np.uint8), "x_test": PIXELS[:5], "y_test": Y[:5].astype(np.uint8)}
TEXT_LABELS = {"X": X.astype(np.float32), "y": np.array(["ash", "elm", "oak"])[Y]}


def json_content(content: bytes, rng: random.Random) -> bytes:
    return as_json(altered_json(json.loads(content), rng))


def gzipped(alter: Altered) -> Altered:
    return lambda content, rng: (
        altered_bytes(content, rng) if rng.random() < 0.5 else gzip.compress(alter(gzip.decompress(content), rng), 1)
    )


def kinds(results: dict[str, Any]) -> dict[str, Kind]:
    text, documented = json.dumps(results).encode(), (DataError, MissingLibraryError)
    idx = to_idx(PIXELS)
    found = {
        "model": Kind("net.npz", model_file(), altered_archive, NeuralNetwork.load, ModelFileError),
        "model's metadata": Kind("net.npz", model_file(), altered_metadata, resume, ModelFileError),
        "scaled model": Kind("net.npz", scaled_model_file(), altered_archive, NeuralNetwork.load, ModelFileError),
        "scaled model's metadata": Kind(
            "net.npz", scaled_model_file(), altered_metadata, NeuralNetwork.load, ModelFileError
        ),
        "table, mixed": Kind("own.csv", MIXED.encode(), altered_bytes, load_mixed, DataError),
        "results, bytes": Kind("results.json", text, altered_bytes, show, ResultsFileError),
        "results, values": Kind("results.json", text, json_content, show, ResultsFileError),
        "npz": Kind("own.npz", npz(**ARRAYS), altered_archive, load_files, DataError),
        "npz, text": Kind("own.npz", npz(**TEXT_LABELS), altered_archive, load_files, DataError),
        "npz to predict": Kind("own.npz", npz(X=X), altered_archive, samples_of(4), documented),
        "Keras's MNIST": Kind("mnist.npz", npz(**KERAS), altered_archive, _read_keras_copy, DataError),
        "Keras model": Kind("net.keras", keras_file(), altered_archive, _steps_of, ModelFileError),
        "table": Kind("own.csv", TABLE.encode(), altered_bytes, load_files, DataError),
        "table.gz": Kind("own.csv.gz", gzip.compress(TABLE.encode()), gzipped(altered_bytes), load_files, DataError),
        "table.zip": Kind("own.csv.zip", zipped(TABLE.encode()), altered_archive, load_files, DataError),
        "table, UTF-16": Kind("own.csv", TABLE.encode("utf-16"), altered_bytes, load_files, DataError),
        "table of integers": Kind("own.txt", DIGITS.encode(), altered_bytes, load_files, DataError),
        "table to predict": Kind("own.csv", ROWS.encode(), altered_bytes, samples_of(4), documented),
        "IDX": Kind("train-images-idx3-ubyte", idx, altered_bytes, lambda p: load_files(p.parent), DataError),
        "IDX.gz": Kind(
            "train-images-idx3-ubyte.gz",
            gzip.compress(idx),
            gzipped(altered_bytes),
            lambda p: load_files(p.parent),
            DataError,
        ),
    }
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        found[kind] = Kind(f"digit.{kind.lower()}", picture(kind), altered_bytes, samples_of(784), documented)
    return found


KINDS = [
    "model", "model's metadata", "results, bytes", "results, values", "npz", "npz, text", "npz to predict",
    "Keras's MNIST", "Keras model", "table", "table.gz", "table.zip", "table, UTF-16",
    "table, mixed", "scaled model", "scaled model's metadata",
    "table of integers", "table to predict", "IDX", "IDX.gz", "PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP",
]  # fmt: skip


def try_files(kind: Kind, folder: Path, count: int, seed: int = 0) -> dict[str, int]:
    """Read `count` altered files; return how many were taken and refused."""
    rng, outcome = random.Random(seed), {"taken": 0, "refused": 0}
    path = folder / kind.name
    if kind.name.startswith("train-images"):
        (folder / "train-labels-idx1-ubyte").write_bytes(to_idx(Y.astype(np.uint8)))
    path.write_bytes(kind.content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            for k in range(count):
                content = kind.alter(kind.content, rng)
                path.write_bytes(content)
                try:
                    kind.read(path)
                    outcome["taken"] += 1
                except kind.error as error:
                    outcome["refused" if str(error).strip() else "without a word"] += 1
                except Exception as error:
                    Path(tempfile.gettempdir(), f"fastmlp-fuzz-{kind.name}").write_bytes(content)
                    raise AssertionError(f"file {k} of seed {seed} gives an error that is not documented") from error
    return outcome


@pytest.fixture(scope="module")
def all_kinds():
    from sample_comparison import four_nets

    return kinds(four_nets())


@pytest.mark.parametrize("name", KINDS)
def test_altered_files_are_taken_or_refused_in_a_sentence(all_kinds, tmp_path, name):
    outcome = try_files(all_kinds[name], tmp_path, CASES)
    assert outcome["refused"] > 0


if __name__ == "__main__":
    from sample_comparison import four_nets

    for name, kind in kinds(four_nets()).items():
        with tempfile.TemporaryDirectory() as folder:
            print(name, try_files(kind, Path(folder), int(sys.argv[1]), seed=1))  # noqa: T201

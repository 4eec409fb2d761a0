"""Tables in Parquet and Feather files: the rules of tables of text."""

import io

import numpy as np
import pytest

from fastmlp import NeuralNetwork, load_files
from fastmlp.datasets.arrow import ArrowTable
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError
from fastmlp.model_inputs import read_inputs

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

WIDTHS = {"length": [5.0, 6.0, 5.4, 7.2], "width": pa.array([3, 2, 4, 2], pa.int8())}
KINDS = {"kind": ["rose", "lily", "rose", "lily"]}


def written(columns, write=parquet.write_table):
    file = io.BytesIO()
    write(pa.table(columns), file)
    return file.getvalue()


def table(columns, name="own.parquet"):
    return ArrowTable(Source(name, written(columns)))


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_dataset(tmp_path, suffix):
    write = parquet.write_table if suffix == "parquet" else feather.write_feather
    (tmp_path / f"own.{suffix}").write_bytes(written(WIDTHS | KINDS, write))
    data = load_files(tmp_path / f"own.{suffix}", test_fraction=0.5)
    assert (data.class_names, data.feature_names) == (("lily", "rose"), ("length", "width"))
    assert sorted(np.concatenate([data.x_train, data.x_test])[:, 0].tolist()) == np.float32([5, 5.4, 6, 7.2]).tolist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("number", [pa.int64(), pa.uint8(), pa.float32(), pa.bool_(), pa.float16()])
def test_types(kind, number):
    values = pa.array(np.array([0, 1, 0, 1], np.float16 if number == pa.float16() else np.uint8)).cast(number)
    X, labels, *_ = table({"a": values, "b": values, "kind": pa.array(KINDS["kind"]).cast(kind)}).inputs_and_labels()
    np.testing.assert_array_equal(X, [[0, 0], [1, 1], [0, 0], [1, 1]])
    assert labels == KINDS["kind"]


def test_the_numbers_of_the_rows_are_left_out():
    with pytest.warns(UserWarning, match=r"column 1 \(__index_level_0__\), which only numbers or names the rows, was"):
        found = table({"__index_level_0__": [3, 1, 2, 0]} | WIDTHS | KINDS).inputs_and_labels()
    assert found.feature_names == ("length", "width")


def test_the_columns_are_taken_by_their_names():
    net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, seed=0)
    net.feature_names = ("width", "length")
    with pytest.warns(UserWarning, match="was left out|come in another order"):
        seen = read_inputs(Source("own.parquet", written(WIDTHS | {"label": [0, 1, 0, 1]})), net)
    np.testing.assert_array_equal(seen.X[:2], [[3, 5], [2, 6]])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"a": [1.0, None], "b": [None, None], "kind": ["x", "y"]},
            "inputs must be numbers, which .*: column 2 .b. of null",
        ),
        ({"a": [1.0, None], "kind": ["x", "y"]}, r"1 values are missing, in column 1 \(a\); fill missing values in"),
        ({"a": ["u", "v"], "b": [1, 2], "kind": ["x", "y"]}, r"which these columns are not: column 1 \(a\) of text"),
        ({"day": pa.array([1, 2], pa.date32()), "kind": ["x", "y"]}, r"column 1 \(day\) of date32"),
        ({"a": [1, 2], "kind": ["x", None]}, r"column 2 \(kind\) lacks 1 values; every row needs a label"),
        ({"a": [1.0, np.nan], "kind": ["x", "y"]}, r"row 2, column 1 \(a\) is nan; inputs must be finite"),
        ({"a": [1.0, 1e99], "kind": ["x", "y"]}, r"row 2, column 1 \(a\) is 1e\+99; inputs must be finite"),
        ({"kind": ["x", "y"]}, "has one column only"),
    ],
)
def test_what_is_refused(columns, words):
    with pytest.raises(DataError, match=f"own.parquet:? .*{words}"):
        table(columns).inputs_and_labels()


def test_no_table():
    for content in (b"PAR1" + bytes(50), b"ARROW1" + bytes(50), b"1,2\n", written(WIDTHS)[:-20]):
        with pytest.raises(DataError, match=r"own\.parquet is no Parquet or Feather file, or is damaged"):
            ArrowTable(Source("own.parquet", content))
    with pytest.raises(DataError, match=r"own\.parquet is empty"):
        table({"a": pa.array([], pa.int8())})


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_what_unpacks_to_more_than_is_allowed(tmp_path, monkeypatch, suffix):
    write = parquet.write_table if suffix == "parquet" else feather.write_feather
    content = written({"a": np.zeros(200_000, np.float32), "label": np.zeros(200_000, np.int8)}, write)
    assert len(content) < 200_000
    (tmp_path / f"own.{suffix}").write_bytes(content)
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "300000")
    with pytest.raises(DataError, match=rf"own\.{suffix} unpacks to [\d,]+ bytes, more than the 300,000"):
        load_files(tmp_path / f"own.{suffix}")

"""Frames of pandas, polars and Arrow as inputs and labels: their numbers, their names, and what is refused."""

import datetime
import decimal
import warnings

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine.frames import frame_names, rows_of_frame
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.evaluation import evaluate

Y = np.array([0, 1, 2, 0, 1, 2])
NUMBERS = np.array([[0, 1.5, 1], [1, 2.5, 0], [2, -3, 1], [3, 0, 0], [0, 1, 1], [1, 2, 0]], np.float32)
COLUMNS = {"a": NUMBERS[:, 0].astype(int), "b": NUMBERS[:, 1].astype(float), "c": NUMBERS[:, 2].astype(bool)}


def net_of(**options):
    return NeuralNetwork(4, input_size=3, output_size=3, seed=0, **options)


def frame_of(library, columns=COLUMNS):
    """A frame of pandas, in several of its kinds, of polars or of Arrow."""
    if library in ("polars", "polars.LazyFrame"):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({name: list(values) for name, values in columns.items()}, strict=False)
        return frame.lazy() if "Lazy" in library else frame
    if library == "pyarrow":
        pyarrow = pytest.importorskip("pyarrow")
        return pyarrow.table({name: pyarrow.array(list(values)) for name, values in columns.items()})
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns)
    if library == "pandas":
        return frame
    if library == "pandas objects":
        return frame.astype(object)
    if library == "pandas nullable":
        with np.errstate(invalid="ignore"):  # 1e300 is no whole number of 64 bits
            return frame.convert_dtypes()
    if library == "pandas arrow":
        pytest.importorskip("pyarrow")
        with np.errstate(invalid="ignore"):
            return frame.convert_dtypes(dtype_backend="pyarrow")
    assert library == "pandas sparse"
    return frame.astype({"a": pandas.SparseDtype(int), "c": pandas.SparseDtype(bool)})


PANDAS = ["pandas", "pandas objects", "pandas nullable", "pandas arrow", "pandas sparse"]
LIBRARIES = [*PANDAS, "polars", "pyarrow"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_numbers_and_booleans_of_every_kind_of_frame(library):
    frame = frame_of(library)
    assert frame_names(frame) == ("a", "b", "c")
    np.testing.assert_array_equal(rows_of_frame("X", frame), NUMBERS)
    net, expected = net_of(), net_of()
    assert net.fit(frame, Y, 2, 2, validation=(frame, Y)).loss == expected.fit(NUMBERS, Y, 2, 2).loss
    assert net.forward(frame).tobytes() == expected.forward(NUMBERS).tobytes()
    assert net.score(frame, Y) == expected.score(NUMBERS, Y)
    assert evaluate(net, frame, Y).loss == evaluate(expected, NUMBERS, Y).loss
    assert net.feature_names == ("a", "b", "c")
    assert expected.feature_names is None


@pytest.mark.parametrize("library", PANDAS)
def test_the_values_of_a_mixed_frame_are_numbers_too(library):
    frame = frame_of(library)
    net = net_of()
    assert net.forward(frame.to_numpy()).tobytes() == net.forward(NUMBERS).tobytes()
    assert net.forward(frame.values.tolist()).tobytes() == net.forward(NUMBERS).tobytes()


def test_dummies():
    pandas = pytest.importorskip("pandas")
    frame = pandas.get_dummies(pandas.DataFrame({"length": [5, 6, 7], "colour": ["red", "blue", "red"]}))
    assert rows_of_frame("X", frame).tolist() == [[5, 0, 1], [6, 1, 0], [7, 0, 1]]
    assert rows_of_frame("X", pandas.get_dummies(frame, sparse=True)).tolist() == [[5, 0, 1], [6, 1, 0], [7, 0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, bool])
def test_a_frame_of_one_type_is_as_its_array(dtype):
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).integers(0, 2, (30, 7)).astype(dtype)
    frame = pandas.DataFrame(X)
    np.testing.assert_array_equal(rows_of_frame("X", frame), X.astype(np.float32))
    assert frame_names(frame) is None  # numbers are no names
    frame.columns = list("abcdefg")
    np.testing.assert_array_equal(rows_of_frame("X", frame[list("gfedcba")], "abcdefg"[::-1]), X[:, ::-1])


# Missing values, and what is no number


MISSING = {"a": [1, None, None], "b": [1.5, float("nan"), 2], "c": [True, False, True]}


@pytest.mark.parametrize("library", LIBRARIES)
def test_missing_values_are_named_by_their_columns(library):
    if library == "pandas sparse":
        pytest.skip("Sparse columns hold no missing whole numbers")
    frame = frame_of(library, MISSING)
    sentence = r"^X has 3 missing values in the columns a, b: fill or remove them$"
    net = net_of()
    for call in (lambda: net.forward(frame), lambda: net.fit(frame, Y[:3]), lambda: net.score(frame, Y[:3])):
        with pytest.raises(InvalidValueError, match=sentence):
            call()
    with pytest.raises(InvalidValueError, match=r"^validation X has 3 missing values"):
        net_of().fit(NUMBERS, Y, validation=(frame, Y[:3]))
    one = frame_of(library, {"a": [1, 2, 3], "b": [1, 2, 3], "c": [True, None, False]})
    with pytest.raises(InvalidValueError, match=r"^X has 1 missing value in the column c: fill"):
        net_of().forward(one)


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "pandas sparse"])
def test_columns_that_hold_no_numbers_are_named(library):
    dates = [datetime.date(2026, 1, day) for day in (1, 2, 3)]
    frame = frame_of(library, {"a": [1, 2, 3], "colour": ["red", None, "blue"], "day": dates})
    with pytest.raises(InvalidTypeError, match=r"^X has columns that hold no numbers: colour \(text\), day \(dates\);"):
        net_of().forward(frame)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1", "2", "3"], r"b \(text\)"),
        ([1, "2", 3.5], r"b \(text\)"),
        ([b"1", 2, 3], r"b \(text\)"),
        ([1j, 2, 3], r"b \((complex numbers|objects of the type complex)\)"),
        ([[1], [2], [3]], r"b \(objects of the type list\)"),
        (np.array(["2026-01-01"] * 3, "datetime64[s]"), r"b \(dates\)"),
        (np.array([1, 2, 3], "timedelta64[s]"), r"b \(time spans\)"),
    ],
)
def test_other_columns_of_pandas(values, words):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidTypeError, match=words):
        rows_of_frame("X", pandas.DataFrame({"a": [1, 2, 3], "b": values}))


def test_a_categorical_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "kind": pandas.Categorical(["x", "y"])})
    with pytest.raises(InvalidTypeError, match=r"kind \(text\)"):
        rows_of_frame("X", frame)


def test_exact_decimals_are_numbers():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [decimal.Decimal("1.5"), None], "b": [1, 2]}, dtype=object)
    with pytest.raises(InvalidValueError, match="1 missing value in the column a"):
        rows_of_frame("X", frame)
    frame.loc[1, "a"] = decimal.Decimal(2)
    assert rows_of_frame("X", frame).tolist() == [[1.5, 1], [2, 2]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_too_large_is_named_by_its_column(library):
    frame = frame_of(library, {"a": [1, 2, 3], "b": [1.5, 1e300, 2], "c": [True, False, True]})
    with pytest.raises(InvalidValueError, match=r"^X holds 1e\+300 in row 1 \(from 0\), column b, too large for"):
        net_of().forward(frame)


def test_a_frame_without_values_yet():
    with pytest.raises(InvalidTypeError, match=r"X is a LazyFrame whose values .* call its collect\(\) first"):
        net_of().forward(frame_of("polars.LazyFrame"))


def test_a_table_of_another_kind():
    class Table:
        columns = ("a",)

    with pytest.raises(InvalidTypeError, match="X is a Table; give it as an array or as a frame of pandas"):
        net_of().forward(Table())


# Names


@pytest.mark.parametrize("library", ["pandas", "pandas nullable", "polars", "pyarrow"])
def test_columns_in_another_order_are_put_in_order_and_said(library):
    frame = frame_of(library)
    other = frame_of(library, {name: COLUMNS[name] for name in "cab"})
    net = net_of()
    net.fit(frame, Y, 2, 1)
    said = "the columns of X come in another order than in training; they are taken by their names"
    for call in (net.forward, lambda X: net.score(X, Y)):
        with pytest.warns(UserWarning, match=f"^{said}") as told:
            result = call(other)
        assert told[0].filename == __file__
        np.testing.assert_array_equal(result, call(frame))
    continued, expected = net_of(), net_of()
    for trained in (continued, expected):
        trained.fit(frame, Y, 2, 1)
    with pytest.warns(UserWarning, match="validation X come in another order") as told:
        continued.fit(frame, Y, 2, 1, validation=(other, Y))
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match=said):
        continued.fit(other, Y, 2, 1)
    expected.fit(frame, Y, 2, 2)
    assert (continued.W1 == expected.W1).all()
    assert continued.feature_names == ("a", "b", "c")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_other_names_are_refused(library):
    net = net_of()
    net.fit(frame_of(library), Y, 2, 1)
    other = frame_of(library, {"a": [1], "b": [2], "colour": [3]})
    sentence = "X lacks the column c and has the column colour, which the model does not know"
    for call in (net.forward, lambda X: net.score(X, [0]), lambda X: net.fit(X, [0]), lambda X: evaluate(net, X, [0])):
        with pytest.raises(InvalidValueError, match=sentence):
            call(other)
    with pytest.raises(InvalidValueError, match=f"validation {sentence}"):
        net.fit(frame_of(library), Y, validation=(other, [0]))


def test_a_net_takes_the_names_of_the_first_frame_also_after_arrays(tmp_path):
    frame, net = frame_of("pandas"), net_of()
    net.fit(NUMBERS, Y, 2, 1)
    assert net.feature_names is None
    net.forward(frame)
    net.score(frame, Y)
    assert net.feature_names is None  # only `fit` takes names
    net.fit(frame, Y, 2, 1)
    assert net.feature_names == ("a", "b", "c")
    net.fit(NUMBERS, Y, 2, 1)  # an array has no names, and may go on
    assert net.feature_names == ("a", "b", "c")
    net.save(tmp_path / "net.npz")
    with pytest.raises(InvalidValueError, match="lacks the column"):
        NeuralNetwork.load(tmp_path / "net.npz").forward(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("names", [[0, 1, 2], ["a", 1, "b"], ["a", "a", "b"], [("a", 1), ("a", 2), ("b", 1)]], ids=str)
def test_names_that_are_none(names):
    frame = frame_of("pandas")
    frame.columns = names
    net = net_of()
    net.fit(frame, Y, 2, 1)
    assert net.feature_names is None
    net.feature_names = ("a", "b", "c")
    if names == ["a", "a", "b"]:
        with pytest.raises(InvalidValueError, match="X lacks the column c"):
            net.forward(frame)
    else:
        assert net.forward(frame).tobytes() == net.forward(NUMBERS).tobytes()


def test_a_net_keeps_no_names_of_a_frame_that_is_refused():
    net = net_of()
    with pytest.raises(InvalidValueError, match="X has 4 columns"):
        net.fit(frame_of("pandas", COLUMNS | {"d": NUMBERS[:, 0]}), Y)
    with pytest.raises(InvalidValueError, match="Y has 2 labels"):
        net.fit(frame_of("pandas"), Y[:2])
    with pytest.raises(InvalidValueError, match="validation must be a pair"):
        net.fit(frame_of("pandas"), Y, validation=3)
    assert net.feature_names is None


def test_columns_may_be_called_as_methods_are():
    frame = frame_of("pandas", dict(zip(["to_series", "column_names", "compute"], NUMBERS.T, strict=True)))
    assert frame_names(frame) == ("to_series", "column_names", "compute")
    np.testing.assert_array_equal(rows_of_frame("X", frame), NUMBERS)


# Labels


@pytest.mark.parametrize(
    "make",
    [
        lambda pandas: pandas.Series(Y),
        lambda pandas: pandas.Series(Y).to_frame("kind"),
        lambda pandas: pandas.Series(Y, dtype="Int64"),
        lambda pandas: pandas.Series(Y, dtype="Int64").to_frame(),
        lambda pandas: pandas.Series(pandas.Categorical(Y)),
        lambda pandas: pandas.Series(Y, dtype=object),
        lambda pandas: pandas.get_dummies(pandas.Series(Y)),
        lambda pandas: pandas.get_dummies(pandas.Series(Y), dtype=float),
    ],
)
def test_labels_of_pandas(make):
    pandas = pytest.importorskip("pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net_of().score(NUMBERS, make(pandas)) == net_of().score(NUMBERS, Y)


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_text_labels_of_pandas_get_a_sentence(dtype, as_frame):
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(["rose", "lily", "rose", "lily", "rose", "lily"], dtype=dtype)
    with pytest.raises(InvalidTypeError, match=r"Y holds text such as 'rose'.* numpy.unique\(Y, return_inverse=True\)"):
        net_of().fit(NUMBERS, y.to_frame() if as_frame else y)


def test_missing_labels_of_pandas():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series([0, None, 2, 0, None, 2], dtype="Int64")
    with pytest.raises(InvalidValueError, match=r"^Y has 2 missing labels .* first in row 1 \(from 0\)"):
        net_of().fit(NUMBERS, y)

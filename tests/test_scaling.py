"""Scaling as part of a net: by the training rows only, and wherever the net or its file is used."""

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import Dataset, NeuralNetwork, TrainingSession, load_files
from fastmlp.cli import main
from fastmlp.datasets.split import hold_back
from fastmlp.engine.scaling import Scaling
from fastmlp.errors import InvalidTypeError, InvalidValueError, ModelFileError
from fastmlp.evaluation import evaluate
from fastmlp.files.model import read_model, write_model
from fastmlp.model_inputs import standardised

LARGEST = float(np.finfo(np.float32).max)


def run(*args, **options):
    return CliRunner().invoke(main, [str(arg) for arg in args], **options)


def in_units(n=120, seed=0):
    """Rows (n, 5) in units of their own, with a wild value, a constant column and one of 0 and 1; and their classes."""
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(size=(n, 3)), rng.integers(0, 2, n)
    Z[:, 0] += 3 * y
    X = np.column_stack(
        [1e4 + 1e3 * Z[:, 0], 1e-3 * np.exp(Z[:, 1]), 1.6e9 + 1e7 * Z[:, 2], np.full(n, 7), y ^ (Z[:, 1] > 1)]
    )
    X[5, 0] *= 1000
    return X.astype(np.float32), y


def write_table(path, X, y, labels=("no", "yes")):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"c{j}" for j in range(X.shape[1])), "class"])
        writer.writerows([*map(repr, map(float, row)), labels[k]] for row, k in zip(X, y, strict=True))
    return path


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "table.csv", *in_units())


@pytest.fixture
def model(table, tmp_path):
    result = run("train", "--dataset", table, "--epochs", 30, "--batch-size", 16, "--output", tmp_path / "net.npz")
    assert result.exit_code == 0, result.stderr
    return tmp_path / "net.npz"


# --- The rule ---------------------------------------------------------------------------------------------------------


def oracle(column):
    """Centre and spread of one column, in plain Python."""
    values = sorted(float(value) for value in column)
    if set(values) <= {0.0, 1.0} and 1.0 in values:
        return 0.0, 1.0
    n = len(values)
    centre = float(np.float32((values[(n - 1) // 2] + values[n // 2]) / 2))
    distances = sorted(abs(value - centre) for value in values if value != centre)
    if not distances:
        return centre, 1.0

    def quantile(q):
        place = q * (len(distances) - 1)
        low = int(place)
        high = min(low + 1, len(distances) - 1)
        return distances[low] + (place - low) * (distances[high] - distances[low])

    return centre, max(1.4826 * quantile(0.5), distances[int(0.8 * (len(distances) - 1))] / 3)


@pytest.mark.parametrize("n", [1, 2, 7, 17, 300])
def test_the_rule_is_that_of_the_oracle(n):
    rng = np.random.default_rng(n)
    X = np.column_stack(
        [rng.normal(5, 2, n), rng.lognormal(0, 2, n), rng.integers(0, 3, n), rng.random(n) < 0.3, np.full(n, -2.5)]
    ).astype(np.float32)
    scaling = Scaling.of(X)
    wanted = np.array([oracle(column) for column in X.T], np.float32)
    np.testing.assert_allclose(scaling.centre, wanted[:, 0], rtol=2e-7)
    np.testing.assert_allclose(scaling.spread, wanted[:, 1], rtol=3e-7)
    z = np.clip((X.astype(float) - wanted[:, 0]) / wanted[:, 1], -3, 3)
    np.testing.assert_allclose(scaling.apply("X", X), z, rtol=1e-6, atol=1e-6)


def test_normal_columns_come_out_with_mean_0_and_deviation_1():
    X = np.random.default_rng(0).normal([50, -3], [7, 0.01], (20_000, 2))
    Z = Scaling.of(X).apply("X", X.astype(np.float32))
    np.testing.assert_allclose(Z.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(Z.std(0), 1, atol=0.03)


def test_wild_values_change_hardly_anything_and_are_cut_off():
    X = np.random.default_rng(0).normal(20, 5, (500, 1)).astype(np.float32)
    wild = X.copy()
    wild[::50] *= 1000
    scaling = Scaling.of(wild)
    Z = scaling.apply("X", wild)
    assert abs(Z).max() == scaling.limit == 3
    np.testing.assert_allclose(
        np.delete(Z, np.s_[::50]), np.delete(Scaling.of(X).apply("X", X), np.s_[::50]), atol=0.15
    )


@pytest.mark.parametrize(
    ("column", "z"),
    [
        ([7, 7, 7], [0, 0, 0]),
        ([0, 0, 0], [0, 0, 0]),
        ([1, 1, 1], [1, 1, 1]),  # of 0 and 1 only
        ([0, 1, 1], [0, 1, 1]),
        ([0.1, 0.1, 0.1], [0, 0, 0]),
        ([-LARGEST, 0, LARGEST], [-0.6745, 0, 0.6745]),
        ([-LARGEST, -LARGEST, LARGEST], [0, 0, 3]),  # whose difference overflows, and is cut off
        ([1e-45, 2e-45, 3e-45], [0, 0, 0]),
        ([0, 0, 0, 0, 2], [0, 0, 0, 0, 0.6745]),  # zeros stay
    ],
    ids=str,
)
def test_columns_at_the_edge_of_what_numbers_can_do(column, z):
    X = np.array(column, np.float32)[:, None]
    with np.errstate(all="raise", under="ignore"):
        Z = Scaling.of(X).apply("X", X)[:, 0]
    np.testing.assert_allclose(Z, z, atol=0.5 if abs(X).max() == LARGEST else 1e-4)
    assert np.isfinite(Z).all()


def test_no_more_than_a_fifth_of_what_differs_is_cut_off():
    rng = np.random.default_rng(1)
    column = np.where(rng.random(2000) < 0.6, rng.normal(0, 0.01, 2000), rng.normal(50, 10, 2000))  # a sensor's noise
    X = column.astype(np.float32)[:, None]
    Z = Scaling.of(X).apply("X", X)
    assert (abs(Z) == 3).mean() <= 0.201


def test_what_comes_later_is_cut_off_too_and_infinity_refused():
    X, _ = in_units()
    scaling = Scaling.of(X)
    later = np.full((1, 5), LARGEST, np.float32)
    assert (scaling.apply("X", later) == 3).all()
    assert (scaling.apply("X", -later) == -3).all()
    for value in (np.inf, np.nan):
        with pytest.raises(
            InvalidValueError, match="X holds 1 values that are NaN or infinite, the first in row 0, column 2"
        ):
            scaling.apply("X", np.where(np.arange(5) == 2, value, X[:1]).astype(np.float32))
        with pytest.raises(InvalidValueError, match="rows holds"):
            Scaling.of([[1.0], [value]])


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        ("standard", InvalidTypeError, "it must be a Scaling"),
        ((np.zeros(5), np.ones(5)), InvalidTypeError, "it must be a Scaling"),
        (Scaling(np.zeros(4), np.ones(4)), InvalidValueError, r"this net needs \(5,\)"),
        (Scaling(np.zeros(5), np.zeros(5)), InvalidValueError, "spreads above 0"),
        (Scaling(np.full(5, np.nan), np.ones(5)), InvalidValueError, "finite centres"),
        (Scaling(np.zeros(5), np.ones(5), -1), InvalidValueError, "the limit -1"),
        (Scaling(np.zeros(5), np.ones(5), True), InvalidValueError, "the limit True"),
    ],
)
def test_what_is_no_scaling_is_refused(value, error, says):
    net = NeuralNetwork(3, input_size=5, output_size=2, seed=0)
    with pytest.raises(error, match=says):
        net.scaling = value
    assert net.scaling is None


# --- A net that scales ------------------------------------------------------------------------------------------------


def test_a_net_scales_wherever_it_takes_inputs():
    X, y = in_units()
    scaling = Scaling.of(X[:80])
    Z = scaling.apply("X", X)
    net, plain = (NeuralNetwork(6, 0.1, input_size=5, output_size=2, seed=0) for _ in range(2))
    net.scaling = scaling
    before = X.copy()
    history = net.fit(X[:80], y[:80], 16, 5, validation=(X[80:], y[80:]))
    expected = plain.fit(Z[:80], y[:80], 16, 5, validation=(Z[80:], y[80:]))
    assert history.loss == expected.loss and history.val_loss == expected.val_loss
    np.testing.assert_array_equal(net.W1, plain.W1)
    np.testing.assert_array_equal(net.forward(X), plain.forward(Z))
    np.testing.assert_array_equal(net.forward(X[3:4]), plain.forward(Z)[3:4])
    assert net.score(X, y) == plain.score(Z, y)
    np.testing.assert_array_equal(evaluate(net, X, y).confusion, evaluate(plain, Z, y).confusion)
    np.testing.assert_array_equal(X, before)


def test_a_scaling_is_the_nets_own():
    X, _ = in_units()
    scaling = Scaling.of(X)
    net = NeuralNetwork(3, input_size=5, output_size=2, seed=0)
    net.scaling = scaling
    scaling.centre[0] = 0
    assert net.scaling.centre[0] != 0
    with pytest.raises(ValueError, match="read-only"):
        net.scaling.centre[0] = 0


# --- Model files ------------------------------------------------------------------------------------------------------


def scaled_net():
    X, y = in_units()
    net = NeuralNetwork(6, 0.1, input_size=5, output_size=2, optimizer="momentum", seed=0)
    net.scaling = Scaling.of(X)
    net.fit(X, y, 16, 3)
    return net, X, y


def test_a_scaling_is_kept_in_the_file(tmp_path):
    net, X, y = scaled_net()
    net.save(tmp_path / "net.npz")
    loaded = NeuralNetwork.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(loaded.forward(X), net.forward(X))
    for was, now in zip(net.scaling, loaded.scaling, strict=True):
        np.testing.assert_array_equal(now, was)
    assert read_model(tmp_path / "net.npz").metadata["format"] == 3
    net.fit(X, y, 16, 2)
    loaded.fit(X, y, 16, 2)
    np.testing.assert_array_equal(loaded.W1, net.W1)


@pytest.mark.parametrize(("optimizer", "version"), [("sgd", 1), ("momentum", 2)])
def test_nets_without_a_scaling_are_written_for_older_readers(tmp_path, optimizer, version):
    NeuralNetwork(3, input_size=5, output_size=2, optimizer=optimizer, seed=0).save(tmp_path / "net.npz")
    model = read_model(tmp_path / "net.npz")
    assert model.metadata["format"] == version
    older = {name: value for name, value in model.metadata.items() if name not in ("input_limit", "format")}
    write_model(tmp_path / "older.npz", model.arrays, older)
    assert NeuralNetwork.load(tmp_path / "older.npz").scaling is None


@pytest.mark.parametrize(
    ("arrays", "metadata", "says"),
    [
        ({"input_spread": None}, {}, "arrays other than a model's"),
        ({"input_centre": np.zeros(4)}, {}, r"input_centre has the shape \(4,\)"),
        ({"input_centre": np.zeros((5, 1))}, {}, "not a net's"),
        ({"input_spread": np.array([1, 1, np.inf, 1, 1])}, {}, "NaN or infinity"),
        ({"input_spread": np.array([1, 1, 0, 1, 1])}, {}, "spreads above 0"),
        ({"input_spread": -np.ones(5)}, {}, "spreads above 0"),
        ({}, {"input_limit": None}, "the limit None"),
        ({}, {"input_limit": "3"}, "the limit '3'"),
        ({}, {"input_limit": 1e300}, "the limit 1e"),
        ({}, {"input_limit": 0}, "the limit 0"),
    ],
)
def test_hostile_scalings_in_files_are_refused(tmp_path, arrays, metadata, says):
    net, _, _ = scaled_net()
    path = tmp_path / "net.npz"
    net.save(path)
    model = read_model(path)
    changed = {name: array for name, array in {**model.arrays, **arrays}.items() if array is not None}
    write_model(path, changed, {**model.metadata, **metadata})
    with pytest.raises(ModelFileError, match=says):
        NeuralNetwork.load(path)


# --- Training on a person's own table ---------------------------------------------------------------------------------


def test_the_training_part_alone_makes_the_scaling(table, model):
    data = load_files(table)
    assert data.in_own_units
    expected = Scaling.of(data.x_train)
    net = NeuralNetwork.load(model)
    np.testing.assert_array_equal(net.scaling.centre, expected.centre)
    np.testing.assert_array_equal(net.scaling.spread, expected.spread)
    everything = Scaling.of(np.concatenate([data.x_train, data.x_test]))
    assert (net.scaling.centre != everything.centre).any()


def test_what_is_held_back_for_validation_is_no_part_of_the_scaling(table, tmp_path):
    result = run(
        "train", "--dataset", table, "--validation-fraction", 0.3, "--epochs", 2, "--output", tmp_path / "net.npz"
    )
    assert result.exit_code == 0, result.stderr
    data = load_files(table)
    kept, (held, _) = hold_back(data, 0.3)
    assert len(kept.x_train) + len(held) == len(data.x_train)
    scaling = NeuralNetwork.load(tmp_path / "net.npz").scaling
    np.testing.assert_array_equal(scaling.centre, Scaling.of(kept.x_train).centre)
    assert (scaling.centre != Scaling.of(data.x_train).centre).any()


def test_a_table_that_diverged_is_learnt(table):
    plain = run("train", "--dataset", table, "--preprocess", "none", "--batch-size", 16)
    assert plain.exit_code == 1 and "diverged" in plain.stderr
    result = run("train", "--dataset", table, "--batch-size", 8, "--epochs", 50, "--json")
    assert json.loads(result.stdout)["results"]["train_accuracy"] > 0.9


def test_other_nets_get_the_same_scaled_inputs(table):
    ours, theirs = (
        json.loads(run("train", "--dataset", table, "--net", net, "--epochs", 5, "--json").stdout)["results"]
        for net in ("fastmlp", "numpy")
    )
    assert theirs["train_loss"] == pytest.approx(ours["train_loss"], rel=0.2)


def test_resuming_gives_the_bits_of_a_training_without_a_break(table, tmp_path):
    whole, half = tmp_path / "whole.npz", tmp_path / "half.npz"
    options = ("--dataset", table, "--batch-size", 16)
    assert run("train", *options, "--epochs", 6, "--output", whole).exit_code == 0
    assert run("train", *options, "--epochs", 2, "--output", half).exit_code == 0
    assert run("train", "--resume", half, "--epochs", 6).exit_code == 0
    a, b = (read_model(path).arrays for path in (whole, half))
    assert a.keys() == b.keys()
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name])


def test_preprocess_contradicts_resume_and_data_that_is_not_ones_own(table, model):
    result = run("train", "--resume", model, "--epochs", 40, "--preprocess", "none", "--dataset", table)
    assert result.exit_code == 2 and "leave --preprocess out" in " ".join(result.stderr.split())
    result = run("train", "--dataset", "synthetic", "--preprocess", "scale")
    assert result.exit_code == 2 and "for your own files" in result.stderr
    result = run("train", "--preprocess", "scale")
    assert result.exit_code == 2 and "belong to --dataset PATH" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.arange(60).reshape(30, 2) * 10.0, True),
        (np.tile([[0, 255], [3, 255.0]], (15, 1)), False),  # pixels
        (np.tile([[0, 200], [3, 100]], (15, 1)).astype(np.uint8), False),
        (np.tile([[0, 16], [3, 5]], (15, 1)).astype(np.uint8), True),  # bytes that are none
        (np.tile([[0, 1.0], [0.3, 0.5]], (15, 1)), False),  # pixels that were scaled
        (np.tile([[0, 0.01], [0.003, 0.002]], (15, 1)), True),
        (np.random.default_rng(0).normal(size=(30, 2, 3)), False),  # images
    ],
)
def test_what_is_in_units_of_its_own(tmp_path, X, expected):
    np.savez(tmp_path / "own.npz", X=X, y=np.arange(30) % 2)
    with pytest.warns() if X.dtype == np.uint8 or X.max() == 255 else np.errstate():
        data = load_files(tmp_path / "own.npz")
    assert data.in_own_units is expected
    net = NeuralNetwork(3, input_size=data.x_train.shape[1], output_size=2, seed=0)
    assert standardised(data, net) is data
    assert (net.scaling is not None) is expected


def test_a_session_in_python_scales_only_where_asked_and_keeps_what_the_net_has():
    X, y = in_units()
    data = Dataset(X, y, X, y, "mine", in_own_units=True)
    net = NeuralNetwork(3, input_size=5, output_size=2, seed=0)
    TrainingSession(net, data)
    assert net.scaling is None
    net.scaling = Scaling.of(X[:20])
    TrainingSession(net, data, standardise=True)
    np.testing.assert_array_equal(net.scaling.centre, Scaling.of(X[:20]).centre)


# --- Everywhere the same predictions ----------------------------------------------------------------------------------


def probabilities(result):
    assert result.exit_code == 0, result.stderr
    rows = list(csv.reader(io.StringIO(result.stdout)))
    return np.array([row[3:] for row in rows[1:]], float)


def test_predict_evaluate_and_python_agree(table, model, tmp_path):
    X, y = in_units(50, seed=1)
    X[3] *= 1e6
    new = write_table(tmp_path / "new.csv", X, y)
    net = NeuralNetwork.load(model)
    ours = net.forward(X)
    np.testing.assert_allclose(probabilities(run("predict", model, new, "--csv")), ours, rtol=1e-5, atol=1e-9)
    shuffled = write_table(tmp_path / "shuffled.csv", X[:, ::-1], y)
    shuffled.write_text(
        shuffled.read_text(encoding="utf-8").replace("c0,c1,c2,c3,c4", "c4,c3,c2,c1,c0"), encoding="utf-8"
    )
    np.testing.assert_allclose(probabilities(run("predict", model, shuffled, "--csv")), ours, rtol=1e-5, atol=1e-9)
    result = json.loads(run("evaluate", model, "--dataset", new, "--json").stdout)["results"]
    assert result["accuracy"] == pytest.approx(net.score(X, y).accuracy)


def wild_rows():
    X, _ = in_units(200, seed=2)
    X[7] *= 1e5
    X[9] = LARGEST
    X[11] = 0
    return X


def test_onnx_gives_the_same_probabilities(model, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert run("export", model, "--to", "onnx", "--output", tmp_path / "net.onnx").exit_code == 0
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    X = wild_rows()
    (theirs,) = session.run(["probabilities"], {"X": X})
    np.testing.assert_allclose(theirs, NeuralNetwork.load(model).forward(X), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_keras_gives_the_same_probabilities_and_the_net_comes_back(model, tmp_path):
    keras = pytest.importorskip("keras")
    assert run("export", model, "--to", "keras", "--output", tmp_path / "net.keras").exit_code == 0
    X = wild_rows()
    ours = NeuralNetwork.load(model).forward(X)
    theirs = keras.models.load_model(tmp_path / "net.keras").predict(X, verbose=0)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)
    result = run("import", tmp_path / "net.keras", "--output", tmp_path / "back.npz")
    assert result.exit_code == 0, result.stderr
    back = NeuralNetwork.load(tmp_path / "back.npz")
    np.testing.assert_array_equal(back.scaling.centre, NeuralNetwork.load(model).scaling.centre)
    np.testing.assert_allclose(back.forward(X), ours, rtol=0, atol=1e-5)

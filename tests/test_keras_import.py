"""Keras models become nets where their layers can be folded; all others are refused before Keras reads them."""

import json
import os
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp.cli import main
from fastmlp.errors import ModelFileError
from fastmlp.keras_import import from_keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


def dense(activation, **config):
    return {"class_name": "Dense", "config": {"activation": activation, "use_bias": True, **config}}


def layer(kind, **config):
    return {"class_name": kind, "config": config}


def keras_file(path, layers, kind="Sequential"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": kind, "config": {"layers": layers}}))
    return path


TWO = [dense("relu"), dense("softmax")]


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([dense("relu"), *TWO], "holds the layers Dense, relu, Dense, relu, Dense, softmax; it must be Dense, relu"),
        ([dense("tanh"), dense("softmax")], "Dense, tanh"),
        ([layer("Lambda"), *TWO], "the layers Lambda, Dense"),
        ([dense("relu"), layer("Rescaling"), dense("softmax")], "Dense, relu, Rescaling, Dense"),
        ([dense(None), layer("ReLU", max_value=6.0), dense("softmax")], "Dense, a ReLU with limits"),
        ([dense("relu"), dense(None), layer("Softmax", axis=0)], "Softmax over other axes"),
        ([layer("Flatten", data_format="channels_first"), *TWO], "Flatten with channels first"),
        ([dense({"class_name": "own"}), dense("softmax")], "class_name"),
        ([], "the layers none"),
    ],
)
def test_another_architecture_is_refused_before_keras_reads_it(tmp_path, layers, says):
    with pytest.raises(ModelFileError, match=says):
        from_keras(keras_file(tmp_path / "net.keras", layers))


def randomised(model, seed=0):
    """The model with weights that are not those of its making, so that a bias in the wrong place is seen."""
    rng = np.random.default_rng(seed)
    for each in model.layers:
        if type(each).__name__ == "Dense":
            each.set_weights([rng.normal(size=w.shape) * 0.3 for w in each.get_weights()])
    return model


def models(keras):
    """Models that can be folded, each with the factor that becomes the net's input scale."""
    L, rng = keras.layers, np.random.default_rng(1)
    two = lambda: [L.Dense(6, activation="relu"), L.Dense(3, activation="softmax")]  # noqa: E731
    normal = L.Normalization(mean=rng.normal(5, 2, 12), variance=rng.random(12) + 0.5)
    channels = L.Normalization(mean=[1, 2, 3, 4], variance=[1, 4, 9, 1])
    return {
        "dropout": ([keras.Input((12,)), L.Dropout(0.2), two()[0], L.Dropout(0.5), two()[1]], 1),
        "pixels": ([keras.Input((3, 4)), L.Rescaling(1 / 255), L.Flatten(), *two()], 1 / 255),
        "images": ([keras.Input((2, 3, 2)), L.Flatten(), L.Rescaling(1 / 255), *two()], 1 / 255),
        "from -1 to 1": ([keras.Input((12,)), L.Rescaling(1 / 127.5, offset=-1), *two()], 1),
        "normalised": ([keras.Input((12,)), normal, *two()], 1),
        "by channel": ([keras.Input((3, 4)), channels, L.Flatten(), *two()], 1),
        "scaled twice": ([keras.Input((12,)), L.Rescaling(0.1), normal, L.Rescaling(3, offset=1), *two()], 1),
        "apart": ([keras.Input((12,)), L.Dense(6), L.Activation("relu"), L.Dense(3), L.Activation("softmax")], 1),
        "as layers": ([keras.Input((12,)), L.Dense(6, use_bias=False), L.ReLU(), L.Dense(3), L.Softmax()], 1),
    }


@pytest.mark.parametrize("logits", [False, True], ids=["", "logits"])
def test_what_can_be_folded_gives_the_models_probabilities(tmp_path, logits):
    keras = pytest.importorskip("keras")
    for name, (layers, scale) in models(keras).items():
        if logits:
            layers = layers[:-1] if name in ("apart", "as layers") else [*layers[:-1], keras.layers.Dense(3)]
        model = randomised(keras.Sequential(layers))
        model.save(tmp_path / "net.keras")
        net = from_keras(tmp_path / "net.keras")
        assert net.input_scale == pytest.approx(scale), name
        raw = np.random.default_rng(2).normal(3, 2, (50, 12)).astype(np.float32) / np.float32(scale)
        theirs = np.asarray(model.predict_on_batch(raw.reshape(50, *model.input_shape[1:])))
        if logits:
            theirs = np.asarray(keras.ops.softmax(theirs))
        ours = net.forward(raw * np.float32(net.input_scale))
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6, err_msg=name)


def test_what_unpacks_to_more_than_is_allowed_is_refused(tmp_path, monkeypatch):
    path = keras_file(tmp_path / "net.keras", TWO)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(2_000_000))
    assert path.stat().st_size < 10_000
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "1000000")
    with pytest.raises(ModelFileError, match=r"net\.keras unpacks to 2,000,\d+ bytes, more than the 1,000,000"):
        from_keras(path)


@pytest.mark.parametrize("kind", ["functional", "two outputs", "twice", "rows of rows"])
def test_a_keras_model_is_taken_where_its_numbers_are_ours(tmp_path, kind):
    keras = pytest.importorskip("keras")
    X = keras.Input((5, 7) if kind == "rows of rows" else (7,))
    relu, softmax = keras.layers.Dense(7, activation="relu"), keras.layers.Dense(7, activation="softmax")
    outputs = {
        "functional": lambda: softmax(relu(X)),
        "two outputs": lambda: [relu(X), softmax(X)],
        "twice": lambda: softmax(relu(relu(X))),
        "rows of rows": lambda: softmax(relu(X)),
    }[kind]()
    keras.Model(X, outputs).save(tmp_path / "net.keras")
    if kind == "functional":
        np.testing.assert_array_equal(from_keras(tmp_path / "net.keras").W1, relu.get_weights()[0])
    else:
        with pytest.raises(ModelFileError, match=r"(gives probabilities other than|takes inputs of 35 values)"):
            from_keras(tmp_path / "net.keras")


def test_an_input_that_never_changed_cannot_be_folded(tmp_path):
    keras = pytest.importorskip("keras")
    L = keras.layers
    constant = L.Normalization(mean=[7.0, 7.0], variance=[4.0, 0.0])
    two = [L.Dense(6, activation="relu"), L.Dense(3, activation="softmax")]
    keras.Sequential([keras.Input((2,)), constant, *two]).save(tmp_path / "net.keras")
    with pytest.raises(ModelFileError, match=r"normalises input 1 \(from 0\), which hardly varies"):
        from_keras(tmp_path / "net.keras")


def imported(path):
    return CliRunner().invoke(main, ["import", str(path), "--output", str(path.with_suffix(".npz"))])


def test_the_command_says_how_inputs_are_scaled(tmp_path):
    keras = pytest.importorskip("keras")
    layers, _ = models(keras)["pixels"]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    result = imported(tmp_path / "net.keras")
    assert result.exit_code == 0, result.stderr
    assert "inputs that are scaled by 0.003922 first" in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no zip", "is not a .keras file, or is cut off or damaged"),
        (b"", "is not a .keras file, or is cut off or damaged"),
        (b"\x89HDF\r\n\x1a\n and more", "is in Keras's older HDF5 format; load it in Keras and save it as .keras"),
    ],
)
def test_what_is_no_keras_file_is_refused(tmp_path, content, says):
    (tmp_path / "net.keras").write_bytes(content)
    result = imported(tmp_path / "net.keras")
    assert result.exit_code == 3
    assert says in result.stderr
    assert not (tmp_path / "net.npz").exists()

"""Other programs give our probabilities; and what comes back from Keras is what went there."""

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork
from fastmlp.cli import main

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def trained(mnist):
    """A net that has seen MNIST for two epochs."""
    net = NeuralNetwork(hidden_size=300, seed=0)
    net.input_scale = 1 / 255
    net.fit(mnist.x_train, mnist.y_train, 128, 2)
    return net


@pytest.fixture
def model(tmp_path):
    net = NeuralNetwork(hidden_size=5, input_size=4, output_size=3, seed=0)
    net.class_names, net.feature_names = ("ä", "b", "c"), ("ö", "p", "q", "r")
    net.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def float64_forward(net, X):
    W1, b1, W2, b2 = (getattr(net, name).astype(np.float64) for name in ("W1", "b1", "W2", "b2"))
    logits = np.maximum(X.astype(np.float64) @ W1 + b1, 0) @ W2 + b2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def assert_gives_our_probabilities(net, X, probs):
    np.testing.assert_allclose(probs, net.forward(X), rtol=0, atol=1e-5)
    np.testing.assert_allclose(probs, float64_forward(net, X), rtol=0, atol=2e-6)


def test_onnxruntime_gives_our_probabilities(trained, mnist, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from fastmlp.export import to_onnx

    to_onnx(trained, tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    X = mnist.x_test[:1000]
    (probs,) = session.run(["probabilities"], {"X": X})
    assert_gives_our_probabilities(trained, X, probs)
    assert float(session.get_modelmeta().custom_metadata_map["input_scale"]) == 1 / 255


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_keras_gives_our_probabilities_and_the_net_comes_back(trained, mnist, tmp_path):
    keras = pytest.importorskip("keras")
    from fastmlp.export import to_keras
    from fastmlp.keras_import import from_keras

    to_keras(trained, tmp_path / "net.keras")
    X = mnist.x_test[:1000]
    probs = keras.models.load_model(tmp_path / "net.keras").predict(X, verbose=0)
    assert_gives_our_probabilities(trained, X, probs)
    back = from_keras(tmp_path / "net.keras")
    for name in ("W1", "b1", "W2", "b2"):
        np.testing.assert_array_equal(getattr(back, name), getattr(trained, name))


def test_export_to_onnx(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    result = run("export", model, "--to", "onnx", "--output", tmp_path / "net.onnx")
    assert result.exit_code == 0, result.stderr
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(properties["class_names"]) == ["ä", "b", "c"]
    assert json.loads(properties["feature_names"]) == ["ö", "p", "q", "r"]
    again = run("export", model, "--to", "onnx", "--output", tmp_path / "net.onnx")
    assert again.exit_code == 2
    assert "use --force" in again.stderr


@pytest.mark.parametrize(
    ("output", "says"),
    [("net.txt", "must end in .onnx"), ("no/net.onnx", "does not exist"), ("folder.onnx", "is a directory")],
)
def test_bad_outputs_are_refused_before_any_work(model, tmp_path, output, says):
    (tmp_path / "folder.onnx").mkdir()
    result = run("export", model, "--to", "onnx", "--output", tmp_path / output)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())

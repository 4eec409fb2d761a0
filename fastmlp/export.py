"""A net to other programs and back: ONNX, and Keras's own files. The input is exactly what `forward` takes."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.errors import MissingLibraryError, ModelFileError
from fastmlp.files.atomic import write_whole
from fastmlp.machine import keep_to_cpu
from fastmlp.network import NeuralNetwork

__all__ = ["from_keras", "to_keras", "to_onnx"]

# Old enough for every runtime of the last years; the four operators have not changed since.
_OPSET, _IR_VERSION = 13, 8
_WANTED = "Dense with relu, then Dense with softmax, both with biases"


def to_onnx(net: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write `net` as an ONNX model: "X" (n, D) float32 to "probabilities" (n, C) float32.

    Class names and the scaling of the inputs stand in its metadata. Raises ImportError where `onnx` is missing,
    OSError where `path` cannot be written.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingLibraryError("exporting to ONNX needs onnx: pip install 'fastmlp[onnx]'") from None
    nodes = [
        helper.make_node("Gemm", ["X", "W1", "b1"], ["hidden_in"]),
        helper.make_node("Relu", ["hidden_in"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "W2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "fastmlp",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", net.input_size])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", net.output_size])],
        [numpy_helper.from_array(getattr(net, name), name) for name in ("W1", "b1", "W2", "b2")],
    )
    model = helper.make_model(
        graph, producer_name="fastmlp", ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    facts = {"input_scale": repr(net.input_scale)}
    if net.class_names is not None:
        facts["class_names"] = json.dumps(net.class_names, ensure_ascii=False)
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    write_whole(Path(path), lambda file: file.write(model.SerializeToString()))


def to_keras(net: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write `net` as a Keras model (a .keras file): Dense(H, relu), Dense(C, softmax).

    Raises ImportError where Keras is missing, OSError where `path` cannot be written.
    """
    keras = _keras()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((net.input_size,), name="X"),
            layers.Dense(net.hidden_size, activation="relu", name="hidden"),
            layers.Dense(net.output_size, activation="softmax", name="probabilities"),
        ],
        name="fastmlp",
    )
    model.set_weights([net.W1, net.b1, net.W2, net.b2])
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "net.keras")
        model.save(saved)
        content = saved.read_bytes()
    write_whole(Path(path), lambda file: file.write(content))


def from_keras(path: str | os.PathLike[str]) -> NeuralNetwork:
    """Return the net that a .keras file holds: one hidden Dense layer with relu, one Dense layer with softmax.

    The configuration is read before Keras is: a model with any other layer is refused, so that nothing in the file is
    ever run. Raises fastmlp.files.model.ModelFileError for a file that is not such a model, ImportError where Keras is
    missing, OSError where the file cannot be opened.
    """
    path = Path(path)
    _check_architecture(path)
    keras = _keras()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        W1, b1, W2, b2 = model.get_weights()
    except (ValueError, TypeError, KeyError, OSError) as error:
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{path} cannot be read by Keras ({sentence})") from None
    net = NeuralNetwork(W1.shape[1], input_size=W1.shape[0], output_size=W2.shape[1])
    try:
        net.W1, net.b1, net.W2, net.b2 = W1, b1, W2, b2
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    _check_probabilities(path, model, net)
    return net


def _check_probabilities(path: Path, model: Any, net: NeuralNetwork) -> None:
    """Refuse a model whose layers are joined in another way (skipped, used twice, of another rank): by its numbers."""
    X = np.random.default_rng(0).standard_normal((16, net.input_size), np.float32)
    try:
        theirs = np.asarray(model.predict_on_batch(X), np.float32)
    except (ValueError, TypeError):  # it takes other inputs, or gives several outputs
        theirs = np.empty(0, np.float32)
    ours = net.forward(X)
    # Wide enough for a model that computes in half precision.
    if theirs.shape != ours.shape or not np.allclose(theirs, ours, rtol=0.05, atol=1e-4):
        raise ModelFileError(
            f"{path} gives probabilities other than those of {_WANTED}: its layers are joined in another way"
        )


def _check_architecture(path: Path) -> None:
    """Refuse all but Input, Dense with relu, Dense with softmax, by the file's own configuration."""
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name a .keras file")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                config = json.loads(archive.read("config.json"))
            layers = [(layer["class_name"], layer["config"]) for layer in config["config"]["layers"]]
            dense = [
                (kind, layer.get("activation"), layer.get("use_bias")) for kind, layer in layers if kind != "InputLayer"
            ]
        except Exception as error:  # noqa: BLE001  (zipfile has a dozen, and the configuration may be anything)
            raise ModelFileError(f"{path} is not a .keras file, or is cut off or damaged ({error})") from None
    if config.get("class_name") not in ("Sequential", "Functional"):
        raise ModelFileError(f"{path} holds a {config.get('class_name')}; it must be {_WANTED}")
    if dense != [("Dense", "relu", True), ("Dense", "softmax", True)]:
        shown = ", ".join(f"{kind} with {activation}" if activation else str(kind) for kind, activation, _ in dense)
        raise ModelFileError(f"{path} holds the layers {shown or 'none'}; it must be {_WANTED}")


def _keras() -> Any:
    """Keras on TensorFlow, on the CPU and without its greetings."""
    keep_to_cpu()
    try:
        import keras
    except ImportError:
        raise MissingLibraryError("this needs Keras: pip install 'fastmlp[keras]'") from None
    return keras

"""A net to other programs: ONNX, Keras's own files, and C. The input is what `forward` takes, raw if it scales."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.c_header import to_c
from fastmlp.errors import InvalidValueError, MissingLibraryError
from fastmlp.files.atomic import write_whole
from fastmlp.machine import how_to_get_keras, keep_to_cpu
from fastmlp.network import NeuralNetwork

__all__ = ["keras_on_cpu", "to_c", "to_keras", "to_onnx"]

# Old enough for every runtime of the last years; the four operators have not changed since.
_OPSET, _IR_VERSION = 13, 8
_LEAST_FACTOR = 1e-37  # below are numbers that hardware takes for 0


def to_onnx(net: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write a net as an ONNX model: "X" (n, D) float32 to "probabilities" (n, C) float32.

    The names of classes and inputs and the scaling of the inputs stand in its metadata.

    Parameters
    ----------
    net
        A trained net.
    path
        The file, an .onnx; one that exists is replaced.

    Raises
    ------
    ImportError
        Where `onnx` is missing.
    OSError
        Where the file cannot be written.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingLibraryError("exporting to ONNX needs onnx: pip install 'fastmlp[onnx]'") from None
    scaling, stored = _onnx_scaling(net)
    nodes = [
        *(helper.make_node(kind, inputs, [output]) for kind, inputs, output in scaling),
        helper.make_node("Gemm", [scaling[-1][2] if scaling else "X", "W1", "b1"], ["hidden_in"]),
        helper.make_node("Relu", ["hidden_in"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "W2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "fastmlp",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", net.input_size])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", net.output_size])],
        [
            numpy_helper.from_array(array, name)
            for name, array in ({name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")} | stored).items()
        ],
    )
    model = helper.make_model(
        graph, producer_name="fastmlp", ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    facts = {"input_scale": repr(net.input_scale)}
    if net.class_names is not None:
        facts["class_names"] = json.dumps(net.class_names, ensure_ascii=False)
    if net.feature_names is not None:
        facts["feature_names"] = json.dumps(net.feature_names, ensure_ascii=False)
    if net.table_columns is not None:
        columns = [column._asdict() for column in net.table_columns]
        facts["table_columns"] = json.dumps(columns, ensure_ascii=False)
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    write_whole(Path(path), lambda file: file.write(model.SerializeToString()))


def _onnx_scaling(net: NeuralNetwork) -> tuple[list[tuple[str, list[str], str]], dict[str, Any]]:
    """Return the nodes, (operator, inputs, output), that scale the inputs as `net` does, and the arrays they need."""
    if net.scaling is None:
        return [], {}
    centre, spread, limit = net.scaling
    nodes = [
        ("Sub", ["X", "centre"], "centred"),
        ("Div", ["centred", "spread"], "spread_out"),
        ("Clip", ["spread_out", "least", "most"], "scaled"),
    ]
    return nodes, {"centre": centre, "spread": spread, "least": np.array(-limit, np.float32), "most": np.float32(limit)}


def to_keras(net: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write a net as a Keras model: Dense(H, relu), Dense(C, softmax).

    A scaling comes before them, as Rescaling, Rescaling, and an Activation that cuts off beyond 1; W1 makes up for the
    net's own limit.

    Parameters
    ----------
    net
        A trained net.
    path
        The file, a .keras; one that exists is replaced.

    Raises
    ------
    ImportError
        Where Keras is missing or too old.
    InvalidValueError
        For a scaling beyond Keras's numbers.
    OSError
        Where the file cannot be written.
    """
    keras = keras_on_cpu()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((net.input_size,), name="X"),
            *_keras_scaling(keras, net),
            layers.Dense(net.hidden_size, activation="relu", name="hidden"),
            layers.Dense(net.output_size, activation="softmax", name="probabilities"),
        ],
        name="fastmlp",
    )
    limit = np.float32(1 if net.scaling is None else net.scaling.limit)
    model.set_weights([net.W1 * limit, net.b1, net.W2, net.b2])
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "net.keras")
        model.save(saved)
        content = saved.read_bytes()
    write_whole(Path(path), lambda file: file.write(content))


def _keras_scaling(keras: Any, net: NeuralNetwork) -> list[Any]:
    """Return the layers that scale the inputs as `net` does, divided by its limit."""
    if net.scaling is None:
        return []
    if not hasattr(keras.activations, "hard_tanh"):
        raise MissingLibraryError("a net that scales its inputs needs a newer Keras: pip install --upgrade keras")
    centre, spread, limit = net.scaling
    factor = 1 / (spread.astype(np.float64) * limit)
    if not ((factor > _LEAST_FACTOR) & (factor < 1 / _LEAST_FACTOR)).all():
        raise InvalidValueError(
            "Keras cannot hold the scaling of this net, whose inputs are as large as float32 allows"
        )
    return [
        keras.layers.Rescaling(1.0, offset=(-centre).tolist(), name="centred"),
        keras.layers.Rescaling(factor.tolist(), name="spread_out"),
        keras.layers.Activation("hard_tanh", name="scaled"),
    ]


def keras_on_cpu() -> Any:
    """Return Keras on TensorFlow, on the CPU and without its greetings; raises ImportError where it is missing."""
    keep_to_cpu()
    try:
        import keras
    except ImportError:
        raise MissingLibraryError(f"this needs Keras: {how_to_get_keras()}") from None
    return keras

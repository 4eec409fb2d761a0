"""Pipelines that end in a FastMLPClassifier to ONNX, with skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.classifier import FastMLPClassifier
from fastmlp.errors import InvalidValueError, MissingLibraryError

__all__ = ["register_onnx_converter"]


def register_onnx_converter() -> None:
    """Tell skl2onnx how to write a FastMLPClassifier: afterwards `skl2onnx.to_onnx` takes one, and pipelines with it.

    The probabilities are those of `predict_proba`, to float32's rounding. Raises ImportError where skl2onnx is missing.
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    except ImportError:
        raise MissingLibraryError("writing a pipeline as ONNX needs skl2onnx: pip install skl2onnx") from None
    update_registered_converter(
        FastMLPClassifier,
        "FastMLPClassifier",
        calculate_linear_classifier_output_shapes,
        _convert,
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]},
    )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of one FastMLPClassifier: probabilities as in `fastmlp.export`, and the label with the most."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import guess_proto_type

    model, (label, probabilities) = operator.raw_operator, operator.outputs
    net = model.net_

    def constant(name: str, kind: int, array: Any) -> str:
        unique: str = scope.get_unique_variable_name(name)
        container.add_initializer(unique, kind, array.shape, array.ravel().tolist())
        return unique

    def node(kind: str, inputs: list[str], output: str | None = None, **more: Any) -> str:
        result: str = scope.get_unique_variable_name(kind) if output is None else output
        container.add_node(kind, inputs, result, name=scope.get_unique_operator_name(kind), **more)
        return result

    W1, b1, W2, b2 = (constant(name, TensorProto.FLOAT, getattr(net, name)) for name in ("W1", "b1", "W2", "b2"))
    X = node("Cast", [operator.inputs[0].full_name], to=TensorProto.FLOAT)
    hidden = node("Relu", [node("Gemm", [X, W1, b1])])
    probs = node("Softmax", [node("Gemm", [hidden, W2, b2])], axis=1)
    node("Cast", [probs], probabilities.full_name, to=guess_proto_type(probabilities.type))  # float64 for such inputs
    best = node("ArgMax", [probs], axis=1, keepdims=0)
    kind, values = _labels(model.classes_)
    node("Gather", [constant("classes", kind, values), best], label.full_name, axis=0)


def _labels(classes: Any) -> tuple[int, Any]:
    """The labels as ONNX has them: int64, or strings. Raises InvalidValueError for others."""
    from onnx import TensorProto

    if np.issubdtype(classes.dtype, np.integer) or classes.dtype == np.bool_:
        return TensorProto.INT64, classes.astype(np.int64)
    if all(isinstance(label, str) for label in classes):
        return TensorProto.STRING, np.array([label.encode() for label in classes])
    raise InvalidValueError(f"ONNX has labels that are whole numbers or texts, and these are {classes.tolist()}")

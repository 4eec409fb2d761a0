"""A net from a Keras model that computes the same: Dense, relu, Dense, softmax, and what can be folded into these.

Layers that only act in training (dropout, noise) and `Flatten` are left out. `Rescaling` by one factor, as of pixels by
1/255, becomes the net's input scale. Any other `Rescaling` or `Normalization`, X -> scale X + shift for each input, is
folded into the first layer, in float64:

    W1 <- diag(scale) W1,    b1 <- b1 + shift W1

Where an activation "hard_tanh", which cuts off beyond 1, follows, they become the net's scaling instead, as `to_keras`
has written it. A model that ends in logits becomes a net that gives their softmax.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, Float64Array
from fastmlp.datasets.limits import check_size
from fastmlp.engine.scaling import Scaling
from fastmlp.errors import DataError, ModelFileError
from fastmlp.export import keras_on_cpu
from fastmlp.network import NeuralNetwork

__all__ = ["from_keras"]

_WANTED = (
    "Dense, relu, Dense, softmax; before them Rescaling, Normalization or Flatten, between them Dropout; "
    "the softmax may be missing"
)
_NOTHING_TO_DO = ("InputLayer", "Flatten", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")
_SCALING = ("Rescaling", "Normalization")
_CUT_OFF = "hard_tanh"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LEAST_DEVIATION = 1e-7  # to which Normalization raises a standard deviation
_LARGEST_SHIFT = 1e4  # of what is of size 1 after it: float32 loses four of its seven digits


def from_keras(path: str | os.PathLike[str]) -> NeuralNetwork:
    """Return the net that a .keras file holds.

    The configuration is read before Keras is: a model with any other layer is refused, so that nothing in the file is
    ever run.

    Parameters
    ----------
    path
        The file: Dense, relu, Dense, softmax, and what can be folded into these, see `fastmlp.keras_import`.

    Returns
    -------
    NeuralNetwork
        A net that computes the same.

    Raises
    ------
    ModelFileError
        For a file that is not such a model.
    ImportError
        Where Keras is missing.
    OSError
        Where the file cannot be opened.
    """
    path = Path(path)
    steps = _steps_of(path)
    gives_logits, is_cut_off = steps[-1] != "softmax", _CUT_OFF in steps
    keras = keras_on_cpu()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        scale, shift = _scaling([layer for layer in model.layers if type(layer).__name__ != "InputLayer"], model)
        (W1, b1), (W2, b2) = (_weights(layer) for layer in model.layers if type(layer).__name__ == "Dense")
    except (ValueError, TypeError, KeyError, OSError) as error:
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{path} cannot be read by Keras ({sentence})") from None
    if len(scale) != len(W1):
        raise ModelFileError(f"{path} takes inputs of {len(scale)} values and its first layer {len(W1)}: use Flatten")
    if not is_cut_off and (abs(shift) > _LARGEST_SHIFT).any():
        column = int(abs(shift).argmax())
        raise ModelFileError(
            f"{path} normalises input {column} (from 0), which hardly varies: float32 weights cannot hold that; "
            "train it without that input"
        )
    net = NeuralNetwork(W1.shape[1], input_size=W1.shape[0], output_size=W2.shape[1])
    try:
        if is_cut_off:
            with np.errstate(all="ignore"):  # a factor of 0 gives what no scaling can have
                net.scaling = Scaling((-shift / scale).astype(np.float32), (1 / scale).astype(np.float32), 1.0)
        elif not shift.any() and (scale == scale[0]).all() and scale[0] > 0:
            net.input_scale = float(scale[0])
        else:
            W1, b1 = scale[:, None] * W1, b1 + shift @ W1
        net.W1, net.b1, net.W2, net.b2 = W1, b1, W2, b2
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    raw = _inputs(net.input_size, scale, shift)
    theirs = _outputs(model, raw)
    ours = net.forward(raw * np.float32(net.input_scale))
    if gives_logits and theirs.shape == ours.shape:
        theirs = np.exp(theirs - theirs.max(axis=1, keepdims=True))
        theirs /= theirs.sum(axis=1, keepdims=True)
    # Layers may be skipped, used twice, or of another rank. Wide enough for a model that computes in half precision.
    if theirs.shape != ours.shape or not np.allclose(theirs, ours, rtol=0.05, atol=1e-4):
        raise ModelFileError(f"{path} gives probabilities other than those of its layers one after the other")
    return net


def _steps_of(path: Path) -> list[str]:
    """Return what the layers do, one after the other; what a net of ours cannot do is refused, by the configuration."""
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name a .keras file")
    with path.open("rb") as file:
        if file.read(len(_HDF5)) == _HDF5:
            raise ModelFileError(
                f"{path} is in Keras's older HDF5 format; "
                "load it in Keras and save it as .keras: keras.models.load_model('net.h5').save('net.keras')"
            )
        try:
            with zipfile.ZipFile(file) as archive:
                check_size(str(path), sum(member.file_size for member in archive.infolist()))
                config = json.loads(archive.read("config.json"))
            layers = [(str(layer["class_name"]), dict(layer["config"])) for layer in config["config"]["layers"]]
        except DataError as error:
            raise ModelFileError(str(error)) from None
        except Exception as error:  # noqa: BLE001 - zipfile, its decompressors and json each fail in their own ways
            raise ModelFileError(f"{path} is not a .keras file, or is cut off or damaged ({error})") from None
    if config.get("class_name") not in ("Sequential", "Functional"):
        raise ModelFileError(f"{path} holds a {config.get('class_name')}; it must be {_WANTED}")
    steps = [step for kind, layer in layers for step in _steps(kind, layer)]
    first = next((k for k, step in enumerate(steps) if step not in _SCALING), len(steps))
    if first and steps[first : first + 1] == [_CUT_OFF]:
        first += 1
    if steps[first:] not in (["Dense", "relu", "Dense"], ["Dense", "relu", "Dense", "softmax"]):
        raise ModelFileError(f"{path} holds the layers {', '.join(steps) or 'none'}; it must be {_WANTED}")
    return steps


def _steps(kind: str, layer: dict[str, Any]) -> list[str]:
    """Return what a layer does, as names: of layers, and relu and softmax in whichever way Keras says them."""
    activation = layer.get("activation")
    if kind == "Flatten" and layer.get("data_format") == "channels_first":
        return ["Flatten with channels first"]
    if kind in _NOTHING_TO_DO:
        return []
    if kind == "Dense":
        return ["Dense"] if activation in (None, "linear") else ["Dense", str(activation)]
    if kind == "Activation":
        return [] if activation == "linear" else [str(activation)]
    if kind == "ReLU":
        plain = layer.get("max_value") is None and not layer.get("negative_slope") and not layer.get("threshold")
        return ["relu" if plain else "a ReLU with limits or a slope"]
    if kind == "Softmax":
        return ["softmax" if layer.get("axis", -1) in (-1, 1, [-1], [1]) else "Softmax over other axes"]
    return [kind]


def _scaling(layers: list[Any], model: Any) -> tuple[Float64Array, Float64Array]:
    """Return what the layers before the first Dense do: each input is multiplied by scale (D,), then shifted (D,)."""
    shape = model.input_shape[1:]
    scale, shift = np.ones(shape), np.zeros(shape)
    for layer in layers:
        kind = type(layer).__name__
        if kind == "Dense":
            break
        if kind == "Flatten":
            scale, shift = scale.reshape(-1), shift.reshape(-1)
        if kind not in _SCALING:
            continue
        if kind == "Rescaling":
            factor, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
        else:
            mean, variance = np.asarray(layer.mean, np.float64)[0], np.asarray(layer.variance, np.float64)[0]
            deviation = np.maximum(np.sqrt(variance), _LEAST_DEVIATION)
            factor, offset = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
        scale, shift = scale * factor, shift * factor + offset
    return scale.reshape(-1), shift.reshape(-1)


def _weights(layer: Any) -> tuple[Float64Array, Float64Array]:
    """Return weights and biases of a Dense layer; biases that it does not use are 0."""
    W, *b = (np.asarray(array, np.float64) for array in layer.get_weights())
    return W, b[0] if b else np.zeros(W.shape[1])


def _inputs(n: int, scale: Float64Array, shift: Float64Array) -> Float32Array:
    """Return some inputs (16, n) that are of ordinary size once they are scaled and shifted."""
    scaled = np.random.default_rng(0).standard_normal((16, n))
    return np.divide(scaled - shift, scale, out=np.zeros_like(scaled), where=scale != 0).astype(np.float32)


def _outputs(model: Any, X: Float32Array) -> Float32Array:
    """Return what the model makes of X; nothing where it takes other inputs, or gives several outputs."""
    try:
        return np.asarray(model.predict_on_batch(X.reshape(len(X), *model.input_shape[1:])), np.float32)
    except (ValueError, TypeError):
        return np.empty(0, np.float32)

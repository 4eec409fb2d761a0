"""What a net sees in a drawing: its 28 x 28 picture, the probabilities, and the hidden units that it excites most."""

from __future__ import annotations

import base64
import copy
import math
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, UInt8Array
from fastmlp.datasets.digit_form import SIZE, cleaned_form
from fastmlp.errors import InvalidValueError
from fastmlp.model_inputs import class_names
from fastmlp.network import NeuralNetwork

__all__ = ["CLASSES", "INPUTS", "MOST_BYTES", "NetView"]

INPUTS, CLASSES = SIZE * SIZE, 10
_SIDES = range(8, 257)  # of a drawing, in pixels
MOST_BYTES = _SIDES[-1] ** 2
_MOST_UNITS = 8
_MARGIN = 0.1  # of paper around a drawing: ink that reaches its edge is ink too, and no border or line of the paper


class NetView:
    """A net as it is now, of which the page shows what it sees. Raises InvalidValueError where it is not for digits.

    >>> view = NetView(NeuralNetwork(hidden_size=20, seed=0))
    >>> page = np.zeros((56, 56), np.uint8)
    >>> page[10:46, 26:30] = 255
    >>> seen = view.look(page.tobytes())
    >>> sorted(seen), len(seen["probabilities"]), len(seen["units"])
    (['cleaned', 'picture', 'probabilities', 'units'], 10, 8)
    """

    def __init__(self, net: NeuralNetwork, name: str = "the net") -> None:
        if (net.input_size, net.output_size) != (INPUTS, CLASSES):
            raise InvalidValueError(
                f"{name} takes {net.input_size} inputs and knows {net.output_size} classes; the demo needs a net for "
                f"pictures of {SIZE} x {SIZE} pixels, with {INPUTS} inputs and {CLASSES} classes"
            )
        self._net = copy.copy(net)  # the net may train on
        self.hidden_size = net.hidden_size
        self.classes = class_names(net)
        self._W1, self._b1, self._W2 = net.W1, net.b1, net.W2
        # A few large weights must not make the others pale: beyond the limit the colour stays the same.
        self._limit = float(np.quantile(np.abs(self._W1), 0.995)) or 1.0

    def look(self, drawing: bytes) -> dict[str, Any]:
        """Return what the net sees in the grey bytes of a square drawing, where 0 is paper and 255 is ink, for JSON.

        `picture` is the drawing in MNIST's form, bytes in base64, and `cleaned` what was left out of it, in words;
        `probabilities` are those of the classes; `units` are the hidden units with the greatest activity.

        Raises InvalidValueError where the drawing has no form, or the net no answer.
        """
        form, cleaned = cleaned_form(_with_margin(_as_square(drawing)))
        probs = self._net.forward(form[None])[0]
        if not np.isfinite(probs).all():
            raise InvalidValueError("the net has no answer, as its outputs overflow float32")
        return {
            "picture": _as_text(np.rint(255 * form).astype(np.uint8)),
            "cleaned": cleaned,
            "probabilities": [float(p) for p in probs],
            "units": self._strongest(form[None]),
        }

    def warm_up(self) -> None:
        """Look at some drawing, so that what this needs is compiled, or loaded from disk, before somebody waits."""
        drawing = np.zeros((56, 56), np.uint8)
        drawing[10:46, 26:30] = 255
        self.look(drawing.tobytes())

    def _strongest(self, X: Float32Array) -> list[dict[str, Any]]:
        """Return the hidden units that the row X (1, D) excites most, with their weights as bytes: 128 is none."""
        rows = self._net._rows(X)  # scaled, where the net does that
        assert isinstance(rows, np.ndarray)
        hidden = np.maximum(0, rows @ self._W1 + self._b1)[0]
        order = np.argsort(-hidden, kind="stable")[:_MOST_UNITS]
        weights = np.clip(self._W1[:, order].T / self._limit, -1, 1)
        levels = np.rint(128 + 127 * weights).astype(np.uint8)
        return [
            {
                "unit": int(unit),
                "activity": float(hidden[unit]),
                "for": self.classes[int(self._W2[unit].argmax())],
                "against": self.classes[int(self._W2[unit].argmin())],
                "weights": _as_text(row),
            }
            for unit, row in zip(order, levels, strict=True)
            if hidden[unit] > 0
        ]


def _as_square(drawing: bytes) -> UInt8Array:
    side = math.isqrt(len(drawing))
    if side * side != len(drawing) or side not in _SIDES:
        low, high = _SIDES[0], _SIDES[-1]
        raise InvalidValueError(
            f"a drawing is a square of grey bytes, from {low} x {low} to {high} x {high}, and this is {len(drawing):,} "
            "bytes"
        )
    return np.frombuffer(drawing, np.uint8).reshape(side, side)


def _with_margin(drawing: UInt8Array) -> UInt8Array:
    if not drawing.any():
        raise InvalidValueError("nothing is drawn yet")
    return np.pad(drawing, math.ceil(_MARGIN * len(drawing)))


def _as_text(values: UInt8Array) -> str:
    return base64.b64encode(values.tobytes()).decode()

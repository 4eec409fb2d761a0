"""Inference with NumPy alone: load a model file of fastmlp and predict.

This file needs NumPy and nothing else of fastmlp, so that it may be copied into another project:

    from fastmlp import runtime  # or `import runtime`, of a copy

    model = runtime.load("digits.npz")
    model.forward(X)  # probabilities (n, C)
    model.predict(X)  # the names of the classes, or their numbers where they have none

The hidden layer is computed in float32, as fastmlp does, and the outputs and the softmax in float64. NumPy sums in
another order than fastmlp, so the probabilities agree to rounding and not to the bit: see docs/files.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Model", "ModelFileError", "load"]

_FORMAT = 3  # the newest version of the file's format that is known here
_WEIGHTS = ("W1", "b1", "W2", "b2")
_SCALING = ("input_centre", "input_spread")
_LARGEST = float(np.finfo(np.float32).max)
_MISSING = ("NAType", "NaTType")  # the types of pandas.NA and pandas.NaT
_ROWS_AT_ONCE = 4096  # which bounds the memory that the hidden layer of many rows takes


class ModelFileError(ValueError):
    """A file holds no model that can be read."""


class Model:
    """A trained net: hidden = max(0, X W1 + b1), probs = softmax(hidden W2 + b2). `load` makes it; nothing changes it.

    Parameters
    ----------
    arrays
        W1, b1, W2 and b2 by their names, and with a scaling input_centre and input_spread, all float32.
    metadata
        What a model file says of the net.

    Attributes
    ----------
    input_size, output_size
        Inputs D and classes C.
    class_names
        The name of each class; None where the classes are the numbers 0 to C - 1.
    feature_names
        The name of each input, None where they have none.
    input_scale
        What the values of the original data were multiplied by to give X: 1/255 where the net was trained on pixels.

    Examples
    --------
    >>> ones = np.ones((2, 2), np.float32)
    >>> model = Model(
    ...     {"W1": ones, "b1": ones[0], "W2": 2 * np.eye(2, dtype=np.float32), "b2": ones[0] * [0, 1]},
    ...     {"class_names": ["lily", "rose"], "input_scale": 1},
    ... )
    >>> model.forward([[1, 2]]).round(3), model.predict([[1, 2]])
    (array([[0.269, 0.731]], dtype=float32), array(['rose'], dtype='<U4'))
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, Any]) -> None:
        self._W1, self._b1 = arrays["W1"], arrays["b1"]
        self._W2, self._b2 = (arrays[name].astype(np.float64) for name in ("W2", "b2"))
        self.input_size, self.output_size = len(self._W1), len(self._b2)
        self.class_names = _names("class_names", metadata["class_names"], self.output_size)
        self.feature_names = _names("feature_names", metadata.get("feature_names"), self.input_size)
        self.input_scale = _positive("input_scale", metadata["input_scale"])
        self._columns = _columns(metadata.get("table_columns"), self.feature_names, self.input_size)
        self._scaling: tuple[NDArray[np.float32], NDArray[np.float32], Any] | None = None
        if _SCALING[0] in arrays:
            centre, spread = (arrays[name] for name in _SCALING)
            if not (spread > 0).all():
                raise ValueError("a spread is not above 0")
            self._scaling = centre, spread, np.float32(_positive("input_limit", metadata["input_limit"]))

    def forward(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or (n_samples, height, width)
            What `NeuralNetwork.forward` takes, except frames: raw values where the net scales its inputs, and pixels
            multiplied by `input_scale`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Each row adds up to 1.

        Raises
        ------
        ValueError, TypeError
            For an X that does not fit the net.

        Warns
        -----
        RuntimeWarning
            Where the outputs of a row overflow float32; its probabilities are NaN.
        """
        probs = self._probabilities(X)
        overflowed = np.count_nonzero(np.isnan(probs[:, 0]))
        if overflowed:
            warnings.warn(
                f"the outputs of {overflowed} of {len(probs)} rows overflow float32: their probabilities are NaN",
                RuntimeWarning,
                stacklevel=2,
            )
        return probs

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X
            As for `forward`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Names of classes, or their numbers where they have no names.

        Raises
        ------
        ValueError
            Where the outputs of a row overflow float32, and as `forward` does.
        TypeError
            As `forward` does.
        """
        probs = self._probabilities(X)
        overflowed = np.isnan(probs[:, 0])
        if overflowed.any():
            raise ValueError(
                f"the outputs of {np.count_nonzero(overflowed)} rows overflow float32, the first in row "
                f"{overflowed.argmax()} (from 0), so that they have no class: scale the inputs as in training"
            )
        numbers: NDArray[Any] = probs.argmax(axis=1)
        return numbers if self.class_names is None else np.array(self.class_names)[numbers]

    def inputs(self, rows: Iterable[Mapping[str, object]]) -> NDArray[np.float32]:
        """Return the inputs for `forward` made of rows of a table.

        Gaps are filled in, and text encoded, as in training; columns that the model does not know are left out.

        Parameters
        ----------
        rows
            Mappings of column names to cells. A cell is a number or, where the net was trained with `--preprocess
            auto`, perhaps a text; None, NaN and "" are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            A row for each.

        Raises
        ------
        ValueError
            Where the model knows no names of columns, for a row that lacks one, for a missing value in a column that
            had none in training, and for one beyond float32.
        TypeError
            For a row or cell of the wrong type.

        Warns
        -----
        UserWarning
            For a text that was not seen in training, which counts as none of the known ones.
        """
        if self._columns is None:
            raise ValueError("this model knows no names of columns: give forward an array of its inputs")
        made: list[float] = []
        for k, row in enumerate(rows):
            if not isinstance(row, Mapping):  # of one mapping, a name
                raise TypeError("rows must be a list of mappings of column names to cells; one row is [row]")
            for column in self._columns:
                made += _encoded(column, row, k)
        return np.array(made, np.float32).reshape(-1, self.input_size)

    def _probabilities(self, X: ArrayLike) -> NDArray[np.float32]:
        rows = self._scaled(_as_rows(X, self.input_size))
        probs = np.empty((len(rows), self.output_size), np.float32)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            probs[some] = self._softmax(rows[some])
        return probs

    def _scaled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._scaling is None:
            return rows
        centre, spread, limit = self._scaling
        with np.errstate(over="ignore", under="ignore"):  # what becomes infinite is cut off
            scaled: NDArray[np.float32] = np.clip((rows - centre) / spread, -limit, limit)
        return scaled

    def _softmax(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):  # what overflows becomes NaN
            hidden = np.maximum(rows @ self._W1 + self._b1, 0)
            logits = hidden @ self._W2 + self._b2
            logits[abs(logits) > _LARGEST] *= np.inf  # as in float32
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            probs: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probs


def load(path: str | os.PathLike[str]) -> Model:
    """Return the model in a file that `NeuralNetwork.save` or `fastmlp train --output` wrote; no code in it is run.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Model
        The net, to predict with.

    Raises
    ------
    ModelFileError
        For a file that is damaged, altered, not a model or of a newer version.
    OSError
        Where it cannot be opened.
    """
    path = Path(path)
    arrays, text, is_intact = _read(path)
    try:
        metadata = json.loads(text)
        newer = metadata["format"] > _FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{path} is not a model of fastmlp: its metadata cannot be read") from None
    if newer:
        raise ModelFileError(
            f"{path} was written by a newer fastmlp (format {metadata['format']}; this one reads up to {_FORMAT}): "
            "take fastmlp.runtime from that version"
        )
    if not is_intact:
        raise ModelFileError(f"{path} was altered or damaged after it was saved: its digest does not match")
    try:
        _check_shapes(arrays)
        return Model(arrays, metadata)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is no model that this file can read: {error}") from None


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], bytes, bool]:
    """Return the arrays that are needed here, the metadata, and whether the digest is that of all the file holds."""
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name a model file")
    digest, kept = hashlib.sha256(), {}
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
            names = {entry.filename.removesuffix(".npy") for entry in entries}
            if not {*_WEIGHTS, "metadata", "digest"} <= names or any(entry.compress_type for entry in entries):
                raise ModelFileError(f"{path} is not a model of fastmlp: it holds other arrays than a model's")
            others = sorted(names - {*_WEIGHTS, "metadata", "digest"})  # of which some are the optimiser's
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                for name in (*_WEIGHTS, "metadata", *others):
                    array = np.ascontiguousarray(stored[name])
                    digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
                    digest.update(array.tobytes())
                    if name not in others or name in _SCALING:
                        kept[name] = array
                expected = stored["digest"].tobytes()
        except ModelFileError:
            raise
        except Exception as error:  # noqa: BLE001  (a dozen types, from BadZipFile to TokenError)
            if "allow_pickle" in str(error):
                raise ModelFileError(
                    f"{path} holds Python objects, and reading those could run code: it is refused"
                ) from None
            raise ModelFileError(f"{path} is not a model of fastmlp, or is cut off or damaged ({error})") from None
    return kept, kept.pop("metadata").tobytes(), digest.digest() == expected


def _check_shapes(arrays: Mapping[str, NDArray[Any]]) -> None:
    W1, b1, W2, b2 = (arrays[name].shape for name in _WEIGHTS)
    if not (len(W1) == 2 and W1[1:] == b1 == W2[:1] and W2[1:] == b2 and len(b2) == 1):
        raise ValueError(f"the shapes of W1 {W1}, b1 {b1}, W2 {W2} and b2 {b2} do not fit together")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not array.size or not np.isfinite(array).all():
            raise ValueError(f"{name} holds no finite float32 numbers")
        if name in _SCALING and (array.shape != W1[:1] or not set(_SCALING) <= arrays.keys()):
            raise ValueError("its scaling is not that of its inputs")


def _names(what: str, value: Any, n: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(set(value)) != n:
        raise ValueError(f"its {what} are not {n} different texts")
    return tuple(value)


def _positive(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"its {what} is {value!r}, which is no number above 0")
    return float(value)


class _Column(NamedTuple):
    """A column of a table: of numbers, `fill` being what missing ones become; or of text, an input per category."""

    name: str
    fill: float | None = None
    categories: Sequence[str] | None = None


def _columns(recipe: Any, feature_names: Sequence[str] | None, n: int) -> list[_Column] | None:
    if recipe is None:
        return None if feature_names is None else [_Column(name) for name in feature_names]
    columns = [_Column(**column) for column in recipe]
    if sum(len(column.categories or [0]) for column in columns) != n:
        raise ValueError(f"its table_columns do not make {n} inputs")
    return columns


def _encoded(column: _Column, row: Mapping[str, object], k: int) -> list[float]:
    """Return the inputs that a column of the row k makes."""
    where = f"the column {column.name} of row {k} (from 0)"
    if column.name not in row:
        raise ValueError(f"row {k} (from 0) lacks the column {column.name}")
    cell: Any = row[column.name]
    is_number = isinstance(cell, (Real, np.bool_))
    if cell is None or type(cell).__name__ in _MISSING or (is_number and cell != cell):
        cell = ""
    known = column.categories
    if cell == "" and (column.fill is None if known is None else "" not in known):
        raise ValueError(f"{where} is missing, and none was in training: fill it in")
    if known is not None:
        if not isinstance(cell, str):
            raise TypeError(f"{where} is {cell!r}; it must be a text")
        if cell not in known:
            warnings.warn(f"{where} is {cell!r}, which was not seen in training", UserWarning, stacklevel=3)
        return [float(cell == category) for category in known]
    if cell == "":
        cell = column.fill
    elif not is_number:
        raise TypeError(f"{where} is {cell!r}; it must be a number")
    if abs(cell) > _LARGEST:
        raise ValueError(f"{where} is too large for float32: scale it")
    return [float(cell)]


def _as_rows(X: ArrayLike, input_size: int) -> NDArray[np.float32]:
    """Return X as rows (n, D) of finite float32 numbers."""
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        raise TypeError("X is a frame: give forward an array, its columns in the order of model.feature_names")
    if np.ma.is_masked(X):
        raise ValueError("X has masked values; fill or remove them")
    try:
        array = np.asarray(X)
    except (RuntimeError, TypeError, ValueError) as error:  # rows of different lengths, say, or a tensor on a GPU
        raise ValueError(f"X cannot be read as an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"X has dtype {array.dtype}; it must hold real numbers")
    if array.ndim == 3 or (array.ndim == 4 and 1 in (array.shape[1], array.shape[3])):
        array = array.reshape(len(array), math.prod(array.shape[1:]))
    if array.ndim != 2:
        hint = "; one sample is X[None, :]" if array.ndim == 1 else ""
        raise ValueError(f"X has {array.ndim} dimensions; it must have 2{hint}")
    if array.size == 0:
        raise ValueError(f"X is empty, of shape {array.shape}")
    if array.shape[1] != input_size:
        hint = "; one image is X[None]" if array.size == input_size else ""
        raise ValueError(f"X has {array.shape[1]} columns; this net has input_size={input_size}{hint}")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite
        rows = np.asarray(array, np.float32)
    unusable = ~np.isfinite(rows)
    if unusable.any():
        row, column = np.unravel_index(int(unusable.argmax()), unusable.shape)
        raise ValueError(
            f"X holds {np.count_nonzero(unusable)} values that are NaN, infinite or too large for float32, the first "
            f"in row {row}, column {column} (from 0): replace them"
        )
    return rows

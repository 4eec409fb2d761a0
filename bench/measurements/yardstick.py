"""An epoch against the yardstick: the same epoch in C++ (`bench/yardstick/epoch.cpp`)."""

import ctypes
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.comparison.spec import WEIGHTS
from measurements.setting import Setting, duration
from measurements.values import Case, NotMeasuredError, Reading, at_most

__all__ = ["SIZES", "yardstick"]

SIZES = (30, 77, 128, 256, 300, 520, 1024)
_SOURCE = Path(__file__).parents[1] / "yardstick" / "epoch.cpp"
_FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-pthread"]
_MOST_THREADS = 8
_BATCH, _LR = 128, 0.1
_TURN = 4  # epochs; the first of a turn finds the caches as the other left them, and does not count


def yardstick(setting: Setting) -> Iterator[Case]:
    """Yield the time of an epoch divided by the yardstick's, for each hidden size."""
    compiled = functools.cache(lambda: _compile(setting.folder))
    for H in setting.some(SIZES):
        measure = functools.partial(_against_yardstick, setting, compiled, H)
        yield Case(f"H={H}", at_most("times", 1.2, 1.0), measure)


def _compile(folder: Path) -> ctypes.CDLL:
    """Compile epoch.cpp for this machine, and load it."""
    compiler, path = os.environ.get("CXX") or "c++", folder / "libepoch.so"
    if shutil.which(compiler) is None:
        raise NotMeasuredError(f"there is no C++ compiler '{compiler}' here (CXX names another)")
    done = subprocess.run([compiler, *_FLAGS, _SOURCE, "-o", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasuredError(f"'{compiler}' cannot compile {_SOURCE.name}: {(done.stderr.splitlines() or ['?'])[0]}")
    library = ctypes.CDLL(str(path))
    library.net_new.restype, library.net_epoch.restype = ctypes.c_void_p, ctypes.c_double
    return library


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


class _Yardstick:
    """A net in the library, with these weights (W1, b1, W2, b2), to be trained on X (n, D) of bytes and y (n)."""

    def __init__(self, library: ctypes.CDLL, X: np.ndarray, y: np.ndarray, weights: list[Any], threads: int) -> None:
        self._library, self._weights = library, [np.array(array, np.float32, order="C") for array in weights]
        values = (np.arange(256) / 255).astype(np.float32)
        (n, D), (H, C) = X.shape, weights[2].shape
        self._net = ctypes.c_void_p(library.net_new(_pointer(X), _pointer(y), n, D, H, C, _pointer(values), threads))
        if not self._net:
            raise NotMeasuredError("the yardstick takes no net of this size")
        library.net_weights(self._net, *map(_pointer, self._weights), 1)

    def epoch(self, order: np.ndarray) -> float:
        """Train once through the samples in this order; return the mean loss."""
        return self._library.net_epoch(self._net, _pointer(order.astype(np.uint32)), _BATCH, ctypes.c_float(_LR))

    def close(self) -> list[np.ndarray]:
        """Free the net and return the weights."""
        self._library.net_weights(self._net, *map(_pointer, self._weights), 0)
        self._library.net_free(self._net)
        return self._weights


def _as_bytes(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of the training set as the yardstick takes them."""
    X = np.rint(setting.data.x_train * np.float32(255)).astype(np.uint8)
    if not np.allclose(X / np.float32(255), setting.data.x_train, rtol=0, atol=1e-6):
        raise NotMeasuredError(f"the yardstick takes only bytes, and {setting.data.name} has other values")
    return X, setting.data.y_train.astype(np.uint8)


def _against_yardstick(setting: Setting, compiled: Any, H: int) -> Reading:
    library, (X, y) = compiled(), _as_bytes(setting)
    threads = min(_MOST_THREADS, setting.threads)
    net = setting.net(H, _LR, threads=threads)
    _check(library, X, y, [getattr(net, name) for name in WEIGHTS], threads)
    ours, theirs = _measure(library, (X, y), setting, net, threads)
    ratios = np.median(ours, 1) / np.median(theirs, 1)
    low, ratio, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    detail = f"ours {duration(ours)}, C++ {duration(theirs)}; quartiles {low:.2f} to {high:.2f}"
    return Reading(float(ratio), detail, {"fastmlp": ours.tolist(), "yardstick": theirs.tolist()})


def _measure(
    library: ctypes.CDLL, bytes_: tuple[np.ndarray, np.ndarray], setting: Setting, net: Any, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seconds of our epochs and of the yardstick's (turns, _TURN - 1), each with the drawing of its order.

    Both train in turns of some epochs: with single ones, the caches as the other left them would cost the one with less
    traffic its lead.
    """
    rng, theirs, rounds = np.random.default_rng(0), [], setting.times(6)
    other = _Yardstick(library, *bytes_, [getattr(net, name) for name in WEIGHTS], threads)

    def turn(epoch: int, _history: Any) -> None:
        for _ in range(_TURN if epoch % _TURN == 0 else 0):
            start = perf_counter()
            other.epoch(rng.permutation(len(bytes_[1])))
            theirs.append(perf_counter() - start)

    data = setting.data
    history = net.fit(data.x_train, data.y_train, _BATCH, rounds * _TURN, callback=turn)
    other.close()
    ours, others = (np.array(seconds).reshape(rounds, _TURN)[:, 1:] for seconds in (history.seconds, theirs))
    return ours, others


def _check(library: ctypes.CDLL, X: np.ndarray, y: np.ndarray, start: list[Any], threads: int) -> None:
    """Compare an epoch of the yardstick with NumPy's, the last batch of which is not full; with one thread too.

    It is short: in a long one float32 and float64 will disagree whether some hidden sum, of 1e-8 or so, is above 0.
    """
    H = len(start[1])
    rng, n = np.random.default_rng(H), 140 + min(4000, 100000 // H)
    X, y = X[:n].copy(), y[:n].copy()
    order = rng.permutation(len(X))
    loss, exact = _numpy_epoch(X, y, start, order)
    for count in (1, threads):
        net = _Yardstick(library, X, y, start, count)
        own_loss = net.epoch(order)
        for name, a, b, before in zip(WEIGHTS, net.close(), exact, start, strict=True):
            error = np.linalg.norm(a - b) / np.linalg.norm(b - before)
            if not (error < 1e-3 and abs(own_loss / loss - 1) < 1e-5):
                raise NotMeasuredError(
                    f"with {count} threads the yardstick's loss differs from NumPy's by {own_loss / loss - 1:.1e}, "
                    f"its {name} by {error:.1e} of the change"
                )


def _numpy_epoch(X: np.ndarray, y: np.ndarray, weights: list[Any], order: np.ndarray) -> tuple[float, list[Any]]:
    """Train the same epoch in float64; return the mean loss and the weights."""
    (W1, b1, W2, b2), total = (array.astype(np.float64) for array in weights), 0.0
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        x, own = X[batch] / 255, (np.arange(len(batch)), y[batch])
        hidden = np.maximum(0, x @ W1 + b1)
        probs = np.exp(hidden @ W2 + b2)
        probs /= probs.sum(1, keepdims=True)
        total -= np.log(probs[own]).sum()
        probs[own] -= 1
        dlogits = -_LR / len(batch) * probs
        dhidden = dlogits @ W2.T * (hidden > 0)
        W2, b2 = W2 + hidden.T @ dlogits, b2 + dlogits.sum(0)
        W1, b1 = W1 + x.T @ dhidden, b1 + dhidden.sum(0)
    return total / len(order), [W1, b1, W2, b2]

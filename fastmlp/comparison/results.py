"""The results of a comparison: what is made of the runs, and the file that keeps it.

A row stands for one net at one hidden size: medians over the repeats, and under `spread` the intervals that hold, with
95 % in all rows, what one more repeat gives. Its `ratio` is the net's training time over ours: the median over the
epochs of a round, which the nets did in turn (`ratios`), and then over the rounds. An epoch that met a stall of the
machine does not move it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastmlp import __version__
from fastmlp.comparison.intervals import intervals
from fastmlp.contenders import MODULES
from fastmlp.errors import ResultsFileError

__all__ = [
    "ACCURACIES",
    "PARITY",
    "SCHEMA",
    "add_spread",
    "dense_flop",
    "make_row",
    "read_results",
    "write_results",
]

SCHEMA = 1
PARITY = 1e-3
"""How far a net's mean loss over the first epoch may be from ours, relative, for the net to be ranked."""
ACCURACIES = ("0.95", "0.97", "0.975")
"""Test accuracies whose first reaching is timed."""

_DISTRIBUTIONS = {"sklearn": ("scikit-learn",), "tensorflow": ("tensorflow", "tensorflow-cpu")}  # else as imported
_MEDIANS = (
    "train_seconds",
    "compile_seconds",
    "import_seconds",
    "test_accuracy",
    "test_loss",
    "train_accuracy",
    "train_loss",
)

# What is told with an interval: how to take a value of each repeat from a row.
_SPREAD: dict[str, Callable[[Mapping[str, Any]], list[float]]] = {
    "train_seconds": lambda row: [run["train_seconds"] for run in row["repeats"]],
    "epoch_seconds": lambda row: [statistics.median(run["history"]["seconds"]) for run in row["repeats"]],
    "ratio": lambda row: row["ratios"] if row["net"] != "fastmlp" else [],
}


def dense_flop(n: int, input_size: int, hidden_size: int, output_size: int) -> int:
    """Return the floating-point operations of an epoch over n samples, with the zeros: n (4 D H + 6 H C).

    Two products with W1 (forward, update) and three with W2, a multiply-add counted as two.

    >>> dense_flop(60_000, 784, 300, 10) / 1e9
    57.528
    """
    return n * hidden_size * (4 * input_size + 6 * output_size)


def make_row(
    net: str, our_loss: float, repeats: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return what is told of `net` at one hidden size, from its runs `repeats` and the `rounds` that they stood in.

    `our_loss` is our mean loss over the first epoch, in order and from the weights of the first repeat. Without our
    own net in a round there is no ratio, nor for a net whose loss differs.
    """
    parity = _parity(repeats[0]["parity_loss"], our_loss)
    ratios = [
        _median_ratio(runs[net]["history"]["seconds"], runs["fastmlp"]["history"]["seconds"])
        for runs in rounds
        if net in runs and "fastmlp" in runs
    ]
    memory = _median([run["peak_memory_bytes"] for run in repeats])
    ranked = bool(ratios) and parity["passed"]
    return {
        "version": _version(net),
        **{name: _median([run[name] for run in repeats]) for name in _MEDIANS},
        "epoch_seconds": _median([seconds for run in repeats for seconds in run["history"]["seconds"]]),
        "peak_memory_bytes": None if memory is None else round(memory),
        "ratio": statistics.median(ratios) if ranked else None,
        "ratios": ratios if ranked else [],
        "parity": parity,
        "seconds_to_accuracy": {
            accuracy: _median([_seconds_to(float(accuracy), run["history"]) for run in repeats])
            for accuracy in ACCURACIES
        },
        "history": repeats[0]["history"],
        "repeats": list(repeats),
    }


def add_spread(rows: Sequence[dict[str, Any]]) -> None:
    """Give each of the `rows` of a comparison that has a result its intervals, under `spread`.

    None where there are none: for a net without a ratio, for our own, which is always 1, or from single repeats.
    """
    rows = [row for row in rows if "error" not in row]
    for row in rows:
        row["spread"] = dict.fromkeys(_SPREAD)
    for name, values in _SPREAD.items():
        measured = [row for row in rows if values(row)]
        found: Sequence[list[float] | None] = intervals([values(row) for row in measured]) or [None] * len(measured)
        for row, interval in zip(measured, found, strict=True):
            row["spread"][name] = interval


def _median_ratio(seconds: Sequence[float], ours: Sequence[float]) -> float:
    """The median of a net's seconds by ours in the same turn, over the epochs."""
    return statistics.median(its / our for its, our in zip(seconds, ours, strict=True))


def _parity(loss: float | None, ours: float) -> dict[str, Any]:
    """How far `loss` is from our mean loss over the first epoch, and whether that is near enough."""
    if loss is None or not math.isfinite(ours):
        return {"loss": loss, "relative": None, "passed": False}
    relative = abs(loss - ours) / abs(ours) if ours else abs(loss)
    return {"loss": loss, "relative": relative, "passed": relative <= PARITY}


def _median(values: Sequence[float | None]) -> float | None:
    """The median, None being above all numbers."""
    median = statistics.median(math.inf if value is None else value for value in values)
    return median if math.isfinite(median) else None


def _seconds_to(accuracy: float, history: Mapping[str, Sequence[float]]) -> float | None:
    """Training seconds until the test accuracy was first reached, at the end of an epoch."""
    total = 0.0
    for seconds, reached in zip(history["seconds"], history["val_accuracy"], strict=True):
        total += seconds
        if reached >= accuracy:
            return total
    return None


def _version(net: str) -> str:
    """The versions of the libraries behind a net."""
    found = [f"fastmlp {__version__}"] if net == "fastmlp" else []
    for library in MODULES[net].needs if net in MODULES else ():
        for distribution in _DISTRIBUTIONS.get(library, (library,)):
            with contextlib.suppress(PackageNotFoundError):
                found.append(f"{distribution} {version(distribution)}")
    return ", ".join(found)


# --- The file ---------------------------------------------------------------------------------------------------------


def _is_interval(value: Any) -> bool:
    """Whether `value` is two numbers, or None where there were too few repeats."""
    return value is None or (
        isinstance(value, list) and len(value) == 2 and all(isinstance(bound, (int, float)) for bound in value)
    )


# What the tables and plots read: a type or several, a list of one kind, a dict by key, or an interval.
_NUMBER = (int, float)
_MAYBE = (int, float, type(None))
_HISTORY = {"seconds": [_NUMBER], "val_loss": [_MAYBE], "val_accuracy": [_NUMBER]}
_FAILED = {"net": str, "hidden_size": int, "error": str}
_ROW = {
    "net": str,
    "hidden_size": int,
    "version": str,
    "train_seconds": _NUMBER,
    "compile_seconds": _NUMBER,
    "import_seconds": _NUMBER,
    "epoch_seconds": _NUMBER,
    "peak_memory_bytes": _MAYBE,
    "test_accuracy": _NUMBER,
    "test_loss": _MAYBE,
    "train_accuracy": _NUMBER,
    "train_loss": _MAYBE,
    "ratio": _MAYBE,
    "spread": {"train_seconds": _is_interval, "epoch_seconds": _is_interval, "ratio": _is_interval},
    "parity": {"relative": _MAYBE, "passed": bool},
    "seconds_to_accuracy": dict.fromkeys(ACCURACIES, _MAYBE),
    "history": _HISTORY,
}
_RESULTS = {
    "parameters": {
        "hidden_sizes": [int],
        "nets": [str],
        "epochs": int,
        "batch_size": int,
        "lr": _NUMBER,
        "repeats": int,
        "threads": int,
        "dataset": str,
        "seed": int,
    },
    "environment": {"peak_gflops": _NUMBER, "cpu": str, "python": str, "platform": str},
    "rounds": {"planned": int, "run": int, "disturbed": int},
    "complete": bool,
    "data": {"name": str, "n_train": int, "n_test": int, "input_size": int, "output_size": int},
    "results": [dict],
}


def write_results(results: Mapping[str, Any], path: Path) -> None:
    """Write `results` to `path` as JSON, whole or not at all. Raises OSError where that cannot be done."""
    from fastmlp.files.atomic import write_whole

    text = json.dumps(results, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def read_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the results of a comparison that `fastmlp compare` wrote to `path`.

    Raises ResultsFileError for a file that is damaged, holds something else, or is of another schema; OSError where it
    cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "results.json")
    ...     _ = path.write_text('{"kind": "comparison", "schema": 99}')
    ...     try:
    ...         read_results(path)
    ...     except ResultsFileError as error:
    ...         print(str(error).replace(folder, "FOLDER"))
    FOLDER/results.json is of schema 99 and this fastmlp reads schema 1: run the comparison again
    """
    try:
        results = json.loads(Path(path).read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ResultsFileError(f"{path} is damaged or holds no results: it cannot be read as JSON ({error})") from None
    if not isinstance(results, dict) or results.get("kind") != "comparison":
        raise ResultsFileError(f"{path} holds no results of `fastmlp compare`")
    schema = results.get("schema")
    if schema != SCHEMA:
        raise ResultsFileError(
            f"{path} is of schema {schema} and this fastmlp reads schema {SCHEMA}: run the comparison again"
        )
    faults = list(_faults(results, _RESULTS, ""))
    if not faults:
        for k, row in enumerate(results["results"]):
            faults += _faults(row, _FAILED if "error" in row else _ROW, f".results[{k}]")
    if faults:
        raise ResultsFileError(f"{path} is damaged: {faults[0]}")
    return results


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _faults(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield a sentence for each place at which `value` is not of its kind."""
    name = where.lstrip(".") or "it"
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            yield f"{name} is no object"
            return
        for key, of_key in kind.items():
            if key in value:
                yield from _faults(value[key], of_key, f"{where}.{key}")
            else:
                yield f"{name} lacks '{key}'"
    elif isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{name} is no list"
            return
        for k, item in enumerate(value):
            yield from _faults(item, kind[0], f"{where}[{k}]")
    elif not (_is_interval(value) if kind is _is_interval else _is_of_type(value, kind)):
        yield f"{name} is {json.dumps(value)[:40]}"


def _is_of_type(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))

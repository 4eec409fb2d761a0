"""The file that keeps the results of a comparison: written whole, and checked when it is read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastmlp.comparison.results import ACCURACIES
from fastmlp.errors import ResultsFileError
from fastmlp.files.atomic import write_whole

__all__ = ["SCHEMA", "read_results", "write_results"]

SCHEMA = 2

_LARGEST_COUNT = 2**53  # beyond, a float no longer tells whole numbers apart
_LARGEST = 1e45  # of what is multiplied and divided: larger than any float32


def _is_number(value: Any) -> bool:
    """Whether `value` is a number of which a float can be made, and none that JSON only writes, such as 1e999."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _LARGEST_COUNT if isinstance(value, int) else math.isfinite(value)


def _is_time(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_positive(value: Any) -> bool:
    """Whether `value` is a number that others may be divided by."""
    return _is_number(value) and 1 / _LARGEST <= value <= _LARGEST


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and 0 <= value <= _LARGEST_COUNT


def _is_size(value: Any) -> bool:
    return _is_count(value) and value > 0


def _or_none(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


def _is_interval(value: Any) -> bool:
    """Whether `value` is two numbers."""
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]


# What tables and plots read, by kind: a type, a function that tells whether a value is one, a list of one kind, or a
# dict by key. Values that JSON cannot hold, and those of which too few repeats were made, are None.
_VALUE, _INTERVAL = _or_none(_is_number), _or_none(_is_interval)
_HISTORY = {"seconds": [_is_positive], "val_loss": [_VALUE], "val_accuracy": [_is_number]}
_FAILED = {"net": str, "hidden_size": _is_size, "error": str}
_ROW = {
    "net": str,
    "hidden_size": _is_size,
    "version": str,
    "train_seconds": _is_positive,
    "compile_seconds": _is_time,
    "import_seconds": _is_time,
    "epoch_seconds": _is_positive,
    "peak_memory_bytes": _VALUE,
    "test_accuracy": _is_number,
    "test_loss": _VALUE,
    "train_accuracy": _is_number,
    "train_loss": _VALUE,
    "ratio": _or_none(_is_positive),
    "spread": {"train_seconds": _INTERVAL, "epoch_seconds": _INTERVAL, "ratio": _INTERVAL},
    "parity": {"relative": _VALUE, "passed": bool},
    "seconds_to_accuracy": dict.fromkeys(ACCURACIES, _VALUE),
    "score_seconds": {"one": _VALUE, "all": _VALUE},
    "history": _HISTORY,
    "repeats": [{"history": _HISTORY}],
}
_RESULTS = {
    "parameters": {
        "hidden_sizes": [_is_size],
        "nets": [str],
        "epochs": _is_size,
        "batch_size": _is_size,
        "lr": _is_positive,
        "optimizer": str,
        "repeats": _is_size,
        "threads": _is_size,
        "dataset": str,
        "seed": _is_whole,
    },
    "environment": {"peak_gflops": _is_positive, "cpu": str, "python": str, "platform": str},
    "rounds": {"planned": _is_count, "run": _is_count, "disturbed": _is_count},
    "complete": bool,
    "data": {
        "name": str,
        "n_train": _is_size,
        "n_test": _is_size,
        "nonzeros": _is_count,
        "input_size": _is_size,
        "output_size": _is_size,
    },
    "results": [dict],
}


def write_results(results: Mapping[str, Any], path: Path) -> None:
    """Write `results` to `path` as JSON, whole or not at all. Raises OSError where that is impossible."""
    text = json.dumps(results, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def read_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the results of a comparison that `fastmlp compare` wrote to `path`.

    Raises ResultsFileError for a file that is damaged, holds something else, or has another schema; OSError where it
    cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "results.json")
    ...     _ = path.write_text('{"kind": "comparison", "schema": 99}')
    ...     try:
    ...         read_results(path)
    ...     except ResultsFileError as error:
    ...         print(str(error).replace(folder, "FOLDER"))
    FOLDER/results.json has schema 99, and this fastmlp reads schema 2: run the comparison again
    """
    try:
        results = json.loads(Path(path).read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ResultsFileError(f"{path} is damaged or holds no results: it is not valid JSON ({error})") from None
    if not isinstance(results, dict) or results.get("kind") != "comparison":
        raise ResultsFileError(f"{path} does not hold results of `fastmlp compare`")
    schema = results.get("schema")
    if schema != SCHEMA:
        raise ResultsFileError(
            f"{path} has schema {schema}, and this fastmlp reads schema {SCHEMA}: run the comparison again"
        )
    if isinstance(results.get("parameters"), dict):
        results["parameters"].setdefault("optimizer", "sgd")  # there was no other when this was no parameter yet
    faults = _faults(results, _RESULTS, "")
    if not faults:
        for k, row in enumerate(results["results"]):
            kind = _FAILED if "error" in row else _ROW
            faults += _faults(row, kind, f".results[{k}]")
            if not faults and kind is _ROW:
                faults += _contradictions(results, row, f"results[{k}]")
    if faults:
        raise ResultsFileError(f"{path} is damaged: {faults[0]}")
    return results


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number in JSON")


def _faults(value: Any, kind: Any, where: str) -> list[str]:
    """Return a sentence for each place where `value` is not of its kind."""
    name = where.lstrip(".") or "it"
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return [f"{name} is not an object"]
        lacking = [f"{name} lacks '{key}'" for key in kind if key not in value]
        return lacking + [
            fault for key in kind if key in value for fault in _faults(value[key], kind[key], f"{where}.{key}")
        ]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{name} is not a list"]
        return [fault for k, item in enumerate(value) for fault in _faults(item, kind[0], f"{where}[{k}]")]
    right = isinstance(value, kind) if isinstance(kind, type) else kind(value)
    return [] if right else [f"{name} is {json.dumps(value)[:40]}"]


def _contradictions(results: Mapping[str, Any], row: Mapping[str, Any], where: str) -> list[str]:
    """Return a sentence for each thing in a row with a result that does not go with the rest."""
    faults = [
        f"{where}.{key} is {json.dumps(row[key])[:40]}, which parameters.{key}s lacks"
        for key in ("net", "hidden_size")
        if row[key] not in results["parameters"][f"{key}s"]
    ]
    histories = {f"{where}.history": row["history"]}
    histories |= {f"{where}.repeats[{k}].history": run["history"] for k, run in enumerate(row["repeats"])}
    for name, history in histories.items():
        lengths = {len(series) for series in history.values() if isinstance(series, list)}
        if len(lengths) != 1 or not lengths - {0}:
            faults.append(f"{name} has not one value per epoch")
    if not row["repeats"]:
        faults.append(f"{where}.repeats is empty")
    return faults

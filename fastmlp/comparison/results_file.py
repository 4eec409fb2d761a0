"""The file that keeps the results of a comparison: written whole, and checked when it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastmlp.comparison.results import ACCURACIES
from fastmlp.errors import ResultsFileError
from fastmlp.files.atomic import write_whole

__all__ = ["SCHEMA", "read_results", "write_results"]

SCHEMA = 2


def _is_interval(value: Any) -> bool:
    """Whether `value` is two numbers, or None where there were too few repeats."""
    return value is None or (
        isinstance(value, list) and len(value) == 2 and all(isinstance(bound, (int, float)) for bound in value)
    )


# What tables and plots read, by kind: a type or several, a list of one kind, a dict by key, or an interval.
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
    "score_seconds": {"one": _MAYBE, "all": _MAYBE},
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
    "data": {"name": str, "n_train": int, "n_test": int, "nonzeros": int, "input_size": int, "output_size": int},
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
    faults = list(_faults(results, _RESULTS, ""))
    if not faults:
        for k, row in enumerate(results["results"]):
            faults += _faults(row, _FAILED if "error" in row else _ROW, f".results[{k}]")
    if faults:
        raise ResultsFileError(f"{path} is damaged: {faults[0]}")
    return results


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number in JSON")


def _faults(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield a sentence for each place where `value` is not of its kind."""
    name = where.lstrip(".") or "it"
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            yield f"{name} is not an object"
            return
        for key, of_key in kind.items():
            if key in value:
                yield from _faults(value[key], of_key, f"{where}.{key}")
            else:
                yield f"{name} lacks '{key}'"
    elif isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{name} is not a list"
            return
        for k, item in enumerate(value):
            yield from _faults(item, kind[0], f"{where}[{k}]")
    elif not (_is_interval(value) if kind is _is_interval else _is_of_type(value, kind)):
        yield f"{name} is {json.dumps(value)[:40]}"


def _is_of_type(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
